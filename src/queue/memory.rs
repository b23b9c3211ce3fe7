/*!
How the memory limit is shared out, so that nobody's share can be taken by what
others do.

- Five eighths are for what was accepted: open batches, and sealed ones until they
  are delivered. Senders are refused when they are used up.
- An eighth is for bodies that have come in part. When it is used up, the oldest
  of them gives way, not the newcomer.
- Two eighths are for the one large request that is being read at a time: what it
  inflates to, its index, and what it is converted to.

What was accepted is never refused for a body that somebody does not finish, and
the sum of the three is the limit.
*/

use super::Budget;

/// The shares of the memory limit.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What was accepted.
    pub accepted: Budget,
    /// Bodies that have come in part.
    pub bodies: Budget,
    /// Bytes that reading one large request may take.
    pub work: usize,
}

impl Memory {
    /// Shares out `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let eighth = limit / 8;
        Self {
            accepted: Budget::new(limit - 3 * eighth),
            bodies: Budget::new(eighth),
            work: 2 * eighth,
        }
    }

    /// Shares of a limit that nothing reaches.
    pub fn unlimited() -> Self {
        Self::new(usize::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_limit() {
        let memory = Memory::new(1001);
        let sum = memory.accepted.limit() + memory.bodies.limit() + memory.work;
        assert_eq!(sum, 1001);
        assert!(memory.accepted.limit() > memory.bodies.limit() + memory.work);
    }
}
