/*!
How an exporter ends before its queue does: at the deadline of shutdown, or because a
reload of the configuration takes it away or puts another in its place.
*/

use super::Retirement;
use std::{future::pending, time::Instant as StdInstant};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep_until},
};

/// None until the end is known, then the time at which the exporter ends. It may
/// be moved: a second signal ends the drain at once.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    shutdown: watch::Receiver<Option<StdInstant>>,
    retirement: watch::Receiver<Retirement>,
}

impl Deadline {
    pub(super) fn new(
        shutdown: watch::Receiver<Option<StdInstant>>,
        retirement: watch::Receiver<Retirement>,
    ) -> Self {
        Self {
            shutdown,
            retirement,
        }
    }

    /// The time, as it is now.
    fn get(&mut self) -> Option<StdInstant> {
        let shutdown = *self.shutdown.borrow_and_update();
        let retirement = match *self.retirement.borrow_and_update() {
            Retirement::At(end) => Some(end),
            Retirement::No | Retirement::HandOver => None,
        };
        shutdown.into_iter().chain(retirement).min()
    }

    /// Waits until something may have changed; for ever where nobody can change it.
    async fn changed(&mut self) {
        async fn of<T>(watched: &mut watch::Receiver<T>) {
            if watched.changed().await.is_err() {
                pending().await
            }
        }
        select! {
            () = of(&mut self.shutdown) => {}
            () = of(&mut self.retirement) => {}
        }
    }

    /// Returns true once the end is known.
    pub(super) fn is_set(&self) -> bool {
        self.clone().get().is_some()
    }

    /// Waits until the end is known: for ever where nobody can say so.
    pub(super) async fn set(&self) {
        let mut deadline = self.clone();
        while deadline.get().is_none() {
            deadline.changed().await;
        }
    }

    /// Waits until the deadline has passed, wherever it is moved meanwhile.
    pub(super) async fn passed(&self) {
        let mut deadline = self.clone();
        loop {
            let at = deadline.get();
            let passed = async {
                match at {
                    Some(at) => sleep_until(Instant::from_std(at)).await,
                    None => pending().await,
                }
            };
            select! {
                () = passed => return,
                () = deadline.changed() => {}
            }
        }
    }
}

/// Says when another exporter takes over.
#[derive(Clone, Debug)]
pub(super) struct HandOver(watch::Receiver<Retirement>);

impl HandOver {
    pub(super) fn new(retirement: watch::Receiver<Retirement>) -> Self {
        Self(retirement)
    }

    /// Returns true once another takes over.
    pub(super) fn is_begun(&self) -> bool {
        *self.0.borrow() == Retirement::HandOver
    }

    /// Waits until another takes over: for ever where nobody can.
    pub(super) async fn begun(&self) {
        let mut retirement = self.0.clone();
        let begun = retirement.wait_for(|retirement| *retirement == Retirement::HandOver);
        if begun.await.is_err() {
            pending().await
        }
    }
}
