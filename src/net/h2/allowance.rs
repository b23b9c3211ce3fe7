/*!
How much a peer may do that leads to nothing.

Frames that cost little each are a flood in sum (CVE-2019-9512 and its like,
CVE-2023-44487). A bucket of tokens bounds them: 1000 at once and 33 a second
after that, which are nghttp2's figures for the same. Requests that are complete
earn tokens, because honest peers ping and update windows the more, the more
they send.
*/

use std::time::Instant;

const BURST: u32 = 1000;
const PER_SECOND: f64 = 33.0;

/// One bucket.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: u32,
    filled: Instant,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            left: BURST,
            filled: Instant::now(),
        }
    }
}

impl Allowance {
    /// Takes tokens; false: there are not so many. The clock is read only when the
    /// bucket has too few.
    #[must_use]
    pub(crate) fn spend(&mut self, tokens: u32) -> bool {
        self.spend_at(tokens, Instant::now)
    }

    fn spend_at(&mut self, tokens: u32, now: impl FnOnce() -> Instant) -> bool {
        if self.left < tokens {
            let now = now();
            let gone = now.saturating_duration_since(self.filled).as_secs_f64();
            let more = (gone * PER_SECOND).min(f64::from(BURST)) as u32;
            if more > 0 {
                self.earn(more);
                self.filled = now;
            }
        }
        match self.left.checked_sub(tokens) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// Puts some back.
    pub(crate) fn earn(&mut self, tokens: u32) {
        self.left = self.left.saturating_add(tokens).min(BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_then_a_rate() {
        let mut allowance = Allowance::default();
        let begin = allowance.filled;
        let mut take = |seconds: u64| {
            let now = begin + Duration::from_secs(seconds);
            let spend = |_: &u32| allowance.spend_at(1, || now);
            (0..5000).take_while(spend).count()
        };
        assert_eq!(take(0), 1000);
        assert_eq!(take(0), 0);
        assert_eq!(take(1), 33);
        assert_eq!(take(1), 0);
        assert_eq!(take(1000), 1000);
    }

    #[test]
    fn what_is_earned_is_bounded() {
        let mut allowance = Allowance::default();
        allowance.earn(u32::MAX);
        let now = allowance.filled;
        let taken = (0..5000).take_while(|_| allowance.spend_at(1, || now));
        assert_eq!(taken.count(), 1000);
        allowance.earn(2);
        assert!(!allowance.spend_at(3, || now));
        assert!(allowance.spend_at(2, || now));
        assert!(!allowance.spend_at(1, || now));
    }
}
