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

/// The longest wait a server may ask for. A wish beyond it is a fault, and
/// would hold the spans for as long.
const MAX_SERVER_WAIT: Duration = Duration::from_secs(3600);

/// The waits of one request.
#[derive(Clone, Debug)]
pub struct Backoff<'a> {
    settings: &'a Retry,
    interval: Duration,
}

impl<'a> Backoff<'a> {
    /// Starts at the initial interval.
    pub fn new(settings: &'a Retry) -> Self {
        Self {
            settings,
            interval: settings.initial_interval.min(settings.max_interval),
        }
    }

    /// The wait before the next attempt, or None to give up.
    ///
    /// `elapsed` counts from the first attempt, `at_least` is what the server
    /// asked for, `random` is uniform in 0..1.
    pub fn next(
        &mut self,
        elapsed: Duration,
        at_least: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        if !self.settings.enabled {
            return None;
        }
        let spread = self.settings.randomization_factor.clamp(0.0, 1.0) * (2.0 * random - 1.0);
        let jittered = scale(self.interval, 1.0 + spread);
        self.interval =
            scale(self.interval, self.settings.multiplier.max(1.0)).min(self.settings.max_interval);
        let wait = jittered.max(at_least.unwrap_or_default().min(MAX_SERVER_WAIT));
        match self.settings.max_elapsed {
            Some(limit) if elapsed.saturating_add(wait) > limit => None,
            _ => Some(wait),
        }
    }
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
    fn grows_to_its_maximum() {
        let settings = settings();
        let mut backoff = Backoff::new(&settings);
        let waits: Vec<u64> = (0..5)
            .map(|_| {
                backoff
                    .next(Duration::ZERO, None, MIDDLE)
                    .unwrap()
                    .as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn jitter_spreads_both_ways() {
        let settings = settings();
        let at = |random| {
            Backoff::new(&settings)
                .next(Duration::ZERO, None, random)
                .unwrap()
        };
        assert_eq!(at(0.0), Duration::from_millis(500));
        assert_eq!(at(MIDDLE), Duration::from_secs(1));
        assert!(at(0.999) > Duration::from_millis(1490));
    }

    #[test]
    fn the_servers_wish_is_a_minimum_within_reason() {
        let mut settings = settings();
        let wish = |s: &Retry, secs| {
            Backoff::new(s).next(Duration::ZERO, Some(Duration::from_secs(secs)), MIDDLE)
        };
        assert_eq!(wish(&settings, 20), Some(Duration::from_secs(20)));
        assert_eq!(wish(&settings, 0), Some(Duration::from_secs(1)));
        assert_eq!(wish(&settings, 61), None, "past max_elapsed");
        settings.max_elapsed = None;
        assert_eq!(wish(&settings, u64::MAX), Some(MAX_SERVER_WAIT));
    }

    #[test]
    fn ends_at_max_elapsed_or_never() {
        let mut settings = settings();
        let late = Duration::from_secs(60);
        assert_eq!(Backoff::new(&settings).next(late, None, MIDDLE), None);
        settings.max_elapsed = None;
        assert!(
            Backoff::new(&settings)
                .next(Duration::MAX, None, MIDDLE)
                .is_some()
        );
        settings.enabled = false;
        assert_eq!(
            Backoff::new(&settings).next(Duration::ZERO, None, MIDDLE),
            None
        );
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
                prop_assert!(backoff.next(Duration::from_secs(elapsed), None, random).is_some());
                prop_assert!(backoff.interval <= settings.max_interval.max(settings.initial_interval));
            }
        }
    }
}
