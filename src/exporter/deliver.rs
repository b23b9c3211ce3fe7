/*!
Delivering batches: several at a time, again and again, in parts if need be.

One task runs it all, on one thread. Each batch in flight is a future that ends
when every span of it is settled: taken by the backend, given up, or abandoned
at the shutdown deadline. [`Tally`] is that account, kept per batch so that a
future cut off in any await leaves the right number behind.

A batch refused as too large is halved until its parts are taken; a batch
refused as invalid is halved until the spans at fault stand alone and only they
are lost. Both go depth first, so that a batch never has more than
log₂(spans) + 1 parts in memory. A backend that refuses whatever it gets is not
asked about every single span: after [`MAX_REFUSALS`] refusals, what is refused
of that batch is dropped whole. What is known to be too large ([`SizeLimit`]) is
halved without asking.

When a request may be attempted, and when no more, is the [`Circuit`]'s to say.
`max_elapsed` counts for each part from when its own first attempt is due: a part
that is new because the backend answered is progress.
*/

use super::{
    Drained, Sender,
    circuit::Circuit,
    delivery_log::{DeliveryLog, Waiting},
    limit::SizeLimit,
    outcome::Outcome,
};
use crate::{
    config::Retry,
    http::joined,
    pdata::{Signal, split},
    pipeline::{DropReason, QueuedBatch},
    queue::Queue,
    telemetry::{ExportedItems, ExporterStats},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{cell::Cell, time::Duration};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// How many refusals, as invalid or too large, one batch may cause before what
/// is refused is dropped whole.
const MAX_REFUSALS: u32 = 256;

/// How long a backend must have been away for batches in the segment log to be
/// left there at shutdown, and how often that is looked at.
const AWAY: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);

/// When shutdown began, its deadline.
pub type Deadline = watch::Receiver<Option<std::time::Instant>>;

/// What an exporter needs to deliver.
#[derive(Debug)]
pub struct Runner {
    /// Makes and sends requests.
    pub sender: Sender,
    /// `retry_on_failure`.
    pub retry: Retry,
    /// Batches in flight at once.
    pub consumers: usize,
    /// The log.
    pub log: DeliveryLog,
}

/// A [`Runner`] at work.
struct Run<'a> {
    on: &'a Runner,
    queue: &'a Queue<QueuedBatch>,
    stats: &'a ExporterStats,
    deadline: Deadline,
    limit: SizeLimit,
    circuit: Circuit,
    /// Spans of batches taken from the queue and not settled.
    held: Cell<u64>,
    abandoned: Cell<u64>,
    /// Left to the segment log at the deadline.
    kept: Cell<u64>,
}

/// A request, whole or part of a batch.
#[derive(Clone)]
struct Part {
    chunks: Vec<Bytes>,
    spans: u64,
    /// Bytes of the smallest request refused as too large that this is part of.
    refused: Option<usize>,
}

/// Spans lost from one batch, for one line in the log.
#[derive(Default)]
struct Lost {
    spans: u64,
    bytes: usize,
    reason: String,
}

/// What became of a part after all its attempts.
enum Settled {
    Delivered { rejected: u64, message: String },
    TooLarge(String),
    Invalid(String),
    Refused(String),
    GivenUp(String),
}

impl Runner {
    /// Delivers until the queue is closed and empty, or the deadline passes.
    pub async fn run(
        self,
        queue: &Queue<QueuedBatch>,
        stats: &ExporterStats,
        deadline: Deadline,
    ) -> Drained {
        let run = Run {
            on: &self,
            queue,
            stats,
            circuit: Circuit::new(&self.retry, deadline.clone(), stats.outage.clone()),
            deadline,
            limit: SizeLimit::default(),
            held: Cell::new(0),
            abandoned: Cell::new(0),
            kept: Cell::new(0),
        };
        let mut in_flight = FuturesUnordered::new();
        let mut expired = std::pin::pin!(run.expired());
        loop {
            let room = in_flight.len() < self.consumers.max(1);
            select! {
                // A finished request first: its batch's memory is free then.
                biased;
                Some(()) = in_flight.next() => {}
                () = &mut expired => break,
                batch = queue.pop(), if room => match batch {
                    Some(queued) => in_flight.push(run.batch(run.circuit.number(), queued)),
                    None => break,
                },
            }
        }
        // Those in flight end by themselves, at the deadline at the latest.
        while in_flight.next().await.is_some() {}
        // After the deadline nothing is taken on: whoever still pushes gets its
        // batch back and counts it.
        queue.close();
        while let Some(queued) = queue.pop().await {
            drop(Tally::new(&run, queued));
        }
        let (abandoned, kept) = (run.abandoned.get(), run.kept.get());
        if abandoned > 0 {
            // Their bytes are not known any more.
            self.log.dropped(
                abandoned,
                None,
                "not delivered before the shutdown deadline",
            );
        }
        Drained { abandoned, kept }
    }
}

impl Run<'_> {
    /// Settles every span of the batch that was taken as number `number`.
    async fn batch(&self, number: u64, queued: QueuedBatch) {
        let tally = Tally::new(self, queued);
        let mut lost = Lost::default();
        select! {
            biased;
            () = self.parts(number, &tally, &mut lost) => {}
            () = self.expired() => {}
            () = self.pointless(&tally.queued) => {}
        }
        if lost.spans > 0 {
            self.on
                .log
                .dropped(lost.spans, Some(lost.bytes), &lost.reason);
        }
    }

    /// Ends when waiting gains nothing: shutdown has begun, the backend has been
    /// away for a while, and the next run finds the batch in the segment log.
    async fn pointless(&self, queued: &QueuedBatch) {
        let mut deadline = self.deadline.clone();
        if deadline.wait_for(Option::is_some).await.is_err() {
            std::future::pending().await
        }
        let away = |since: std::time::Instant| since.elapsed() > AWAY;
        while !(self.stats.outage.since().is_some_and(away) && queued.is_logged()) {
            sleep(LOOK).await;
        }
    }

    async fn parts(&self, number: u64, tally: &Tally<'_>, lost: &mut Lost) {
        let batch = &tally.queued.batch;
        let whole = Part {
            chunks: batch.chunks.clone(),
            spans: u64::from(batch.items),
            refused: None,
        };
        let mut parts = vec![whole];
        let mut refusals = 0;
        let mut cut = false;
        while let Some(part) = parts.pop() {
            let bytes = part.bytes();
            // Not after too many refusals, or every part could bring one more.
            if refusals < MAX_REFUSALS
                && self.limit.exceeded(bytes)
                && let Some([first, second]) = part.halve()
            {
                cut = true;
                parts.extend([second, first]);
                continue;
            }
            let (cause, given_up, halves) = match self.part(number, tally.signal(), &part).await {
                Settled::Delivered { rejected, message } => {
                    let rejected = rejected.min(part.spans);
                    self.stats.items[tally.signal()]
                        .sent
                        .add(part.spans - rejected);
                    self.stats.items[tally.signal()].rejected.add(rejected);
                    if rejected > 0 || !message.is_empty() {
                        self.on.log.partial(rejected, &message);
                    }
                    self.limit.taken(bytes, part.refused);
                    tally.answered(part.spans - rejected, rejected);
                    continue;
                }
                Settled::TooLarge(cause) | Settled::Invalid(cause)
                    if refusals + 1 >= MAX_REFUSALS =>
                {
                    refusals += 1;
                    let cause = format!(
                        "{cause} (gave up after the backend refused {refusals} parts of the batch)"
                    );
                    (cause, false, None)
                }
                Settled::TooLarge(cause) => {
                    refusals += 1;
                    let too_large = Part {
                        refused: Some(bytes),
                        ..part.clone()
                    };
                    (cause, false, too_large.halve())
                }
                Settled::Invalid(cause) => {
                    refusals += 1;
                    (cause, false, part.halve())
                }
                Settled::Refused(cause) => (cause, false, None),
                Settled::GivenUp(cause) => (cause, true, None),
            };
            match halves {
                Some([first, second]) => parts.extend([second, first]),
                None => {
                    lost.add(&part, cause);
                    self.stats.items[tally.signal()].send_failed.add(part.spans);
                    match given_up {
                        true => tally.dropped(part.spans, DropReason::GaveUp),
                        false => tally.answered(0, part.spans),
                    }
                }
            }
        }
        if cut && refusals == 0 && lost.spans == 0 {
            self.limit.held();
        }
    }

    /// Attempts one request until that makes no more sense.
    async fn part(&self, number: u64, signal: Signal, part: &Part) -> Settled {
        let payload = match self.on.sender.prepare(&part.chunks) {
            Ok(payload) => payload,
            Err(outcome) => return Settled::from_final(outcome),
        };
        let retries = &self.stats.retries;
        let mut attempts = self.circuit.attempts(number);
        loop {
            let pass = match attempts.begin().await {
                Ok(pass) => pass,
                Err(cause) => return Settled::GivenUp(cause),
            };
            if attempts.have_failed() {
                retries.add(1);
            }
            let outcome = {
                let _counted = InFlight::new(&self.stats.items[signal]);
                self.on.sender.send(&payload, retries).await
            };
            let (after, cause, misconfigured) = match outcome {
                Outcome::Retry {
                    after,
                    cause,
                    misconfigured,
                } => (after, cause, misconfigured),
                settled => {
                    pass.answered();
                    if matches!(settled, Outcome::Delivered { .. }) {
                        self.on.log.delivered();
                    }
                    return Settled::from_final(settled);
                }
            };
            let wait = match attempts.failed(pass, after, &cause) {
                Ok(wait) => wait,
                Err(cause) => return Settled::GivenUp(cause),
            };
            let waiting = Waiting {
                spans: self.held.get(),
                batches: self.queue.len(),
            };
            self.on.log.failed(&cause, misconfigured, wait, waiting);
        }
    }

    /// Ends when the shutdown deadline has passed, wherever it has been moved to
    /// meanwhile: a second signal ends the drain at once.
    async fn expired(&self) {
        let mut deadline = self.deadline.clone();
        loop {
            let at = *deadline.borrow_and_update();
            let passed = async {
                match at {
                    Some(at) => sleep_until(Instant::from_std(at)).await,
                    None => std::future::pending().await,
                }
            };
            let mut passed = std::pin::pin!(passed);
            select! {
                () = &mut passed => return,
                // Without a sender, it stays as it is.
                moved = deadline.changed() => if moved.is_err() {
                    return passed.await;
                }
            }
        }
    }
}

impl Settled {
    fn from_final(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Delivered { rejected, message } => Self::Delivered { rejected, message },
            Outcome::TooLarge { cause } => Self::TooLarge(cause),
            Outcome::Invalid { cause } => Self::Invalid(cause),
            Outcome::Permanent { cause } => Self::Refused(cause),
            Outcome::Retry { cause, .. } => Self::GivenUp(cause),
        }
    }
}

impl Part {
    fn halve(&self) -> Option<[Self; 2]> {
        let (first, second) = split::halve(Signal::Traces, &joined(&self.chunks))?;
        let part = |bytes: Vec<u8>, spans| Self {
            chunks: vec![bytes.into()],
            spans,
            refused: self.refused,
        };
        let ahead = (split::count(Signal::Traces, &first) as u64).min(self.spans);
        Some([part(first, ahead), part(second, self.spans - ahead)])
    }

    fn bytes(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }
}

impl Lost {
    fn add(&mut self, part: &Part, reason: String) {
        self.spans += part.spans;
        self.bytes += part.bytes();
        if self.reason.is_empty() {
            self.reason = reason;
        }
    }
}

/// The unsettled spans of one batch. Those left when it is dropped, because the
/// deadline cut the batch off, stay in the segment log, or are abandoned.
struct Tally<'a> {
    run: &'a Run<'a>,
    queued: QueuedBatch,
    open: Cell<u64>,
}

impl<'a> Tally<'a> {
    fn new(run: &'a Run<'a>, queued: QueuedBatch) -> Self {
        let spans = u64::from(queued.batch.items);
        run.held.set(run.held.get() + spans);
        Self {
            run,
            queued,
            open: Cell::new(spans),
        }
    }

    fn signal(&self) -> Signal {
        self.queued.batch.signal
    }

    fn answered(&self, delivered: u64, refused: u64) {
        self.queued.route.account.answered(delivered, refused);
        self.settle(delivered + refused);
    }

    fn dropped(&self, spans: u64, reason: DropReason) {
        self.queued.route.account.dropped(spans, reason);
        self.settle(spans);
    }

    fn settle(&self, spans: u64) {
        let spans = spans.min(self.open.get());
        self.open.set(self.open.get() - spans);
        self.run.held.set(self.run.held.get().saturating_sub(spans));
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        let open = self.open.get();
        if open > 0 && self.queued.is_logged() {
            self.settle(open);
            self.run.kept.set(self.run.kept.get() + open);
            return self.queued.keep(open);
        }
        if open > 0 {
            self.run.stats.items[self.signal()].send_failed.add(open);
            self.run.abandoned.set(self.run.abandoned.get() + open);
            self.dropped(open, DropReason::Shutdown);
        }
        self.queued.settle();
    }
}

/// A request counted as in flight for as long as this lives.
struct InFlight<'a>(&'a ExportedItems);

impl<'a> InFlight<'a> {
    fn new(stats: &'a ExportedItems) -> Self {
        stats.requests_started.add(1);
        Self(stats)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.requests_ended.add(1);
    }
}
