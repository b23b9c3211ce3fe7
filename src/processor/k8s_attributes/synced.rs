/*! Waiting until the Pods of a cluster are known. */

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Tells once that all Pods are known. Clones are of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Synced(Arc<(Mutex<bool>, Condvar)>);

impl Synced {
    /// Tells all who wait.
    pub(super) fn tell(&self) {
        let (told, changed) = &*self.0;
        *told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Waits, at most so long; whether it was told.
    pub(super) fn wait(&self, at_most: Duration) -> bool {
        let (told, changed) = &*self.0;
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(told, at_most, |told| !*told);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
