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
    held: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            held: Arc::default(),
            limit,
        }
    }

    /// Counts `bytes` as held until the lease is dropped. Never refuses: what
    /// is sealed was accepted. Ask [`Budget::is_over`] before accepting.
    pub fn lease(&self, bytes: usize) -> Lease {
        self.add(bytes);
        Lease {
            budget: self.clone(),
            bytes,
        }
    }

    fn add(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether as much as the limit is held.
    pub fn is_over(&self) -> bool {
        self.held() >= self.limit
    }

    /// Returns true if `bytes` more stay below the limit.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.held().saturating_add(bytes) < self.limit
    }

    /// Counts `bytes` as held until the lease is dropped, if there is room.
    pub fn try_lease(&self, bytes: usize) -> Option<Lease> {
        let lease = self.lease(bytes);
        (self.held() <= self.limit).then_some(lease)
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// Bytes counted against a [`Budget`] for as long as this lives.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    bytes: usize,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.remove(self.bytes);
    }
}

/// What one shard holds of a [`Budget`]: bodies under way and open batches.
///
/// It takes from the budget by the quarter of a megabyte, so that a request
/// touches no word that shards share. Dropping it gives all back.
#[derive(Debug)]
pub struct ShardBudget {
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
    pub fn new(budget: &Budget) -> Self {
        Self {
            budget: budget.clone(),
            filled: Cell::new(0),
            used: Cell::new(0),
        }
    }

    /// A share of a budget without a limit.
    pub fn unlimited() -> Self {
        Self::new(&Budget::new(usize::MAX))
    }

    /// Holds `bytes`. Returns false if the budget has no room, and nothing is
    /// held then.
    #[must_use]
    pub fn hold(&self, bytes: usize) -> bool {
        self.take(bytes, true)
    }

    /// Holds `bytes` of what was accepted already.
    pub fn hold_accepted(&self, bytes: usize) {
        self.take(bytes, false);
    }

    /// Gives `bytes` back that were held.
    pub fn release(&self, bytes: usize) {
        let used = self.used.get().saturating_sub(bytes);
        self.used.set(used);
        let spare = self.filled.get() - used;
        if spare > 2 * Self::FILL {
            self.budget.remove(spare - Self::FILL);
            self.filled.set(used + Self::FILL);
        }
    }

    fn take(&self, bytes: usize, within: bool) -> bool {
        let used = self.used.get().saturating_add(bytes);
        let filled = self.filled.get();
        if let Some(lacking) = used.checked_sub(filled).filter(|n| *n > 0) {
            let held = self.budget.held().saturating_add(lacking);
            if within && held > self.budget.limit() {
                return false;
            }
            let more = lacking.max(Self::FILL);
            self.budget.add(more);
            self.filled.set(filled + more);
        }
        self.used.set(used);
        true
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
        assert!(shard.hold(100));
        let filled = budget.held();
        assert!((100..=(256 << 10)).contains(&filled));
        assert!(shard.hold(1000));
        assert_eq!(budget.held(), filled, "from what it has");
        assert!(!shard.hold(1 << 20), "more than there is");
        shard.hold_accepted(1 << 20);
        assert!(budget.is_over());
        shard.release(1 << 20);
        assert!(!budget.is_over());
        shard.release(1100);
        let lease = budget.lease(5);
        assert!(budget.held() <= 5 + (512 << 10));
        drop(lease);
        let other = ShardBudget::new(&budget);
        assert!(other.hold(400 << 10));
        drop(other);
        assert!(budget.held() <= 512 << 10, "an ended shard holds nothing");
    }
}
