/*!
One budget for the bytes that are held: bodies on their way in, open batches,
sealed batches until they are delivered.

Sealed batches are leased from it one by one. What is smaller and changes with
every request each shard holds in a [`purse`] of its own, filled from the budget
by the quarter of a megabyte: a request then touches no word that shards share.
*/

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
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

/// What this thread holds of a budget.
pub mod purse {
    use super::Budget;
    use std::cell::RefCell;

    /// By how much a purse is filled, at least.
    const FILL: usize = 256 << 10;

    struct Purse {
        budget: Budget,
        /// Bytes taken from the budget.
        filled: usize,
        /// Bytes of those that are in use.
        used: usize,
    }

    thread_local! {
        static PURSE: RefCell<Option<Purse>> = const { RefCell::new(None) };
    }

    impl Drop for Purse {
        fn drop(&mut self) {
            self.budget.remove(self.filled);
        }
    }

    impl Purse {
        fn hold(&mut self, bytes: usize, within: bool) -> bool {
            let used = self.used.saturating_add(bytes);
            if let Some(lacking) = used.checked_sub(self.filled).filter(|n| *n > 0) {
                let more = lacking.max(FILL);
                let limit = self.budget.limit();
                if within && self.budget.held().saturating_add(lacking) > limit {
                    return false;
                }
                self.budget.add(more);
                self.filled += more;
            }
            self.used = used;
            true
        }

        fn release(&mut self, bytes: usize) {
            self.used = self.used.saturating_sub(bytes);
            let spare = self.filled - self.used;
            if spare > 2 * FILL {
                self.budget.remove(spare - FILL);
                self.filled -= spare - FILL;
            }
        }
    }

    fn with<T>(otherwise: T, run: impl FnOnce(&mut Purse) -> T) -> T {
        PURSE.with_borrow_mut(|purse| purse.as_mut().map_or(otherwise, run))
    }

    /// Gives the calling thread a purse. Without one all is free.
    pub fn open(budget: &Budget) {
        PURSE.set(Some(Purse {
            budget: budget.clone(),
            filled: 0,
            used: 0,
        }));
    }

    /// Holds `bytes`, if the budget has room; false: it has not, and nothing is
    /// held.
    #[must_use]
    pub fn hold(bytes: usize) -> bool {
        with(true, |purse| purse.hold(bytes, true))
    }

    /// Holds `bytes` of what was accepted already.
    pub fn hold_accepted(bytes: usize) {
        with(true, |purse| purse.hold(bytes, false));
    }

    /// Gives `bytes` back that were held.
    pub fn release(bytes: usize) {
        with((), |purse| purse.release(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purse_takes_from_the_budget_and_gives_back() {
        let budget = Budget::new(1 << 20);
        assert!(purse::hold(usize::MAX), "no purse, no limit");
        purse::open(&budget);
        assert!(purse::hold(100));
        let filled = budget.held();
        assert!((100..=(256 << 10)).contains(&filled));
        assert!(purse::hold(1000));
        assert_eq!(budget.held(), filled, "from the purse");
        assert!(!purse::hold(1 << 20), "more than there is");
        purse::hold_accepted(1 << 20);
        assert!(budget.is_over());
        purse::release(1 << 20);
        assert!(!budget.is_over());
        purse::release(1100);
        let lease = budget.lease(5);
        assert!(budget.held() <= 5 + (512 << 10));
        drop(lease);
        std::thread::spawn({
            let budget = budget.clone();
            move || {
                purse::open(&budget);
                assert!(purse::hold(700 << 10));
            }
        })
        .join()
        .unwrap_or_else(|_| panic!("the other thread failed"));
        assert!(budget.held() <= 512 << 10, "an ended thread holds nothing");
    }
}
