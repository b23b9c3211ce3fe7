/*!
The pipelines of one shard: what takes requests, what keeps their clock, and
what goes on after a bug.

All work on a pipeline goes through [`Shard::with`]. A panic in it costs the
request in which it showed: the pipeline's tables and processors begin anew,
while what it had answered for, whole spans in the open batch and sealed
batches, goes on its way. The panic hook has logged it by then and turned the
health check red, so that the process is replaced in good order.
*/

use super::{
    commit::Commits,
    engine::{Engine, Stage},
};
use crate::pdata::Keys;
use std::{
    cell::RefCell,
    future,
    panic::{AssertUnwindSafe, catch_unwind},
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
type Anew = Box<dyn Fn(usize) -> (Keys, Vec<Stage>)>;

/// The pipelines of one shard, the bell that starts their clock, and the turns
/// of its segment logs.
pub struct Shard {
    pipelines: RefCell<Vec<Engine>>,
    anew: Anew,
    opened: Notify,
    commits: Option<Commits>,
}

/// A pipeline panicked over what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

impl Shard {
    /// A shard to these pipelines; `anew` makes the processors of one of them.
    pub fn new(
        pipelines: Vec<Engine>,
        commits: Option<Commits>,
        anew: impl Fn(usize) -> (Keys, Vec<Stage>) + 'static,
    ) -> Self {
        Self {
            pipelines: RefCell::new(pipelines),
            anew: Box::new(anew),
            opened: Notify::new(),
            commits,
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
            let (keys, stages) = (self.anew)(at);
            pipeline.restart(keys, stages);
            Panicked
        })
    }

    fn with_each(&self, mut work: impl FnMut(&mut Engine)) {
        let all = self.pipelines.borrow().len();
        for at in 0..all {
            // A pipeline that panicked is as new, and has nothing to do.
            let _ = self.with(at, &mut work);
        }
    }

    /// Asks each pipeline, without changing it.
    pub fn any(&self, ask: impl Fn(&Engine) -> bool) -> bool {
        self.pipelines.borrow().iter().any(ask)
    }

    /// Looks at each pipeline, without changing it.
    pub fn each(&self, look: impl Fn(&Engine)) {
        self.pipelines.borrow().iter().for_each(look);
    }

    /// Engine number `at` has taken a request; `opened`: its batch has begun.
    pub fn took(&self, at: usize, opened: bool) {
        if opened {
            self.opened.notify_one();
        }
        if let Some(commits) = &self.commits
            && self.pipelines.borrow()[at].recorder().is_some()
        {
            commits.took();
        }
    }

    /// The turns of the segment logs.
    pub fn commits(&self) -> Option<&Commits> {
        self.commits.as_ref()
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
    pub fn turn(&self) {
        let now = Instant::now();
        self.with_each(|pipeline| pipeline.turn(now));
    }

    /// Seals batches as they come of age, forever.
    pub async fn keep_time(&self) {
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

    /// Gives the segment logs what came since the last time.
    pub fn hand_over(&self) {
        self.with_each(Engine::commit);
    }

    /// Commits to the segment logs, forever.
    pub async fn commit(&self) {
        match &self.commits {
            Some(commits) => commits.run(self).await,
            None => future::pending().await,
        }
    }

    /// Seals everything and waits for room in the queues, until the deadline.
    pub async fn flush(&self, deadline: &watch::Receiver<Option<Instant>>) {
        self.with_each(Engine::flush);
        self.hand_over();
        loop {
            self.turn();
            let waiting = self.any(Engine::has_backlog);
            let over = deadline
                .borrow()
                .is_some_and(|deadline| deadline <= Instant::now());
            if !waiting || over {
                return self.with_each(Engine::give_up);
            }
            time::sleep(BACKLOG_INTERVAL).await;
        }
    }
}
