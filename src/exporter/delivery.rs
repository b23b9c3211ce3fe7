/*!
The delivery of one batch: again and again, in parts if need be, until every item
of it is settled.

[`Delivery`] is the account of one batch. A future cut off in any await leaves
the right number behind: what is open when it is dropped stays in the segment
log, or is abandoned.

A batch refused as too large is halved until its parts are taken; a batch
refused as invalid is halved until the items at fault stand alone and only they
are lost. Both go depth first, so that a batch never has more than
log₂(items) + 1 parts in memory. A backend that refuses whatever it gets is not
asked about every single item: after [`MAX_REFUSALS`] refusals, what is refused
of that batch is dropped whole. What is known to be too large ([`SizeLimit`]) is
halved without asking.

When a request may be attempted, and when no more, the [`Circuit`] decides.
`max_elapsed` counts for each part from when its own first attempt is due: a part
that is new because the backend answered is progress.
*/

use super::{
    Sender,
    circuit::Circuit,
    delivery_log::{DeliveryLog, Waiting},
    limit::SizeLimit,
    outcome::Outcome,
};
use crate::{
    http::joined,
    pdata::{Signal, split},
    pipeline::{DropReason, QueuedBatch, Undelivered},
    queue::SizedQueue,
    telemetry::{BySignal, ExportedItems, ExporterStats},
};
use bytes::Bytes;
use std::cell::{Cell, RefCell};

/// How many refusals, as invalid or too large, one batch may cause before what
/// is refused is dropped whole.
const MAX_REFUSALS: u32 = 256;

/// What the deliveries of one exporter share.
pub(super) struct Exporting<'a, S> {
    pub(super) sender: &'a S,
    pub(super) log: &'a DeliveryLog,
    pub(super) queue: &'a SizedQueue<QueuedBatch>,
    pub(super) stats: &'a ExporterStats,
    pub(super) circuit: Circuit,
    /// By signal, since a backend may limit each otherwise.
    pub(super) limit: BySignal<SizeLimit>,
    /// Items of batches taken from the queue and not settled.
    pub(super) held: BySignal<Cell<u64>>,
    /// Items lost at the deadline.
    pub(super) abandoned: BySignal<Cell<u64>>,
    /// Items left to the segment log at the deadline.
    pub(super) kept: Cell<u64>,
    /// What goes to this exporter's successor, undelivered.
    pub(super) handed_over: RefCell<Vec<QueuedBatch>>,
}

/// The unsettled items of one batch.
pub(super) struct Delivery<'a, S> {
    exporting: &'a Exporting<'a, S>,
    queued: QueuedBatch,
    open: Cell<u64>,
    lost: RefCell<Lost>,
    /// What is to be sent after the part that is being attempted; the next is last.
    parts: RefCell<Vec<Part>>,
    /// The part that is being attempted.
    current: RefCell<Option<Part>>,
    /// A request is on the wire and not answered.
    is_sending: Cell<bool>,
    /// Another has it now.
    is_settled: Cell<bool>,
}

/// A request: the whole batch or a part of it.
#[derive(Clone)]
struct Part {
    chunks: Vec<Bytes>,
    items: u64,
    /// Bytes of the smallest request refused as too large that this is part of.
    refused: Option<usize>,
}

/// Items lost from one batch, for one line in the log.
#[derive(Default)]
struct Lost {
    items: u64,
    bytes: usize,
    reason: String,
    /// Some of them would have been delivered with more patience.
    is_given_up: bool,
}

impl<'a, S: Sender> Delivery<'a, S> {
    /// Takes the batch on: all its items are open.
    pub(super) fn new(exporting: &'a Exporting<'a, S>, queued: QueuedBatch) -> Self {
        let items = u64::from(queued.batch.items);
        let held = &exporting.held[queued.batch.signal];
        held.set(held.get() + items);
        Self {
            exporting,
            queued,
            open: Cell::new(items),
            lost: RefCell::default(),
            parts: RefCell::default(),
            current: RefCell::default(),
            is_sending: Cell::new(false),
            is_settled: Cell::new(false),
        }
    }

    /// Returns true if the segment log has the batch, should it not be delivered.
    pub(super) fn is_logged(&self) -> bool {
        self.queued.is_logged()
    }

    /// Returns true while a request is on the wire and not answered.
    pub(super) fn is_sending(&self) -> bool {
        self.is_sending.get()
    }

    /// Gives what is undelivered of the batch to the exporter's successor.
    pub(super) fn hand_over(self) {
        let open = self.open.take();
        if open == 0 {
            return;
        }
        let held = &self.exporting.held[self.signal()];
        held.set(held.get().saturating_sub(open));
        let current = self.current.take().into_iter();
        let parts = current.chain(self.parts.take().into_iter().rev());
        let chunks: Vec<_> = parts.flat_map(|part| part.chunks).collect();
        let batch = &self.queued.batch;
        let rest = match open == u64::from(batch.items) || chunks.is_empty() {
            true => self.queued.clone(),
            false => self.queued.rest(chunks, open),
        };
        self.exporting.handed_over.borrow_mut().push(rest);
        self.is_settled.set(true);
    }

    /// Settles every item of the batch, which was taken as number `number`.
    pub(super) async fn run(&self, number: u64) {
        let limit = &self.exporting.limit[self.signal()];
        let batch = &self.queued.batch;
        let whole = Part {
            chunks: batch.chunks.clone(),
            items: u64::from(batch.items),
            refused: None,
        };
        self.parts.replace(vec![whole]);
        let mut refusals = 0;
        let mut cut = false;
        loop {
            let next = self.parts.borrow_mut().pop();
            self.current.replace(next.clone());
            let Some(part) = next else { break };
            let bytes = part.bytes();
            // Not after too many refusals, or every part could bring one more.
            if refusals < MAX_REFUSALS
                && limit.exceeded(bytes)
                && let Some([first, second]) = part.halve(self.signal())
            {
                cut = true;
                self.parts.borrow_mut().extend([second, first]);
                continue;
            }
            let (cause, halves) = match self.attempt(number, &part).await {
                Outcome::Delivered { rejected, message } => {
                    limit.taken(bytes, part.refused);
                    self.delivered(&part, rejected, &message);
                    continue;
                }
                Outcome::Retry { cause, .. } => {
                    self.gave_up(&part, cause);
                    continue;
                }
                Outcome::TooLarge { cause } | Outcome::Invalid { cause }
                    if refusals + 1 >= MAX_REFUSALS =>
                {
                    refusals += 1;
                    let cause = format!(
                        "{cause} (gave up after the backend refused {refusals} parts of the batch)"
                    );
                    (cause, None)
                }
                Outcome::TooLarge { cause } => {
                    refusals += 1;
                    let too_large = Part {
                        refused: Some(bytes),
                        ..part.clone()
                    };
                    (cause, too_large.halve(self.signal()))
                }
                Outcome::Invalid { cause } => {
                    refusals += 1;
                    (cause, part.halve(self.signal()))
                }
                Outcome::Permanent { cause } => (cause, None),
            };
            match halves {
                Some([first, second]) => self.parts.borrow_mut().extend([second, first]),
                None => self.refused(&part, cause),
            }
        }
        if cut && refusals == 0 && self.lost.borrow().items == 0 {
            limit.held();
        }
    }

    /// Logs what was lost so far, in one line.
    pub(super) fn log_losses(&self) {
        let lost = self.lost.borrow();
        if lost.items > 0 {
            let log = self.exporting.log;
            log.dropped(self.signal(), lost.items, Some(lost.bytes), &lost.reason);
        }
    }

    /// Attempts one request until that makes no more sense. An outcome that could
    /// be retried means that it is given up.
    async fn attempt(&self, number: u64, part: &Part) -> Outcome {
        let exporting = self.exporting;
        let signal = self.signal();
        let request = match exporting.sender.prepare(signal, &part.chunks) {
            Ok(request) => request,
            Err(outcome) => return outcome,
        };
        let retries = &exporting.stats.retries;
        let mut attempts = exporting.circuit.attempts(number);
        loop {
            let pass = match attempts.begin().await {
                Ok(pass) => pass,
                Err(cause) => return Outcome::retry(cause),
            };
            if attempts.have_failed() {
                retries.add(1);
            }
            let outcome = {
                let _counted = InFlight::new(self.counters(), &self.is_sending);
                exporting.sender.send(&request, retries).await
            };
            let (after, cause, misconfigured) = match outcome {
                Outcome::Retry {
                    after,
                    cause,
                    misconfigured,
                } => (after, cause, misconfigured),
                answered => {
                    pass.answered();
                    if matches!(answered, Outcome::Delivered { .. }) {
                        exporting.log.delivered();
                    }
                    return answered;
                }
            };
            let wait = match attempts.failed(pass, after, &cause) {
                Ok(wait) => wait,
                Err(cause) => return Outcome::retry(cause),
            };
            let waiting = Waiting {
                signal,
                items: exporting.held[signal].get(),
                batches: exporting.queue.batches(),
            };
            exporting.log.failed(&cause, misconfigured, wait, waiting);
        }
    }

    /// The backend took a part, but for `rejected` items.
    fn delivered(&self, part: &Part, rejected: u64, message: &str) {
        let rejected = rejected.min(part.items);
        let sent = part.items - rejected;
        self.counters().sent.add(sent);
        self.counters().rejected.add(rejected);
        if rejected > 0 || !message.is_empty() {
            self.exporting.log.partial(self.signal(), rejected, message);
        }
        self.queued.route.account.answered(sent, rejected);
        self.settle(part.items);
    }

    /// The backend refused a part for good.
    fn refused(&self, part: &Part, cause: String) {
        self.lose(part, cause);
        self.queued.route.account.answered(0, part.items);
        self.settle(part.items);
    }

    /// `retry_on_failure` has ended the attempts.
    fn gave_up(&self, part: &Part, cause: String) {
        self.lose(part, cause);
        self.lost.borrow_mut().is_given_up = true;
        self.drop_items(part.items, DropReason::GaveUp);
    }

    fn lose(&self, part: &Part, cause: String) {
        self.counters().send_failed.add(part.items);
        let mut lost = self.lost.borrow_mut();
        lost.items += part.items;
        lost.bytes += part.bytes();
        if lost.reason.is_empty() {
            lost.reason = cause;
        }
    }

    fn drop_items(&self, items: u64, reason: DropReason) {
        self.queued.route.account.dropped(items, reason);
        self.settle(items);
    }

    fn settle(&self, items: u64) {
        let items = items.min(self.open.get());
        self.open.set(self.open.get() - items);
        let held = &self.exporting.held[self.signal()];
        held.set(held.get().saturating_sub(items));
    }

    fn signal(&self) -> Signal {
        self.queued.batch.signal
    }

    fn counters(&self) -> &'a ExportedItems {
        &self.exporting.stats.items[self.signal()]
    }
}

impl<S> Drop for Delivery<'_, S> {
    fn drop(&mut self) {
        if self.is_settled.get() {
            return;
        }
        let open = self.open.take();
        let signal = self.queued.batch.signal;
        let held = &self.exporting.held[signal];
        held.set(held.get().saturating_sub(open));
        if open > 0 && self.queued.is_logged() {
            let kept = &self.exporting.kept;
            kept.set(kept.get() + open);
            return self.queued.keep(open);
        }
        if open > 0 {
            self.exporting.stats.items[signal].send_failed.add(open);
            let abandoned = &self.exporting.abandoned[signal];
            abandoned.set(abandoned.get() + open);
            let account = &self.queued.route.account;
            account.dropped(open, DropReason::Shutdown);
        }
        self.queued.settle();
        let lost = std::mem::take(self.lost.get_mut());
        let failure = match (lost.items, open) {
            (0, 0) => None,
            (0, _) => Some("not delivered before the shutdown deadline".to_owned()),
            _ => Some(lost.reason),
        };
        self.queued.report(failure.map(|cause| Undelivered {
            cause,
            is_refused: !lost.is_given_up && open == 0,
        }));
    }
}

impl Part {
    /// Cuts the request in two; None if it has fewer than two items.
    fn halve(&self, signal: Signal) -> Option<[Self; 2]> {
        let (first, second) = split::halve(signal, &joined(&self.chunks))?;
        let part = |bytes: Vec<u8>, items| Self {
            chunks: vec![bytes.into()],
            items,
            refused: self.refused,
        };
        let ahead = (split::count(signal, &first) as u64).min(self.items);
        Some([part(first, ahead), part(second, self.items - ahead)])
    }

    fn bytes(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }
}

/// A request counted as in flight for as long as this lives.
struct InFlight<'a>(&'a ExportedItems, &'a Cell<bool>);

impl<'a> InFlight<'a> {
    fn new(counters: &'a ExportedItems, is_sending: &'a Cell<bool>) -> Self {
        counters.requests_started.add(1);
        is_sending.set(true);
        Self(counters, is_sending)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.requests_ended.add(1);
        self.1.set(false);
    }
}
