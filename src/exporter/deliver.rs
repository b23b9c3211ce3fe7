/*!
The delivery loop that all exporters share: it takes batches from the queue and
keeps several of them in flight.

One task runs it all, on one thread. Each batch in flight is a [`Delivery`],
which ends when every item is settled: taken by the backend, given up, abandoned at
the shutdown deadline, or handed over to the exporter that a reload puts in the place
of this one.
*/

use super::{
    Drained, Ended, Sender, Shift,
    circuit::Circuit,
    delivery::{Delivery, Exporting},
    delivery_log::DeliveryLog,
    shutdown::{Deadline, HandOver},
};
use crate::{
    exporter::Retry,
    pdata::Signal,
    pipeline::QueuedBatch,
    queue::SizedQueue,
    telemetry::{BySignal, ExporterStats},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    sync::Arc,
    time::Duration,
};
use tokio::{
    select,
    time::{Instant, sleep},
};

/// How long a backend must have been away for batches in the segment log to be
/// left there at shutdown, and how often that is checked.
const AWAY: Duration = Duration::from_secs(1);
const CHECK: Duration = Duration::from_millis(100);

/// How long a request on the wire may take to be answered before its batch is handed
/// over, and how often that is checked.
const ANSWER: Duration = Duration::from_secs(5);
const ANSWER_CHECK: Duration = Duration::from_millis(5);

/// What an exporter delivers with.
#[derive(Debug)]
pub(super) struct Deliverer<S> {
    /// Makes and sends requests.
    pub(super) sender: S,
    /// `retry_on_failure`.
    pub(super) retry: Retry,
    /// Batches in flight at once.
    pub(super) consumers: usize,
    /// The exporter's lines in the log.
    pub(super) log: DeliveryLog,
}

impl<S: Sender> Deliverer<S> {
    /// Delivers until the queue is closed and empty, the deadline passes, or another
    /// takes over.
    pub(super) async fn run(
        self,
        queue: Arc<SizedQueue<QueuedBatch>>,
        stats: Arc<ExporterStats>,
        shift: Shift,
    ) -> Ended {
        let deadline = Deadline::new(shift.deadline, shift.retirement.clone());
        let hand_over = HandOver::new(shift.retirement);
        let mut first = VecDeque::from(shift.first);
        let exporting = Exporting {
            sender: &self.sender,
            log: &self.log,
            queue: &queue,
            stats: &stats,
            circuit: Circuit::new(&self.retry, deadline.clone(), stats.outage.clone()),
            limit: BySignal::default(),
            held: BySignal::default(),
            abandoned: BySignal::default(),
            kept: Cell::new(0),
            handed_over: RefCell::default(),
        };
        let mut in_flight = FuturesUnordered::new();
        let mut expired = std::pin::pin!(deadline.passed());
        let mut handing_over = std::pin::pin!(hand_over.begun());
        loop {
            let room = in_flight.len() < self.consumers.max(1);
            select! {
                // A finished request first: its batch's memory is free then.
                biased;
                Some(()) = in_flight.next() => {}
                () = &mut expired => break,
                () = &mut handing_over => break,
                batch = next(&mut first, &queue), if room => match batch {
                    Some(queued) => {
                        let number = exporting.circuit.number();
                        let until = (&deadline, &hand_over);
                        in_flight.push(deliver(&exporting, until, number, queued));
                    }
                    None => break,
                },
            }
        }
        // Those in flight end by themselves, at the deadline at the latest.
        while in_flight.next().await.is_some() {}
        if hand_over.is_begun() {
            let mut handed_over = exporting.handed_over.take();
            handed_over.extend(first);
            return Ended {
                drained: Drained {
                    abandoned: 0,
                    kept: exporting.kept.get(),
                },
                handed_over,
            };
        }
        // After the deadline nothing is taken on: whoever still pushes gets its
        // batch back and counts it.
        queue.close();
        while let Some(queued) = next(&mut first, &queue).await {
            drop(Delivery::new(&exporting, queued));
        }
        let mut abandoned = 0;
        for signal in Signal::ALL {
            let items = exporting.abandoned[signal].get();
            abandoned += items;
            if items > 0 {
                // Their bytes are not known any more.
                let reason = "not delivered before the shutdown deadline";
                self.log.dropped(signal, items, None, reason);
            }
        }
        Ended {
            drained: Drained {
                abandoned,
                kept: exporting.kept.get(),
            },
            handed_over: Vec::new(),
        }
    }
}

/// The next batch: of those that a predecessor has left, then of the queue. None once
/// that is closed and empty. Cancel safe.
async fn next(
    first: &mut VecDeque<QueuedBatch>,
    queue: &SizedQueue<QueuedBatch>,
) -> Option<QueuedBatch> {
    match first.pop_front() {
        Some(queued) => Some(queued),
        None => queue.pop().await,
    }
}

/// Settles every item of the batch that was taken as number `number`.
async fn deliver<S: Sender>(
    exporting: &Exporting<'_, S>,
    (deadline, hand_over): (&Deadline, &HandOver),
    number: u64,
    queued: QueuedBatch,
) {
    let delivery = Delivery::new(exporting, queued);
    let is_handed_over = select! {
        biased;
        () = delivery.run(number) => false,
        () = deadline.passed() => false,
        () = waiting_gains_nothing(exporting.stats, deadline, &delivery) => false,
        () = nothing_is_answered(hand_over, &delivery) => true,
    };
    delivery.log_losses();
    if is_handed_over {
        delivery.hand_over();
    }
}

/// Waits until another exporter takes over and no answer is due, or is long overdue: a
/// request that is cut off may be delivered twice.
async fn nothing_is_answered<S: Sender>(hand_over: &HandOver, delivery: &Delivery<'_, S>) {
    hand_over.begun().await;
    let end = Instant::now() + ANSWER;
    while delivery.is_sending() && Instant::now() < end {
        sleep(ANSWER_CHECK).await;
    }
}

/// Waits until shutdown has begun, the backend has been away for a while, and
/// the next run will find the batch in the segment log.
async fn waiting_gains_nothing<S: Sender>(
    stats: &ExporterStats,
    deadline: &Deadline,
    delivery: &Delivery<'_, S>,
) {
    deadline.set().await;
    let away = |since: std::time::Instant| since.elapsed() > AWAY;
    while !(stats.outage.since().is_some_and(away) && delivery.is_logged()) {
        sleep(CHECK).await;
    }
}
