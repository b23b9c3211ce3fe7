/*!
Connections that are to go, because their shard has too much to do.

The next to send go, since those are what makes it busy. An order holds for a
moment only and for connections that were there when it was given: what comes
back must not be sent away again, nor a sender that wakes up hours later.
*/

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// How long an order holds.
const HOLDS: Duration = Duration::from_secs(1);

/// The order of one shard.
#[derive(Debug, Default)]
pub struct Leaving {
    count: Cell<usize>,
    given: Cell<Option<Instant>>,
}

impl Leaving {
    /// So many connections are to go.
    pub fn order(&self, count: usize) {
        self.count.set(count);
        self.given.set(Some(Instant::now()));
    }

    /// Whether a connection is to go that was accepted at `since` and sends
    /// now; then it is one less.
    pub fn claims(&self, since: Instant) -> bool {
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
        let leaving = Leaving::default();
        let before = Instant::now();
        assert!(!leaving.claims(before));
        leaving.order(2);
        assert!(leaving.claims(before));
        assert!(!leaving.claims(Instant::now()));
        assert!(leaving.claims(before));
        assert!(!leaving.claims(before));
        leaving.order(1);
        let long_ago = Instant::now().checked_sub(2 * HOLDS);
        leaving.given.set(long_ago);
        let older = long_ago.and_then(|at| at.checked_sub(HOLDS));
        assert!(!older.is_some_and(|since| leaving.claims(since)));
        assert_eq!(leaving.count.get(), 0);
    }
}
