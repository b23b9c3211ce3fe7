/*! The deadline of shutdown, as an exporter sees it. */

use std::future::pending;
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep_until},
};

/// None until shutdown begins, then the time at which the exporter ends. It may
/// be moved: a second signal ends the drain at once.
#[derive(Clone, Debug)]
pub(super) struct Deadline(watch::Receiver<Option<std::time::Instant>>);

impl Deadline {
    pub(super) fn new(deadline: watch::Receiver<Option<std::time::Instant>>) -> Self {
        Self(deadline)
    }

    /// Returns true once shutdown has begun.
    pub(super) fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until shutdown has begun: for ever where nobody can begin it.
    pub(super) async fn set(&self) {
        let mut deadline = self.0.clone();
        if deadline.wait_for(Option::is_some).await.is_err() {
            pending().await
        }
    }

    /// Waits until the deadline has passed, wherever it is moved meanwhile.
    pub(super) async fn passed(&self) {
        let mut deadline = self.0.clone();
        loop {
            let at = *deadline.borrow_and_update();
            let passed = async {
                match at {
                    Some(at) => sleep_until(Instant::from_std(at)).await,
                    None => pending().await,
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
