/*!
How long to wait before the next attempt: exponential backoff with jitter, a
server's wish as a lower bound, and an end.

Pure: the caller supplies elapsed time and randomness. The parameters have the
meaning that the Collector's `retry_on_failure` gives them
(`config/configretry`): the n-th wait is `initial × multiplier^n`, at most
`max_interval`, spread by ± `randomization_factor`; there is no attempt that
would begin later than `max_elapsed` after the first one.
*/

use crate::config::Retry;
use std::time::Duration;

/// The longest wait of all, whatever is configured: a moment that far away can
/// still be told.
const MAX_WAIT: Duration = Duration::from_secs(365 * 86_400);
/// The longest wait a server may ask for. A wish beyond it is a fault, and
/// would hold the spans for as long.
const MAX_SERVER_WAIT: Duration = Duration::from_secs(3600);

/// Waits that grow from one attempt to the next, without an end.
#[derive(Clone, Debug)]
pub struct Backoff {
    settings: Retry,
    interval: Duration,
}

impl Backoff {
    /// Starts at the initial interval.
    pub fn new(settings: &Retry) -> Self {
        Self {
            settings: settings.clone(),
            interval: settings.initial_interval.min(settings.max_interval),
        }
    }

    /// The wait before the next attempt. `at_least` is what the server asked
    /// for, `random` is uniform in 0..1.
    pub fn next(&mut self, at_least: Option<Duration>, random: f64) -> Duration {
        let spread = self.settings.randomization_factor.clamp(0.0, 1.0) * (2.0 * random - 1.0);
        let jittered = scale(self.interval, 1.0 + spread);
        self.interval =
            scale(self.interval, self.settings.multiplier.max(1.0)).min(self.settings.max_interval);
        jittered
            .min(MAX_WAIT)
            .max(within_reason(at_least.unwrap_or_default()))
    }

    /// The next wait is the initial one again.
    pub fn reset(&mut self) {
        self.interval = (self.settings.initial_interval).min(self.settings.max_interval);
    }
}

/// As long as a server may ask to be left alone.
pub fn within_reason(wish: Duration) -> Duration {
    wish.min(MAX_SERVER_WAIT)
}

/// Whether an attempt after `wait` is one too many, `elapsed` after the first.
pub fn is_over(settings: &Retry, elapsed: Duration, wait: Duration) -> bool {
    !settings.enabled
        || (settings.max_elapsed).is_some_and(|limit| elapsed.saturating_add(wait) > limit)
}

/// `duration × factor` that saturates instead of panicking.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    const MIDDLE: f64 = 0.5;

    fn settings() -> Retry {
        Retry {
            enabled: true,
            initial_interval: Duration::from_secs(1),
            randomization_factor: 0.5,
            multiplier: 2.0,
            max_interval: Duration::from_secs(5),
            max_elapsed: Some(Duration::from_secs(60)),
        }
    }

    #[test]
    fn grows_to_its_maximum_and_starts_anew() {
        let mut backoff = Backoff::new(&settings());
        let mut waits = |n: usize| -> Vec<u64> {
            let waits = (0..n)
                .map(|_| backoff.next(None, MIDDLE).as_secs())
                .collect();
            backoff.reset();
            waits
        };
        assert_eq!(waits(5), [1, 2, 4, 5, 5]);
        assert_eq!(waits(2), [1, 2]);
    }

    #[test]
    fn jitter_spreads_both_ways() {
        let at = |random| Backoff::new(&settings()).next(None, random);
        assert_eq!(at(0.0), Duration::from_millis(500));
        assert_eq!(at(MIDDLE), Duration::from_secs(1));
        assert!(at(0.999) > Duration::from_millis(1490));
    }

    #[test]
    fn the_servers_wish_is_a_minimum_within_reason() {
        let wish = |secs| Backoff::new(&settings()).next(Some(Duration::from_secs(secs)), MIDDLE);
        assert_eq!(wish(20), Duration::from_secs(20));
        assert_eq!(wish(0), Duration::from_secs(1));
        assert_eq!(wish(u64::MAX), MAX_SERVER_WAIT);
    }

    #[test]
    fn ends_at_max_elapsed_or_never() {
        let mut settings = settings();
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        assert!(!is_over(&settings, minute - second, second));
        assert!(is_over(&settings, minute, second));
        settings.max_elapsed = None;
        assert!(!is_over(&settings, Duration::MAX, Duration::MAX));
        settings.enabled = false;
        assert!(is_over(&settings, Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn weeks_of_failures_stay_at_the_maximum() {
        let mut backoff = Backoff::new(&settings());
        let waits = (0..1_000_000).map(|_| backoff.next(None, MIDDLE));
        assert_eq!(waits.last(), Some(settings().max_interval));
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_in_bounds(
            initial in 0u64..=u64::MAX, max in 0u64..=u64::MAX,
            multiplier in proptest::num::f64::ANY, factor in proptest::num::f64::ANY,
            elapsed in 0u64..=u64::MAX, random in 0.0f64..1.0,
        ) {
            let settings = Retry {
                enabled: true,
                initial_interval: Duration::from_millis(initial),
                randomization_factor: factor,
                multiplier,
                max_interval: Duration::from_millis(max),
                max_elapsed: None,
            };
            let mut backoff = Backoff::new(&settings);
            for _ in 0..20 {
                let wait = backoff.next(None, random);
                prop_assert!(wait <= MAX_WAIT);
                prop_assert!(!is_over(&settings, Duration::from_secs(elapsed), wait));
                prop_assert!(backoff.interval <= settings.max_interval.max(settings.initial_interval));
                // Can be reckoned with.
                let _ = std::time::Instant::now() + wait;
            }
        }
    }
}
