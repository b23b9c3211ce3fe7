/*!
Closing some of a shard's connections, because the shard has too much to do.

The next ones that send are closed, since those are what makes it busy. An order
holds for a moment only, and for connections that were there when it was given:
a sender that has come back must not be sent away again, nor one that wakes up
hours later.
*/

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// How long an order holds.
const HOLDS: Duration = Duration::from_secs(1);

/// How many connections of one shard are to close.
#[derive(Debug, Default)]
pub struct CloseOrder {
    count: Cell<usize>,
    given: Cell<Option<Instant>>,
}

impl CloseOrder {
    /// Orders that `count` connections close; it replaces the order before.
    pub fn give(&self, count: usize) {
        self.count.set(count);
        self.given.set(Some(Instant::now()));
    }

    /// Returns true if a connection accepted at `since`, which sends now, should
    /// close, and uses up one of the ordered closes.
    pub(crate) fn take(&self, since: Instant) -> bool {
        let (count, Some(given)) = (self.count.get(), self.given.get()) else {
            return false;
        };
        if count == 0 || since >= given {
            return false;
        }
        if given.elapsed() > HOLDS {
            self.count.set(0);
            return false;
        }
        self.count.set(count - 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_for_those_who_are_there_and_for_a_moment() {
        let order = CloseOrder::default();
        let before = Instant::now();
        assert!(!order.take(before));
        order.give(2);
        assert!(order.take(before));
        assert!(!order.take(Instant::now()));
        assert!(order.take(before));
        assert!(!order.take(before));
        order.give(1);
        let long_ago = Instant::now().checked_sub(2 * HOLDS);
        order.given.set(long_ago);
        let older = long_ago.and_then(|at| at.checked_sub(HOLDS));
        assert!(!older.is_some_and(|since| order.take(since)));
        assert_eq!(order.count.get(), 0);
    }
}
