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
    /// Takes one token; false: there is none. The clock is read only when the
    /// bucket is empty.
    #[must_use]
    pub(crate) fn spend(&mut self) -> bool {
        self.spend_at(Instant::now)
    }

    fn spend_at(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if self.left == 0 {
            let now = now();
            let gone = now.saturating_duration_since(self.filled).as_secs_f64();
            self.left = (gone * PER_SECOND).min(f64::from(BURST)) as u32;
            if self.left == 0 {
                return false;
            }
            self.filled = now;
        }
        self.left -= 1;
        true
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
            (0..5000).take_while(|_| allowance.spend_at(|| now)).count()
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
        let taken = (0..5000).take_while(|_| allowance.spend_at(|| now));
        assert_eq!(taken.count(), 1000);
        allowance.earn(2);
        assert!(allowance.spend_at(|| now) && allowance.spend_at(|| now));
        assert!(!allowance.spend_at(|| now));
    }
}
