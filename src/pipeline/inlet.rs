/*!
The way of a listener's requests into its pipelines.

A request goes into all pipelines that have the receiver, as far as they have
room; it is refused where none has, so that nobody loses data for somebody
else's backend.
*/

use super::{
    AwaitedResult, Converted, Converter, Generation, Ingest, NotTaken, Preparation,
    PreparedRequest, Refusal, RefusalKind, Taken, Taking, Ticket, Waiter,
    commit::Commits,
    engine::{Appended, Declined, Engine, Progress},
    outlet::Busy,
    preparation::{ConversionPreparation, PreparedPart},
    refusal::RETRY_AFTER,
    shard::{Panicked, Shard},
};
use crate::{
    pdata::{Index, Signal, SpanFault, split},
    telemetry::{ReceiverStats, ShardLoad},
};
use std::{
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Once},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{task, time};

/// How long a request waits for room in a queue with `block_on_overflow`, and how often it
/// looks.
const ROOM_PATIENCE: Duration = Duration::from_secs(10);
const ROOM_INTERVAL: Duration = Duration::from_millis(50);

/// How much of a large request is gone through in one turn: bytes, and 64 for each
/// item. It takes a millisecond or two.
const TURN: usize = 256 << 10;

/// Longer requests are converted apart from the shard.
const CONVERTED: usize = 64 << 10;

/// A listener's way into its pipelines.
pub struct Inlet {
    shard: Rc<Shard>,
    /// The pipelines of each signal that have the receiver, by number.
    into: [Vec<usize>; Signal::ALL.len()],
    converters: Vec<Conversion>,
    preparation: Arc<Preparation>,
    stats: ReceiverStats,
    load: ShardLoad,
    generation: Generation,
    waiter: Waiter,
}

/// What takes requests of another signal into pipelines.
pub(crate) struct Conversion {
    /// What the pipelines carry.
    pub(crate) signal: Signal,
    /// The pipelines' numbers.
    pub(crate) pipelines: Vec<usize>,
    /// What makes its requests.
    pub(crate) converter: Arc<dyn Converter>,
}

impl Inlet {
    /// A way into the pipelines of `shard` that `into` names by signal and
    /// number. Counts into `stats`, and tells `load` of each request.
    pub(crate) fn new(
        shard: Rc<Shard>,
        into: [Vec<usize>; Signal::ALL.len()],
        converters: Vec<Conversion>,
        stats: ReceiverStats,
        load: ShardLoad,
        generation: Generation,
    ) -> Self {
        let keys = |pipelines: &[usize]| {
            let keys = |at: &usize| shard.with(*at, |engine| engine.keys()).ok();
            pipelines.iter().filter_map(keys).collect::<Vec<_>>()
        };
        let conversion = |conversion: &Conversion| ConversionPreparation {
            signal: conversion.signal,
            keys: keys(&conversion.pipelines),
            converter: Arc::clone(&conversion.converter),
        };
        let preparation = Preparation {
            direct: into.each_ref().map(|pipelines| keys(pipelines)),
            conversions: converters.iter().map(conversion).collect(),
            mark: Arc::default(),
        };
        Self {
            preparation: Arc::new(preparation),
            shard,
            into,
            converters,
            stats,
            load,
            generation,
            waiter: Waiter::Sender,
        }
    }

    /// The same for requests of which `waiter` is told what becomes of them.
    pub(crate) fn waited_for_by(self, waiter: Waiter) -> Self {
        Self { waiter, ..self }
    }

    /// Refuses what a source has fetched while some pipeline or exporter has no room: it
    /// stays where it is, and is refused to nobody.
    fn hold_source(&self, bytes: usize, into: &[usize]) -> Result<(), Refusal> {
        if self.waiter != Waiter::Source {
            return Ok(());
        }
        for at in into {
            let busy = self.shard.with(*at, |engine| engine.holds_sources(bytes));
            if let Ok(Some(busy)) = busy {
                return Err(Refusal::busy(RETRY_AFTER, busy.why));
            }
        }
        Ok(())
    }

    /// Returns true while a request is read, or was read and is not appended.
    pub(crate) fn is_used(&self) -> bool {
        let preparation = &self.preparation;
        Arc::strong_count(preparation) > 1 || Arc::strong_count(&preparation.mark) > 1
    }

    /// Returns true if `request` was read for this inlet.
    pub(crate) fn has_prepared(&self, request: &PreparedRequest) -> bool {
        Arc::ptr_eq(&self.preparation.mark, &request.mark)
    }

    /// Returns true if `ticket` is of the pipelines behind this inlet.
    pub(crate) fn has_given(&self, ticket: Ticket) -> bool {
        ticket.generation() == self.generation
    }

    /// Takes a request into some of the pipelines, whole or not at all.
    fn take_into(
        &self,
        signal: Signal,
        request: &[u8],
        peer: IpAddr,
        into: &[usize],
    ) -> Result<Admitted, NotTaken> {
        // Old Envoys send empty requests, which need no room.
        if request.is_empty() {
            return Ok(Admitted::default());
        }
        self.hold_source(request.len(), into)?;
        let mut outcome = Outcome::default();
        for at in into {
            let results = &mut outcome.results;
            let taken = self.shard.with(*at, |engine| {
                engine.begin_request(self.waiter);
                let taken = engine.take(request, peer);
                if taken.is_ok() {
                    results.append(&mut engine.results());
                }
                taken
            });
            match taken {
                // What is large for one is large for all, but for their limits.
                Ok(Err(Declined::Large)) if outcome.first.is_none() => {
                    return Err(NotTaken::Large);
                }
                taken => {
                    if let Ok(Ok(appended)) = &taken {
                        self.shard.took(*at, appended.opened);
                    }
                    self.note(signal, request, *at, taken, &mut outcome)?;
                }
            }
        }
        if outcome.waits() {
            return Err(NotTaken::Large);
        }
        Ok(self.conclude(signal, request, outcome)?)
    }

    /// Returns true if requests into these pipelines wait for room in a queue.
    fn holds_senders(&self, into: &[usize]) -> bool {
        let holds = |at: &usize| self.shard.with(*at, |engine| engine.holds_senders());
        into.iter().any(|at| holds(at).unwrap_or(false))
    }

    /// Takes a request that was read elsewhere into some of the pipelines, piece
    /// by piece.
    async fn take_part(
        &self,
        part: &PreparedPart,
        peer: IpAddr,
        into: &[usize],
    ) -> Result<Admitted, Refusal> {
        let (signal, request) = (part.signal, &part.request[..]);
        if request.is_empty() {
            return Ok(Admitted::default());
        }
        self.hold_source(request.len(), into)?;
        let until = Instant::now() + ROOM_PATIENCE;
        loop {
            let mut outcome = Outcome::default();
            for (at, index) in into.iter().zip(&part.indexes) {
                let results = &mut outcome.results;
                let taken = self.take_pieces(*at, part, index, peer, results).await;
                self.note(signal, request, *at, taken, &mut outcome)?;
            }
            // Another may have taken the room that this one has waited for.
            if !outcome.waits() || Instant::now() >= until {
                return self.conclude(signal, request, outcome);
            }
            time::sleep(ROOM_INTERVAL).await;
        }
    }

    /// Takes a request into pipeline number `at`.
    async fn take_pieces(
        &self,
        at: usize,
        part: &PreparedPart,
        index: &Index,
        peer: IpAddr,
        results: &mut Vec<AwaitedResult>,
    ) -> Result<Result<Appended, Declined>, Panicked> {
        let request = &part.request[..];
        let mut foreseen = (Progress::default(), None);
        loop {
            let foresee =
                |engine: &mut Engine| engine.foresee(request, index, peer, &mut foreseen, TURN);
            match self.shard.with(at, foresee)? {
                Ok(true) => break,
                Ok(false) => task::yield_now().await,
                Err(declined) => return Ok(Err(declined)),
            }
        }
        let mut progress = Progress::default();
        let mut appended = Appended::default();
        loop {
            let was_opened = appended.opened;
            let append = |engine: &mut Engine| {
                engine.begin_request(self.waiter);
                let done = engine.append(request, index, peer, &mut progress, TURN, &mut appended);
                results.append(&mut engine.results());
                done
            };
            let is_done = self.shard.with(at, append)?;
            // Each turn of the segment log has its share, and the clock runs.
            self.shard.took(at, appended.opened && !was_opened);
            if is_done {
                break;
            }
            task::yield_now().await;
        }
        let replaced = part.utf8_replaced;
        self.shard.with(at, |engine| engine.end_large(replaced))?;
        Ok(Ok(appended))
    }

    /// Notes what became of a request in pipeline number `at`.
    fn note(
        &self,
        signal: Signal,
        request: &[u8],
        at: usize,
        taken: Result<Result<Appended, Declined>, Panicked>,
        outcome: &mut Outcome,
    ) -> Result<(), Refusal> {
        let why = match taken {
            Ok(Ok(appended)) => {
                outcome.first.get_or_insert(appended);
                return Ok(());
            }
            // Every pipeline sees the same bytes, so only the first can refuse
            // them.
            Ok(Err(Declined::Malformed(malformed))) => {
                return Err(Refusal::not_admitted(malformed));
            }
            Err(Panicked) => {
                let items = split::count(signal, request) as u64;
                self.stats.items[signal].failed.add(items);
                return Err(Refusal::failed());
            }
            Ok(Err(Declined::Busy(Busy { why, is_held }))) => {
                outcome.is_held |= is_held;
                Refusal::busy(RETRY_AFTER, why)
            }
            // Every pipeline may have other processors, so that others may take it.
            Ok(Err(Declined::Failed(why))) => {
                let retry_after = RETRY_AFTER;
                Refusal::new(RefusalKind::Unavailable { retry_after }, why)
            }
            Ok(Err(Declined::Expands { limit })) => expands(request.len(), limit),
            // Another pipeline has taken it in one turn, with higher limits.
            Ok(Err(Declined::Large)) => expands(request.len(), request.len()),
        };
        outcome.without.push(at);
        outcome.why.get_or_insert(why);
        Ok(())
    }

    /// Ends a request that some pipelines may not have taken.
    fn conclude(
        &self,
        signal: Signal,
        request: &[u8],
        outcome: Outcome,
    ) -> Result<Admitted, Refusal> {
        let admitted = Admitted {
            appended: outcome.first,
            results: outcome.results,
        };
        let Some(why) = outcome.why else {
            return Ok(admitted);
        };
        let items = split::count(signal, request) as u64;
        // One that has room is not held up by another that has none.
        let refused = admitted.appended.is_none();
        for at in outcome.without {
            let _ = self.shard.with(at, |pipeline| match refused {
                true => pipeline.refused(items),
                false => pipeline.pass_by(items),
            });
        }
        if refused {
            self.stats.items[signal].refused.add(items);
            return Err(why);
        }
        Ok(admitted)
    }

    /// Counts what became of a request in the pipelines of its own signal.
    fn taken(&self, signal: Signal, admitted: Admitted) -> Taken {
        let appended = admitted.appended.unwrap_or_default();
        self.stats.items[signal].accepted.add(appended.accepted);
        let mut taken = Taken {
            results: admitted.results,
            ..Taken::default()
        };
        if let Some(fault) = appended.fault {
            self.stats.items[signal].refused.add(appended.rejected);
            taken.rejected = appended.rejected;
            taken.message = faulty(appended.rejected, fault);
        }
        taken
    }

    /// Takes what a converter makes of a request into its pipeline.
    fn take_converted(
        &self,
        conversion: &Conversion,
        request: &[u8],
        peer: IpAddr,
    ) -> Result<(Converted, Vec<AwaitedResult>), NotTaken> {
        let converted = (conversion.converter)
            .convert(request, usize::MAX)
            .map_err(Refusal::malformed)?;
        let into = &conversion.pipelines;
        let admitted = self.take_into(conversion.signal, &converted.request, peer, into)?;
        self.converted(conversion, admitted.appended, &converted);
        Ok((converted, admitted.results))
    }

    /// Counts what a converter made.
    fn converted(
        &self,
        conversion: &Conversion,
        appended: Option<Appended>,
        converted: &Converted,
    ) {
        let accepted = appended.map_or(0, |appended| appended.accepted);
        self.stats.items[conversion.signal].accepted.add(accepted);
        self.stats.connections.add(converted.made);
        self.stats.ignored_logs.add(converted.ignored);
    }

    /// Takes a request that was read elsewhere.
    async fn take_parts(&self, prepared: &PreparedRequest, peer: IpAddr) -> Result<Taken, Refusal> {
        self.load.request();
        let mut taken = Taken::default();
        let direct = prepared.parts.iter().any(|part| part.conversion.is_none());
        for part in &prepared.parts {
            let Some(conversion) = part.conversion.and_then(|at| self.converters.get(at)) else {
                let into = &self.into[part.signal as usize];
                taken = self.taken(part.signal, self.take_part(part, peer, into).await?);
                continue;
            };
            match self.take_part(part, peer, &conversion.pipelines).await {
                Ok(admitted) => {
                    self.converted(conversion, admitted.appended, &part.converted);
                    if !direct {
                        taken.results.extend(admitted.results);
                        taken.rejected = part.converted.ignored;
                        taken.message.clone_from(&part.converted.why);
                    }
                }
                Err(_) if direct => {}
                Err(refusal) => return Err(refusal),
            }
        }
        taken.stored = self.shard.commits().and_then(Commits::ticket);
        Ok(taken)
    }
}

/// A request that some pipelines have taken, or that is empty.
#[derive(Default)]
struct Admitted {
    /// What the first of them says.
    appended: Option<Appended>,
    /// What its sender waits for.
    results: Vec<AwaitedResult>,
}

/// What became of a request in the pipelines that it goes into.
#[derive(Default)]
struct Outcome {
    /// What the first of those that took it says.
    first: Option<Appended>,
    /// The others, by number.
    without: Vec<usize>,
    /// Why the first of them did not.
    why: Option<Refusal>,
    /// One of them has no room for which requests wait.
    is_held: bool,
    /// What the sender waits for.
    results: Vec<AwaitedResult>,
}

impl Outcome {
    /// Returns true if the request is to be tried again, since no pipeline has taken it.
    fn waits(&self) -> bool {
        self.first.is_none() && self.is_held
    }
}

/// Refuses a request for which too much would go out.
fn expands(request: usize, limit: usize) -> Refusal {
    Refusal::new(
        RefusalKind::TooLarge,
        format!(
            "more than {limit} bytes would go out for this request of {request}: its resources are \
             long, and are written again for each name and batch. Send fewer scopes or smaller \
             resources in one request, or raise max_expansion of the batch processor",
        ),
    )
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

    fn take(&self, signal: Signal, request: &[u8], peer: IpAddr) -> Result<Taken, NotTaken> {
        let into = &self.into[signal as usize];
        let direct = !into.is_empty();
        let conversions = self.converters.iter();
        let mut conversions = conversions
            .filter(|c| c.converter.reads() == signal)
            .peekable();
        if request.len() > CONVERTED && conversions.peek().is_some() {
            return Err(NotTaken::Large);
        }
        let mut taken = Taken::default();
        if direct {
            taken = self.taken(signal, self.take_into(signal, request, peer, into)?);
        }
        self.load.request();
        for conversion in conversions {
            match self.take_converted(conversion, request, peer) {
                // A pipeline of the request's own signal has all of it.
                Ok(_) | Err(_) if direct => {}
                Ok((converted, results)) => {
                    taken.rejected = converted.ignored;
                    taken.message = converted.why;
                    taken.results.extend(results);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        taken.stored = self.shard.commits().and_then(Commits::ticket);
        Ok(taken)
    }

    fn preparation(&self) -> Arc<Preparation> {
        Arc::clone(&self.preparation)
    }

    fn room(self: Rc<Self>, signal: Signal) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            let until = Instant::now() + ROOM_PATIENCE;
            let converts = |conversion: &&Conversion| conversion.converter.reads() == signal;
            let converters = self.converters.iter().filter(converts);
            let mut into = self.into[signal as usize].clone();
            into.extend(converters.flat_map(|conversion| &conversion.pipelines));
            while self.holds_senders(&into) && Instant::now() < until {
                time::sleep(ROOM_INTERVAL).await;
            }
        })
    }

    fn take_prepared(self: Rc<Self>, request: PreparedRequest, peer: IpAddr) -> Taking {
        Box::pin(async move { self.take_parts(&request, peer).await })
    }

    fn poll_stored(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<()> {
        match self.shard.commits() {
            Some(commits) => commits.poll(ticket, cx),
            None => Poll::Ready(()),
        }
    }
}
