/*!
How the memory limit is shared out, so that nobody's share can be taken by what
others do.

- Five eighths are for what was accepted: open batches, and sealed ones until they
  are delivered. Senders are refused when they are used up.
- An eighth is for bodies that have come in part. When it is used up, the oldest
  of them gives way, not the newcomer.
- Two eighths are for the one large request that is being read at a time: what it
  inflates to, its index, and what it is converted to. While little is held of what
  was accepted, it may have three quarters of that share as well.

What was accepted is never refused for a body that somebody does not finish, and
the sum of the three is the limit.
*/

use super::{Budget, Lease};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// What bodies in part and a large request may have, however low the limit is: some
/// senders' requests are large, and nobody means them by a low limit.
const LEAST_BODIES: usize = 2 << 20;
const LEAST_WORK: usize = 8 << 20;

/// The shares of the memory limit.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// What was accepted.
    pub(crate) accepted: Budget,
    /// Bodies that have come in part.
    pub(crate) bodies: Budget,
    /// Bytes that reading one large request may take.
    work: Arc<AtomicUsize>,
}

impl Memory {
    /// Shares out `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let memory = Self {
            accepted: Budget::new(0),
            bodies: Budget::new(0),
            work: Arc::default(),
        };
        memory.set_limit(limit);
        memory
    }

    /// Shares out another limit, for all clones.
    pub(crate) fn set_limit(&self, limit: usize) {
        let eighth = limit / 8;
        self.accepted.set_limit(limit - 3 * eighth);
        self.bodies.set_limit(eighth.max(LEAST_BODIES));
        self.work.store((2 * eighth).max(LEAST_WORK), Relaxed);
    }

    /// Bytes that reading one large request may take.
    pub(crate) fn work(&self) -> usize {
        self.work.load(Relaxed)
    }

    /// Takes what reading a large request may use now: how much, and the part of it
    /// that is held of the share of what was accepted.
    pub(crate) fn for_large(&self) -> (usize, Lease) {
        let spare = (self.accepted.limit() / 4 * 3).saturating_sub(self.accepted.held());
        (
            self.work().saturating_add(spare),
            self.accepted.lease(spare),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_limit() {
        let limit = 100 << 20;
        let memory = Memory::new(limit);
        let sum = memory.accepted.limit() + memory.bodies.limit() + memory.work();
        assert_eq!(sum, limit);
    }

    #[test]
    fn a_large_request_has_more_while_little_is_held() {
        let memory = Memory::new(80 << 20);
        let (bytes, lease) = memory.for_large();
        assert_eq!(bytes, memory.work() + memory.accepted.limit() / 4 * 3);
        assert!(memory.accepted.has_room(memory.accepted.limit() / 5));
        drop(lease);
        let _held = memory.accepted.lease(memory.accepted.limit());
        assert_eq!(memory.for_large().0, memory.work());
    }
}
