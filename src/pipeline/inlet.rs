/*!
The way of a listener's requests into its pipelines.

A request goes into all pipelines that have the receiver, as far as they have
room; it is refused where none has, so that nobody loses data for somebody
else's backend.
*/

use super::{
    Converted, Converter, Ingest, Refusal, Taken, Ticket,
    commit::Commits,
    engine::{Appended, NotTaken},
    shard::{Panicked, Shard},
};
use crate::{
    pdata::{Signal, SpanFault, split},
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
    shard: Rc<Shard>,
    /// The pipelines of each signal that have the receiver, by number.
    into: [Vec<usize>; Signal::ALL.len()],
    converters: Vec<Conversion>,
    stats: ReceiverStats,
    load: ShardLoad,
}

/// What takes requests of another signal into pipelines.
pub struct Conversion {
    /// What the pipelines carry.
    pub signal: Signal,
    /// The pipelines' numbers.
    pub pipelines: Vec<usize>,
    /// What makes its requests.
    pub converter: Box<dyn Converter>,
}

impl Inlet {
    /// A way into the pipelines of `shard` that `into` names by signal and
    /// number. Counts into `stats`, and tells `load` of each request.
    pub fn new(
        shard: Rc<Shard>,
        into: [Vec<usize>; Signal::ALL.len()],
        converters: Vec<Conversion>,
        stats: ReceiverStats,
        load: ShardLoad,
    ) -> Self {
        Self {
            shard,
            into,
            converters,
            stats,
            load,
        }
    }

    /// Takes a request into some of the pipelines, whole or not at all.
    fn take_into(
        &self,
        signal: Signal,
        request: &[u8],
        peer: IpAddr,
        into: &[usize],
    ) -> Result<Option<Appended>, Refusal> {
        // Old Envoys send empty requests, which need no room.
        if request.is_empty() {
            return Ok(None);
        }
        let mut first = None;
        let mut busy = Vec::new();
        let mut why = "";
        for at in into {
            match self
                .shard
                .with(*at, |pipeline| pipeline.take(request, peer))
            {
                Ok(Ok(appended)) => {
                    self.shard.took(*at, appended.opened);
                    first.get_or_insert(appended);
                }
                Ok(Err(NotTaken::Busy(reason))) => {
                    if busy.is_empty() {
                        why = reason;
                    }
                    busy.push(*at);
                }
                // Every pipeline sees the same bytes, so only the first can
                // refuse them.
                Ok(Err(NotTaken::Malformed(malformed))) => {
                    return Err(Refusal::malformed(malformed.to_string()));
                }
                Err(Panicked) => {
                    let items = split::count(signal, request) as u64;
                    self.stats.items[signal].failed.add(items);
                    return Err(Refusal::failed());
                }
            }
        }
        if busy.is_empty() {
            return Ok(first);
        }
        let items = split::count(signal, request) as u64;
        // One that has room is not held up by another that has none.
        let refused = first.is_none();
        for at in busy {
            let _ = self.shard.with(at, |pipeline| match refused {
                true => pipeline.refused(items),
                false => pipeline.pass_by(items),
            });
        }
        if refused {
            self.stats.items[signal].refused.add(items);
            return Err(Refusal::busy(RETRY_AFTER, why));
        }
        Ok(first)
    }

    /// Takes a request into the pipelines of its own signal.
    fn take_direct(&self, signal: Signal, request: &[u8], peer: IpAddr) -> Result<Taken, Refusal> {
        let into = &self.into[signal as usize];
        let appended = self
            .take_into(signal, request, peer, into)?
            .unwrap_or_default();
        self.stats.items[signal].accepted.add(appended.accepted);
        let mut taken = Taken::default();
        if let Some(fault) = appended.fault {
            self.stats.items[signal].refused.add(appended.rejected);
            taken.rejected = appended.rejected;
            taken.message = faulty(appended.rejected, fault);
        }
        Ok(taken)
    }

    /// Takes what a converter makes of a request into its pipeline.
    fn take_converted(
        &self,
        conversion: &Conversion,
        request: &[u8],
        peer: IpAddr,
    ) -> Result<Converted, Refusal> {
        let converted = (conversion.converter)
            .convert(request)
            .map_err(Refusal::malformed)?;
        let into = &conversion.pipelines;
        let appended = self.take_into(conversion.signal, &converted.request, peer, into)?;
        let accepted = appended.map_or(0, |appended| appended.accepted);
        self.stats.items[conversion.signal].accepted.add(accepted);
        self.stats.connections.add(converted.made);
        self.stats.ignored_logs.add(converted.ignored);
        Ok(converted)
    }
}

/// Says what was wrong with the items that were dropped; the first time in the
/// log too, since Envoy does not look at a partial success.
fn faulty(rejected: u64, fault: SpanFault) -> String {
    let message = format!("{rejected} span(s) dropped; the first: {fault}");
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        tracing::warn!(
            "{message}; wayspan_rejected_spans counts these from now on, without a line in the log"
        );
    });
    message
}

impl Ingest for Inlet {
    fn takes(&self, signal: Signal) -> bool {
        let converts = |conversion: &Conversion| conversion.converter.reads() == signal;
        !self.into[signal as usize].is_empty() || self.converters.iter().any(converts)
    }

    fn take(&self, signal: Signal, request: &[u8], peer: IpAddr) -> Result<Taken, Refusal> {
        self.load.request();
        let direct = !self.into[signal as usize].is_empty();
        let mut taken = match direct {
            true => self.take_direct(signal, request, peer)?,
            false => Taken::default(),
        };
        let conversions = self.converters.iter();
        for conversion in conversions.filter(|c| c.converter.reads() == signal) {
            match self.take_converted(conversion, request, peer) {
                // A pipeline of the request's own signal has all of it.
                Ok(_) | Err(_) if direct => {}
                Ok(converted) => {
                    taken.rejected = converted.ignored;
                    taken.message = converted.why;
                }
                Err(refusal) => return Err(refusal),
            }
        }
        taken.stored = self.shard.commits().and_then(Commits::ticket);
        Ok(taken)
    }

    fn poll_stored(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<()> {
        match self.shard.commits() {
            Some(commits) => commits.poll(ticket, cx),
            None => Poll::Ready(()),
        }
    }
}
