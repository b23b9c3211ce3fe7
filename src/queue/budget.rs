/*!
One budget for the bytes that are held: bodies on their way in, open batches,
sealed batches until they are delivered.

Sealed batches are leased from it one by one. What is smaller and changes with
every request each shard holds in a [`ShardBudget`] of its own, filled from the budget
by the quarter of a megabyte: a request then touches no word that shards share.
*/

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A process-wide count of bytes held, with a limit.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    held: AtomicUsize,
    /// Written when the configuration is read again.
    limit: AtomicUsize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                held: AtomicUsize::new(0),
                limit: AtomicUsize::new(limit),
            }),
        }
    }

    /// Counts `bytes` as held until the lease is dropped. Never refuses: what
    /// is sealed was accepted. Ask [`Budget::has_room`] before accepting.
    pub fn lease(&self, bytes: usize) -> Lease {
        self.add(bytes);
        Lease {
            budget: self.clone(),
            bytes,
        }
    }

    fn add(&self, bytes: usize) {
        self.shared.held.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: usize) {
        self.shared.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Returns true if `bytes` more stay below the limit.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.held().saturating_add(bytes) < self.limit()
    }

    /// Bytes held now.
    pub(crate) fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.shared.limit.load(Ordering::Relaxed)
    }

    /// Sets another limit, for all clones.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.shared.limit.store(bytes, Ordering::Relaxed);
    }
}

/// Bytes counted against a [`Budget`] for as long as this lives.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    bytes: usize,
}

impl Lease {
    /// How many bytes it counts.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.remove(self.bytes);
    }
}

/// What one shard holds of a [`Budget`] for its open batches.
///
/// It takes from the budget by the quarter of a megabyte, so that a request
/// touches no word that shards share. Dropping it gives all back.
#[derive(Debug)]
pub(crate) struct ShardBudget {
    budget: Budget,
    /// Bytes taken from the budget.
    filled: Cell<usize>,
    /// Bytes of those that are in use.
    used: Cell<usize>,
}

impl ShardBudget {
    /// By how much it is filled, at least.
    const FILL: usize = 256 << 10;

    /// A share of `budget` that holds nothing yet.
    pub(crate) fn new(budget: &Budget) -> Self {
        Self {
            budget: budget.clone(),
            filled: Cell::new(0),
            used: Cell::new(0),
        }
    }

    /// Holds `bytes` of what was accepted already.
    pub(crate) fn hold_accepted(&self, bytes: usize) {
        let used = self.used.get().saturating_add(bytes);
        let filled = self.filled.get();
        if let Some(lacking) = used.checked_sub(filled).filter(|n| *n > 0) {
            let more = lacking.max(Self::FILL);
            self.budget.add(more);
            self.filled.set(filled + more);
        }
        self.used.set(used);
    }

    /// Gives `bytes` back that were held.
    pub(crate) fn release(&self, bytes: usize) {
        let used = self.used.get().saturating_sub(bytes);
        self.used.set(used);
        let spare = self.filled.get() - used;
        if spare > 2 * Self::FILL {
            self.budget.remove(spare - Self::FILL);
            self.filled.set(used + Self::FILL);
        }
    }
}

impl Drop for ShardBudget {
    fn drop(&mut self) {
        self.budget.remove(self.filled.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_takes_from_the_budget_and_gives_back() {
        let budget = Budget::new(1 << 20);
        let shard = ShardBudget::new(&budget);
        shard.hold_accepted(100);
        let filled = budget.held();
        assert!((100..=(256 << 10)).contains(&filled));
        shard.hold_accepted(1000);
        assert_eq!(budget.held(), filled, "from what it has");
        shard.hold_accepted(1 << 20);
        assert!(!budget.has_room(0));
        shard.release(1 << 20);
        assert!(budget.has_room(0));
        shard.release(1100);
        let lease = budget.lease(5);
        assert!(budget.held() <= 5 + (512 << 10));
        drop(lease);
        let other = ShardBudget::new(&budget);
        other.hold_accepted(400 << 10);
        drop(other);
        assert!(budget.held() <= 512 << 10, "an ended shard holds nothing");
    }
}
