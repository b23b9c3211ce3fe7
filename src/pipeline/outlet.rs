/*!
Where the sealed batches of a pipeline on one shard go: to its exporters, in
memory or by way of the segment log.

A batch that finds no room waits here, and while it does the pipeline is busy
and new requests are refused: what was accepted is not dropped for want of room,
unless other exporters of the pipeline have it.
*/

use super::{
    AwaitedResult, BatchResult, DropReason, LogPosition, Logged, Offer, QueuedBatch, Resources,
    Route, Scopes, SealedBatch, Waiter, batch::Batch, recorder::Recorder,
};
use crate::queue::{Budget, log::Log};
use metrics::Histogram;
use std::{collections::VecDeque, sync::Arc};

/// The way to one exporter.
#[derive(Clone)]
pub(crate) struct ExporterRoute {
    /// Index of the exporter in the graph.
    pub(crate) exporter: usize,
    /// Another graph had the route before.
    pub(crate) is_inherited: bool,
    /// The queue, the part of the log, and the account.
    pub(crate) route: Arc<Route>,
    /// Senders wait for room in its queue.
    pub(crate) blocks: bool,
    /// `otelcol_exporter_queue_batch_send_size`.
    pub(crate) send_size: Histogram,
    /// `otelcol_exporter_queue_batch_send_size_bytes`.
    pub(crate) send_size_bytes: Histogram,
}

/// Where sealed batches go.
pub(crate) struct Outlet {
    exits: Vec<Exit>,
    /// Bytes held by batches until delivered.
    budget: Budget,
    /// The pipeline's segment log, where one of its exporters has one.
    recorder: Option<Recorder>,
    /// The result of the open batch, where somebody waits for one.
    result: Option<Arc<BatchResult>>,
    /// Who waits for the request that is appended; None: nobody.
    waiter: Option<Waiter>,
    /// The results of batches that are sealed while it is appended.
    sealed: Vec<AwaitedResult>,
}

/// Why a request cannot be taken now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy {
    /// For the sender.
    pub(crate) why: &'static str,
    /// It is to wait for room, of which there may be some by the time that this is read:
    /// exporters make it at any time.
    pub(crate) is_held: bool,
}

/// One exporter, and the batches that wait for room in its queue or for the
/// log's thread, in order.
struct Exit {
    to: ExporterRoute,
    waiting: VecDeque<Arc<SealedBatch>>,
    /// There was no room for the first of them, and it is in no log.
    stuck: bool,
}

impl Outlet {
    /// An outlet to these exporters, whose batches count against `budget`.
    pub(crate) fn new(
        routes: Vec<ExporterRoute>,
        budget: Budget,
        recorder: Option<Recorder>,
    ) -> Self {
        let exits = routes.into_iter().map(|to| Exit {
            to,
            waiting: VecDeque::new(),
            stuck: false,
        });
        let exits: Vec<_> = exits.collect();
        let reports = exits.iter().any(|exit: &Exit| exit.to.route.reports());
        Self {
            exits,
            budget,
            recorder,
            result: reports.then(Arc::default),
            waiter: None,
            sealed: Vec::new(),
        }
    }

    /// Why a request for which so many `bytes` go out cannot be taken now, if so.
    pub(crate) fn busy(&self, bytes: usize, waiter: Waiter) -> Option<Busy> {
        let recorder = self.recorder.as_ref();
        let logging = recorder.is_some_and(Recorder::works);
        if !logging && let Some(full) = self.is_full(bytes) {
            return Some(full);
        }
        let has_no_room = match waiter {
            Waiter::Sender => self.has_no_room(logging),
            Waiter::Source => self.exits.iter().any(|exit| exit.is_blocked(logging)),
        };
        if !has_no_room {
            return None;
        }
        let why = match recorder {
            Some(_) if !logging => {
                "the segment log does not take data, and there is no more room in memory; the log \
                 of this process tells why"
            }
            _ => "an exporter's sending_queue is full; the backend is slow or away",
        };
        Some(Busy {
            why,
            is_held: self.blocks(),
        })
    }

    /// Returns true if no exporter has room. One that has is not held up by the others.
    fn has_no_room(&self, logging: bool) -> bool {
        let exits = &self.exits;
        !exits.is_empty() && exits.iter().all(|exit| exit.is_blocked(logging))
    }

    /// Returns true if requests are not refused for a full queue, but are to wait.
    pub(crate) fn holds_senders(&self) -> bool {
        let logging = self.recorder.as_ref().is_some_and(Recorder::works);
        self.blocks() && self.has_no_room(logging)
    }

    fn blocks(&self) -> bool {
        self.exits.iter().any(|exit| exit.to.blocks)
    }

    /// Why memory cannot hold `bytes` more, if so.
    pub(crate) fn is_full(&self, bytes: usize) -> Option<Busy> {
        (!self.budget.has_room(bytes)).then_some(Busy {
            why: "the memory limit for undelivered data is reached; the backend is slow or away",
            is_held: false,
        })
    }

    /// Counts items that shards have counted as taken and that came into no
    /// batch, for want of room.
    pub(crate) fn passed_by(&self, items: u64) {
        for exit in &self.exits {
            exit.to.route.account.passed_by(items);
        }
    }

    /// Counts items of an open batch that were lost by a panic.
    pub(crate) fn crashed(&mut self, items: u64) {
        // Whoever waits for it hears that it is gone.
        if let Some(result) = &mut self.result {
            *result = Arc::default();
        }
        for exit in &self.exits {
            exit.to.route.account.crashed(items);
        }
    }

    /// Records what the open batch has in no record yet.
    pub(crate) fn record(&mut self, batch: &mut Batch, resources: &Resources, scopes: &Scopes) {
        if let Some(recorder) = &mut self.recorder {
            recorder.record(batch, resources, scopes);
        }
    }

    /// Gives the log's thread all records so far.
    pub(crate) fn hand_over(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.hand_over();
        }
    }

    /// Returns true while the log's thread has not decided about all records
    /// that it was given.
    pub(crate) fn awaits_log(&self) -> bool {
        let recorder = self.recorder.as_ref();
        recorder.is_some_and(|recorder| !recorder.is_caught_up())
    }

    /// The pipeline's segment log.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.recorder.as_ref().map(Recorder::log)
    }

    /// Ends the open batch in the log; where the batch stands there.
    pub(crate) fn end_batch(&mut self) -> Option<LogPosition> {
        self.recorder.as_mut().map(Recorder::seal)
    }

    /// The budget that sealed batches count against.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// A request begins of which `waiter` may wait to hear what becomes of it.
    pub(crate) fn begin_request(&mut self, waiter: Waiter) {
        let waits = match waiter {
            Waiter::Sender => self.exits.iter().any(|exit| exit.to.route.reports()),
            Waiter::Source => !self.exits.is_empty(),
        };
        self.waiter = waits.then_some(waiter);
        if waits {
            // Nothing is reported for pipelines of which nobody has asked.
            self.result.get_or_insert_default();
        }
    }

    /// The results of the batches that have items of the request since it began;
    /// `is_open`: the open batch is one of them.
    pub(crate) fn results(&mut self, is_open: bool) -> Vec<AwaitedResult> {
        let mut results = std::mem::take(&mut self.sealed);
        let open = self.result.as_ref().filter(|_| is_open);
        let open = open.zip(self.waiter.take());
        results.extend(open.map(|(result, waiter)| result.awaited(waiter)));
        results
    }

    /// Takes a sealed batch.
    pub(crate) fn send(&mut self, mut batch: SealedBatch) {
        if let Some(open) = &mut self.result {
            let result = std::mem::take(open);
            if let Some(waiter) = self.waiter {
                self.sealed.push(result.awaited(waiter));
            }
            result.expect(self.exits.iter().map(|exit| exit.to.route.reports()));
            batch.result = Some(result);
        }
        let batch = Arc::new(batch);
        for exit in &mut self.exits {
            exit.to.route.account.sealed(batch.items, batch.bytes);
            exit.waiting.push_back(Arc::clone(&batch));
        }
        self.move_on();
    }

    /// Whether batches wait here.
    pub(crate) fn has_backlog(&self) -> bool {
        self.exits.iter().any(|exit| !exit.waiting.is_empty())
    }

    /// Moves waiting batches to their queues or to the log, in order for each
    /// exporter. Where some exporters have room, what is stuck for others is
    /// dropped for those alone: refusing senders would lose it for all.
    pub(crate) fn move_on(&mut self) {
        for exit in &mut self.exits {
            exit.move_on(self.recorder.as_ref());
        }
        if self.exits.iter().all(|exit| exit.stuck) {
            return;
        }
        for exit in self.exits.iter_mut().filter(|exit| exit.stuck) {
            if let Some(batch) = exit.waiting.pop_front() {
                exit.to.route.drop_batch(&batch);
            }
            exit.stuck = false;
        }
    }

    /// Leaves what waits here to the log, where that has it, and drops the
    /// rest: the deadline of the shutdown has passed.
    pub(crate) fn give_up(&mut self) {
        self.exits.iter_mut().for_each(Exit::give_up);
    }
}

impl Exit {
    fn is_blocked(&self, logging: bool) -> bool {
        let absorbs = logging && self.to.route.cursor().is_some();
        self.stuck || (!absorbs && !self.to.route.has_room())
    }

    /// Leaves what waits to the log, where that has it, and drops the rest.
    fn give_up(&mut self) {
        self.stuck = false;
        for batch in std::mem::take(&mut self.waiting) {
            let route = Arc::clone(&self.to.route);
            let queued = QueuedBatch { batch, route };
            let items = u64::from(queued.batch.items);
            if queued.is_logged() {
                queued.keep(items);
            } else {
                queued.route.account.dropped(items, DropReason::Shutdown);
                queued.settle();
            }
        }
    }

    fn move_on(&mut self, recorder: Option<&Recorder>) {
        // A reload has removed the exporter, and its time to drain is over.
        if self.to.route.has_ended() {
            return self.give_up();
        }
        while let Some(batch) = self.waiting.front() {
            let logged = recorder.map_or(Logged::No, |recorder| recorder.logged(batch));
            if self.to.route.offer(batch, logged) == Offer::NoRoom {
                self.stuck = logged != Logged::Undecided;
                return;
            }
            self.to.send_size.record(f64::from(batch.items));
            self.to.send_size_bytes.record(batch.bytes as f64);
            self.waiting.pop_front();
        }
        self.stuck = false;
    }
}
