/*! Counters that cost what adding to a plain number costs. */

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A counter with one writer: adding is a load and a store, not a locked add.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicU64>);

impl Count {
    /// Adds `n`. Only the owning thread may call this.
    pub(crate) fn add(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// Returns true if both are one counter.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the value so far; any thread may ask.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A count of items that is published once a request, so that an item costs no
/// store that other threads see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    new: Cell<u64>,
    /// What was published.
    pub(crate) count: Count,
}

impl Tally {
    /// Counts one.
    pub(crate) fn one(&self) {
        self.add(1);
    }

    /// Counts `n`.
    pub(crate) fn add(&self, n: u64) {
        self.new.set(self.new.get() + n);
    }

    /// Publishes what was counted since the last call.
    pub(crate) fn publish(&self) {
        let new = self.new.take();
        if new > 0 {
            self.count.add(new);
        }
    }
}
