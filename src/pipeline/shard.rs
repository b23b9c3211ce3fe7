/*!
A shard: the pipelines of one thread, and all that they share there.

It takes requests, keeps the pipelines' clock, commits to their segment logs,
and goes on after a bug. It owns its state; no thread-local stands for any of it.

All work on a pipeline goes through [`Shard::with`]. A panic in it costs the
request in which it showed: the pipeline's tables and processors begin again,
while what it had answered for, whole items in the open batch and sealed
batches, goes on its way. The panic hook has logged it by then and turned the
health check red, so that the process is replaced in good order.
*/

use super::{commit::Commits, engine::Engine, gather::Gather, stages::Stages};
use crate::pdata::Keys;
use std::{
    cell::RefCell,
    future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, watch},
    time,
};

#[cfg(test)]
mod tests;

/// How often a batch that found a queue full tries again.
const BACKLOG_INTERVAL: Duration = Duration::from_millis(20);

/// Makes the processors of a pipeline, by its number.
type MakeStages = Box<dyn Fn(usize) -> (Keys, Stages)>;

/// The pipelines of one thread.
pub struct Shard {
    pipelines: RefCell<Vec<Engine>>,
    make_stages: MakeStages,
    /// A batch was opened: its clock starts.
    opened: Notify,
    /// The turns of its segment logs, where it has some.
    commits: Option<Commits>,
    gather: Arc<Gather>,
}

/// A pipeline panicked over what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

impl Shard {
    /// A shard of these pipelines; `make_stages` makes the processors of one of
    /// them.
    pub(crate) fn new(
        pipelines: Vec<Engine>,
        commits: Option<Commits>,
        gather: Arc<Gather>,
        make_stages: impl Fn(usize) -> (Keys, Stages) + 'static,
    ) -> Self {
        Self {
            pipelines: RefCell::new(pipelines),
            make_stages: Box::new(make_stages),
            opened: Notify::new(),
            commits,
            gather,
        }
    }

    /// Works on pipeline number `at`.
    ///
    /// # Errors
    ///
    /// If that panics; the pipeline is as new then, and what it had taken before
    /// is not lost.
    pub fn with<T>(&self, at: usize, work: impl FnOnce(&mut Engine) -> T) -> Result<T, Panicked> {
        let pipeline = &mut self.pipelines.borrow_mut()[at];
        // What the panic left is never looked at: all of it is replaced, but for
        // the batches, which are mended.
        catch_unwind(AssertUnwindSafe(|| work(pipeline))).map_err(|_| {
            pipeline.restart((self.make_stages)(at));
            Panicked
        })
    }

    /// Notes that pipeline number `at` has taken a request; `opened`: it was
    /// the first of a batch.
    pub(crate) fn took(&self, at: usize, opened: bool) {
        if opened {
            self.opened.notify_one();
        }
        if let Some(commits) = &self.commits
            && self.pipelines.borrow()[at].log().is_some()
        {
            commits.took();
        }
    }

    /// The turns of the segment logs.
    pub(crate) fn commits(&self) -> Option<&Commits> {
        self.commits.as_ref()
    }

    /// Seals batches as they come of age, forever.
    pub(crate) async fn keep_time(&self) {
        loop {
            match self.deadline() {
                Some(deadline) => {
                    time::sleep_until(deadline.into()).await;
                    self.turn();
                }
                None => self.opened.notified().await,
            }
        }
    }

    /// The next moment [`Shard::turn`] has something to do.
    fn deadline(&self) -> Option<Instant> {
        let backlog = self.any(Engine::has_backlog);
        let retry = backlog.then(|| Instant::now() + BACKLOG_INTERVAL);
        let pipelines = self.pipelines.borrow();
        let deadlines = pipelines.iter().filter_map(Engine::deadline);
        deadlines.chain(retry).min()
    }

    /// Seals what is old enough, and moves what waits for room.
    fn turn(&self) {
        let now = Instant::now();
        self.with_each(|pipeline| pipeline.turn(now));
    }

    /// Commits to the segment logs turn after turn, forever.
    pub(crate) async fn commit(&self) {
        let Some(commits) = &self.commits else {
            return future::pending().await;
        };
        loop {
            commits.begun().await;
            let turn = self.end_turn(commits);
            self.gather.wait_briefly(|| self.is_committed());
            // Whoever waits for an answer is not kept by gathering requests.
            self.gather.pause(true);
            let committed = commits.until(|| self.is_committed());
            if time::timeout(commits.patience(), committed).await.is_err() {
                self.catch_up(commits).await;
            }
            commits.decide(turn);
            self.gather.pause(false);
            if self.any(Engine::has_backlog) {
                self.turn();
            }
        }
    }

    /// Gives the logs what the turn's requests added, and begins the next turn.
    fn end_turn(&self, commits: &Commits) -> u64 {
        let turn = commits.end_turn();
        self.with_each(Engine::commit);
        turn
    }

    fn is_committed(&self) -> bool {
        !self.any(Engine::awaits_log)
    }

    /// Answers from memory until the logs have decided about all they have.
    async fn catch_up(&self, commits: &Commits) {
        commits.set_late(true);
        self.gather.pause(false);
        let patience = commits.patience();
        let pipelines = || self.pipelines.borrow();
        pipelines().iter().for_each(|p| p.warn_late(patience));
        let mut turn = 0;
        loop {
            tokio::select! {
                () = commits.until(|| self.is_committed()) => break,
                () = commits.begun() => turn = self.end_turn(commits),
            }
        }
        commits.set_late(false);
        commits.decide(turn);
        tracing::info!("the segment log keeps up again: senders are answered after the write");
    }

    /// Lets what observes the items publish what it has.
    pub(crate) fn publish(&self) {
        self.with_each(Engine::publish);
    }

    /// Seals everything and waits for room in the queues, until the deadline.
    pub(crate) async fn flush(&self, deadline: &watch::Receiver<Option<Instant>>) {
        self.with_each(Engine::flush);
        self.with_each(Engine::commit);
        loop {
            self.turn();
            let waiting = self.any(Engine::has_backlog);
            if !waiting || is_over(deadline) {
                return self.with_each(Engine::give_up);
            }
            time::sleep(BACKLOG_INTERVAL).await;
        }
    }

    /// Seals everything and waits until it is in the queues or left to the segment log,
    /// and every sender is answered: what comes before another takes this one's place.
    /// Gives up at the deadline. The clock and the committer run meanwhile.
    pub(crate) async fn retire(&self, deadline: &watch::Receiver<Option<Instant>>) {
        self.with_each(Engine::flush);
        self.with_each(Engine::commit);
        let is_settled = || {
            let awaited = self.commits.as_ref().is_some_and(Commits::is_awaited);
            !awaited && !self.any(Engine::awaits_log) && !self.any(Engine::has_backlog)
        };
        loop {
            self.turn();
            if is_settled() {
                return;
            }
            if is_over(deadline) {
                return self.with_each(Engine::give_up);
            }
            time::sleep(BACKLOG_INTERVAL).await;
        }
    }

    fn with_each(&self, mut work: impl FnMut(&mut Engine)) {
        let all = self.pipelines.borrow().len();
        for at in 0..all {
            // A pipeline that panicked is as new, and has nothing to do.
            let _ = self.with(at, &mut work);
        }
    }

    fn any(&self, ask: impl Fn(&Engine) -> bool) -> bool {
        self.pipelines.borrow().iter().any(ask)
    }
}

fn is_over(deadline: &watch::Receiver<Option<Instant>>) -> bool {
    deadline
        .borrow()
        .is_some_and(|deadline| deadline <= Instant::now())
}
