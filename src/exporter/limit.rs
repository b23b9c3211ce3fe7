/*!
The largest request that a backend takes, learned from what it refuses.

Backends do not announce their limit. Once a request was refused as too large
and a part of it was then taken, later requests of that size are cut before they
are sent. A refusal alone teaches nothing: it may be about something else, and
then no size would help.

What was learned may be wrong, or the limit may be raised. So it is forgotten
when a request of that size is taken, and doubled after [`QUIET`] batches that
were cut and not refused, which costs one refusal if it still holds.
*/

use std::cell::Cell;

/// Batches cut and taken before a larger request is tried.
const QUIET: u32 = 64;

/// What one exporter knows of its backend's limit. Sizes are those of the
/// uncompressed protobuf request, in bytes.
#[derive(Debug)]
pub(super) struct SizeLimit {
    /// The smallest size known to be refused; `usize::MAX` when none is.
    refused: Cell<usize>,
    quiet: Cell<u32>,
}

impl Default for SizeLimit {
    fn default() -> Self {
        Self {
            refused: Cell::new(usize::MAX),
            quiet: Cell::new(0),
        }
    }
}

impl SizeLimit {
    /// Returns true if a request of this size would be refused.
    pub(super) fn exceeded(&self, bytes: usize) -> bool {
        bytes >= self.refused.get()
    }

    /// Notes that a request of `bytes` was taken. `refused` is the size of the smallest
    /// request that was refused as too large and of which it is a part.
    pub(super) fn taken(&self, bytes: usize, refused: Option<usize>) {
        if self.exceeded(bytes) {
            self.set(usize::MAX);
        }
        if let Some(refused) = refused.filter(|&refused| bytes < refused)
            && !self.exceeded(refused)
        {
            self.set(refused);
        }
    }

    /// Notes that all parts of a batch that was cut in advance were taken.
    pub(super) fn held(&self) {
        self.quiet.set(self.quiet.get() + 1);
        if self.quiet.get() == QUIET {
            self.set(self.refused.get().saturating_mul(2));
        }
    }

    fn set(&self, refused: usize) {
        self.refused.set(refused);
        self.quiet.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_refused_size_with_a_part_taken_counts() {
        let limit = SizeLimit::default();
        assert!(!limit.exceeded(usize::MAX - 1));
        limit.taken(500, Some(1000));
        assert!(limit.exceeded(1000) && !limit.exceeded(999));
        limit.taken(500, Some(2000));
        assert!(limit.exceeded(1000), "a larger refusal says nothing new");
        limit.taken(300, Some(600));
        assert!(limit.exceeded(600) && !limit.exceeded(599));
    }

    #[test]
    fn what_is_taken_after_all_ends_it() {
        let limit = SizeLimit::default();
        limit.taken(500, Some(1000));
        limit.taken(1200, None);
        assert!(!limit.exceeded(1_000_000));
    }

    #[test]
    fn a_limit_that_holds_is_tried_again_at_twice_the_size() {
        let limit = SizeLimit::default();
        limit.taken(500, Some(1000));
        for _ in 1..QUIET {
            limit.held();
        }
        assert!(limit.exceeded(1000));
        limit.held();
        assert!(!limit.exceeded(1999) && limit.exceeded(2000));
    }
}
