/*!
Where the sealed batches of a pipeline on one shard go: to its exporters, in
memory or by way of the segment log.

A batch that finds no room waits here, and while it does the pipeline is busy
and new requests are refused: what was accepted is not dropped for want of room,
unless other exporters of the pipeline have it.
*/

use super::recorder::Recorder;
use super::{DropReason, Logged, Offer, QueuedBatch, Route, SealedBatch, batch::Sealed};
use crate::{pdata::Signal, queue::Budget};
use metrics::Histogram;
use std::{collections::VecDeque, sync::Arc};

/// The way to one exporter.
#[derive(Clone)]
pub struct ExporterRoute {
    /// The queue, the part of the log, and the account.
    pub route: Arc<Route>,
    /// `otelcol_exporter_queue_batch_send_size`.
    pub send_size: Histogram,
    /// `otelcol_exporter_queue_batch_send_size_bytes`.
    pub send_size_bytes: Histogram,
}

/// Where sealed batches go.
pub struct Outlet {
    signal: Signal,
    /// The pipeline's exporters.
    pub exits: Vec<ExporterRoute>,
    /// Bytes held by batches until delivered.
    budget: Budget,
    /// The pipeline's segment log, where one of its exporters has one.
    pub recorder: Option<Recorder>,
    backlog: VecDeque<Waiting>,
}

/// A batch that waits for room in a queue, or for the log's word.
struct Waiting {
    exit: usize,
    batch: Arc<SealedBatch>,
    /// There was no room, and the log does not have it.
    stuck: bool,
}

impl Outlet {
    /// An outlet to these exporters, whose batches count against `budget`.
    pub fn new(
        signal: Signal,
        exits: Vec<ExporterRoute>,
        budget: Budget,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            signal,
            exits,
            budget,
            recorder,
            backlog: VecDeque::new(),
        }
    }

    /// Why a request cannot be taken now, if so.
    pub fn busy(&self) -> Option<&'static str> {
        let recorder = self.recorder.as_ref();
        let logging = recorder.is_some_and(Recorder::works);
        if !logging && self.budget.is_over() {
            return Some(
                "the memory limit for undelivered spans is reached; the backend is slow or away",
            );
        }
        let blocked = |(at, exit): (usize, &ExporterRoute)| {
            let absorbs = logging && exit.route.cursor().is_some();
            self.is_stuck(at) || (!absorbs && !exit.route.has_room())
        };
        // One that has room is not held up by those that have none.
        let exits = &self.exits;
        if exits.is_empty() || !exits.iter().enumerate().all(blocked) {
            return None;
        }
        Some(match recorder {
            Some(_) if !logging => {
                "the segment log does not take spans, and there is no more room in memory; the log \
                 of this process tells why"
            }
            _ => "an exporter's sending_queue is full; the backend is slow or away",
        })
    }

    /// Takes a batch on, which ends the open one in the log.
    pub fn send(&mut self, sealed: Sealed) {
        let batch = Arc::new(SealedBatch {
            lease: self.budget.lease(sealed.bytes),
            chunks: sealed.chunks,
            bytes: sealed.bytes,
            items: sealed.spans,
            signal: self.signal,
            position: self.recorder.as_mut().map(Recorder::seal),
        });
        for (exit, to) in self.exits.iter().enumerate() {
            to.route.account.sealed(batch.items, batch.bytes);
            self.backlog.push_back(Waiting {
                exit,
                batch: Arc::clone(&batch),
                stuck: false,
            });
        }
        self.move_on();
    }

    /// Whether a batch for this exporter found no room and is in no log.
    fn is_stuck(&self, exit: usize) -> bool {
        let mut waiting = self.backlog.iter();
        waiting.any(|waiting| waiting.stuck && waiting.exit == exit)
    }

    /// Whether batches wait here.
    pub fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Moves waiting batches to their queues or to the log, in order for each
    /// exporter.
    pub fn move_on(&mut self) {
        let mut waits = vec![false; self.exits.len()];
        for _ in 0..self.backlog.len() {
            let Some(mut waiting) = self.backlog.pop_front() else {
                break;
            };
            if !waits[waiting.exit] {
                let logged = match &self.recorder {
                    Some(recorder) => recorder.logged(&waiting.batch),
                    None => Logged::No,
                };
                let exit = &self.exits[waiting.exit];
                if exit.route.offer(&waiting.batch, logged) == Offer::Taken {
                    exit.send_size.record(f64::from(waiting.batch.items));
                    exit.send_size_bytes.record(waiting.batch.bytes as f64);
                    continue;
                }
                waits[waiting.exit] = true;
                waiting.stuck = logged != Logged::Undecided;
            }
            self.backlog.push_back(waiting);
        }
        self.drop_stuck();
    }

    /// Where some exporters have room, what is stuck for others is dropped for
    /// those alone: refusing senders would lose it for all.
    fn drop_stuck(&mut self) {
        if (0..self.exits.len()).all(|exit| self.is_stuck(exit)) {
            return;
        }
        let exits = &self.exits;
        self.backlog.retain(|waiting| {
            if waiting.stuck {
                exits[waiting.exit].route.drop_batch(&waiting.batch);
            }
            !waiting.stuck
        });
    }

    /// What waits here is left to the log, where that has it, or lost.
    pub fn give_up(&mut self) {
        for waiting in std::mem::take(&mut self.backlog) {
            let queued = QueuedBatch {
                route: Arc::clone(&self.exits[waiting.exit].route),
                batch: waiting.batch,
            };
            let spans = u64::from(queued.batch.items);
            if queued.is_logged() {
                queued.keep(spans);
            } else {
                queued.route.account.dropped(spans, DropReason::Shutdown);
                queued.settle();
            }
        }
    }
}
