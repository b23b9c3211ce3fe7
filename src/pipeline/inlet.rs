/*!
The way of a listener's requests into its pipelines.

A request goes into all pipelines that have the receiver, as far as they have
room; it is refused where none has, so that nobody loses spans for somebody
else's backend.
*/

use super::{
    commit::Commits,
    shard::{Panicked, Shard},
};
use crate::{
    mesh::ztunnel::Ignored,
    pdata::{Fault, Signal, split},
    pipeline::{Ingest, Refusal, Taken, Ticket},
    processor::mesh::ztunnel_log,
    telemetry::{ReceiverStats, ShardLoad},
};
use std::{
    net::IpAddr,
    rc::Rc,
    sync::Once,
    task::{Context, Poll},
    time::Duration,
};

/// How long a sender that is told to try again should wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A listener's way into its pipelines.
pub struct Inlet {
    /// The shard's pipelines.
    pub shard: Rc<Shard>,
    /// Indices of the pipelines that have the receiver.
    pub pipelines: Vec<usize>,
    /// Those of them that make spans of ztunnel's access log.
    pub of_logs: Vec<usize>,
    /// What it counts.
    pub stats: ReceiverStats,
    /// Told of each request.
    pub load: ShardLoad,
}

impl Inlet {
    /// Says what was wrong with the spans that were dropped; the first time in
    /// the log too, since Envoy does not look at a partial success.
    fn faulty(&self, rejected: u64, fault: Fault) -> String {
        let message = format!("{rejected} span(s) dropped; the first: {fault}");
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            tracing::warn!(
                "{message}; wayspan_rejected_spans counts these from now on, without a line in \
                 the log"
            );
        });
        message
    }

    /// Says what log records were not of use, the first time in the log too.
    fn useless(&self, ignored: u64, why: Option<Ignored>) -> String {
        let why = why.map(|why| why.to_string()).unwrap_or_default();
        let message = format!("{ignored} log record(s) ignored; the first: {why}");
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            tracing::warn!(
                "{message}. Only completed connections in ztunnel's access log become spans: \
                 let the sender of these logs send nothing else here. \
                 wayspan_logs_ignored_records counts from now on, without a line in the log"
            );
        });
        message
    }

    fn refuse(&self, request: &[u8], into: &[usize], why: &str) -> Refusal {
        let spans = split::count(Signal::Traces, request) as u64;
        self.stats.items[Signal::Traces].refused.add(spans);
        for at in into {
            let _ = self.shard.with(*at, |pipeline| pipeline.refused(spans));
        }
        Refusal::busy(RETRY_AFTER, why)
    }

    /// Takes a request into some of the pipelines, whole or not at all.
    fn take_into(&self, request: &[u8], peer: IpAddr, into: &[usize]) -> Result<Taken, Refusal> {
        self.load.request();
        // Old Envoys send empty requests, which need no room.
        if request.is_empty() {
            return Ok(Taken::default());
        }
        // One pipeline that has room is not held up by another that has none.
        let busy = |at: &usize| self.shard.with(*at, |p| p.busy()).ok().flatten();
        let reasons: Vec<Option<&str>> = match into {
            // The common case allocates nothing.
            [only] => match busy(only) {
                Some(why) => return Err(self.refuse(request, into, why)),
                None => Vec::new(),
            },
            several => several.iter().map(busy).collect(),
        };
        if !reasons.is_empty() && reasons.iter().all(Option::is_some) {
            let why = reasons.into_iter().flatten().next().unwrap_or_default();
            return Err(self.refuse(request, into, why));
        }
        let mut first = None;
        for (nth, at) in into.iter().enumerate() {
            if reasons.get(nth).copied().flatten().is_some() {
                let spans = split::count(Signal::Traces, request) as u64;
                let _ = self.shard.with(*at, |pipeline| pipeline.pass_by(spans));
                continue;
            }
            // Every pipeline sees the same bytes, so only the first can refuse.
            match self
                .shard
                .with(*at, |pipeline| pipeline.take(request, peer))
            {
                Ok(Ok(taken)) => {
                    self.shard.took(*at, taken.opened);
                    first.get_or_insert(taken);
                }
                Ok(Err(malformed)) => return Err(Refusal::malformed(malformed.to_string())),
                Err(Panicked) => {
                    let spans = split::count(Signal::Traces, request) as u64;
                    self.stats.items[Signal::Traces].failed.add(spans);
                    return Err(Refusal::failed());
                }
            }
        }
        let taken = first.unwrap_or_default();
        self.stats.items[Signal::Traces]
            .accepted
            .add(taken.accepted);
        let mut answer = Taken {
            stored: self.shard.commits().and_then(Commits::ticket),
            ..Taken::default()
        };
        if let Some(fault) = taken.fault {
            self.stats.items[Signal::Traces].refused.add(taken.rejected);
            answer.rejected = taken.rejected;
            answer.message = self.faulty(taken.rejected, fault);
        }
        Ok(answer)
    }
}

impl Inlet {
    /// Makes spans of ztunnel's access log.
    fn take_logs(&self, request: &[u8], peer: IpAddr) -> Result<Taken, Refusal> {
        let converted = match ztunnel_log::convert(request) {
            Ok(converted) => converted,
            Err(malformed) => return Err(Refusal::malformed(malformed.to_string())),
        };
        // The ids of its spans are always good, so this is all or nothing.
        let mut taken = self.take_into(&converted.request, peer, &self.of_logs)?;
        self.stats.connections.add(converted.connections);
        if converted.ignored > 0 {
            self.stats.ignored_logs.add(converted.ignored);
            taken.rejected = converted.ignored;
            taken.message = self.useless(converted.ignored, converted.why);
        }
        Ok(taken)
    }
}

impl Ingest for Inlet {
    fn takes(&self, signal: Signal) -> bool {
        match signal {
            Signal::Traces => true,
            Signal::Logs => !self.of_logs.is_empty(),
            Signal::Metrics => false,
        }
    }

    fn take(&self, signal: Signal, request: &[u8], peer: IpAddr) -> Result<Taken, Refusal> {
        match signal {
            Signal::Logs => self.take_logs(request, peer),
            _ => self.take_into(request, peer, &self.pipelines),
        }
    }

    fn poll_stored(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<()> {
        match self.shard.commits() {
            Some(commits) => commits.poll(ticket, cx),
            None => Poll::Ready(()),
        }
    }
}
