/*!
The delivery loop that all exporters share: it takes batches from the queue and
keeps several of them in flight.

One task runs it all, on one thread. Each batch in flight is a [`Delivery`],
which ends when every item is settled: taken by the backend, given up, or
abandoned at the shutdown deadline.
*/

use super::{
    Drained, Sender,
    circuit::Circuit,
    delivery::{Delivery, Exporting},
    delivery_log::DeliveryLog,
    shutdown::Deadline,
};
use crate::{
    exporter::Retry,
    pdata::Signal,
    pipeline::QueuedBatch,
    queue::Queue,
    telemetry::{BySignal, ExporterStats},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{cell::Cell, sync::Arc, time::Duration};
use tokio::{select, time::sleep};

/// How long a backend must have been away for batches in the segment log to be
/// left there at shutdown, and how often that is checked.
const AWAY: Duration = Duration::from_secs(1);
const CHECK: Duration = Duration::from_millis(100);

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
    /// Delivers until the queue is closed and empty, or the deadline passes.
    pub(super) async fn run(
        self,
        queue: Arc<Queue<QueuedBatch>>,
        stats: Arc<ExporterStats>,
        deadline: Deadline,
    ) -> Drained {
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
        };
        let mut in_flight = FuturesUnordered::new();
        let mut expired = std::pin::pin!(deadline.passed());
        loop {
            let room = in_flight.len() < self.consumers.max(1);
            select! {
                // A finished request first: its batch's memory is free then.
                biased;
                Some(()) = in_flight.next() => {}
                () = &mut expired => break,
                batch = queue.pop(), if room => match batch {
                    Some(queued) => {
                        let number = exporting.circuit.number();
                        in_flight.push(deliver(&exporting, &deadline, number, queued));
                    }
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
        Drained {
            abandoned,
            kept: exporting.kept.get(),
        }
    }
}

/// Settles every item of the batch that was taken as number `number`.
async fn deliver<S: Sender>(
    exporting: &Exporting<'_, S>,
    deadline: &Deadline,
    number: u64,
    queued: QueuedBatch,
) {
    let delivery = Delivery::new(exporting, queued);
    select! {
        biased;
        () = delivery.run(number) => {}
        () = deadline.passed() => {}
        () = waiting_gains_nothing(exporting.stats, deadline, &delivery) => {}
    }
    delivery.log_losses();
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
