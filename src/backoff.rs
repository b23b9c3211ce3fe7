/*!
How long to wait before the next attempt: exponential backoff with jitter.

Exporters, the addresses behind one name, and the watchers of Kubernetes and
Kiali wait by it. [`Backoff::new`] takes all parameters, as the Collector's
`retry_on_failure` has them; [`Backoff::doubling`] is enough where nothing is
configured:

```ignore
let mut backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_secs(60));
while let Err(error) = attempt().await {
    sleep(backoff.next_wait()).await;
}
backoff.reset();
```

There is no end: the caller decides when to give up.
*/

use crate::random::rng;
use rand::Rng as _;
use std::{ops::Range, time::Duration};

/// The longest wait of all, whatever is configured: a moment that far away can
/// still be calculated.
const MAX_WAIT: Duration = Duration::from_secs(365 * 86_400);

/// How waits grow: the n-th is `first × factor^n`, at most `longest`, times a
/// number out of `jitter`.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    /// The wait after the first failure.
    pub first: Duration,
    /// By how much each is longer than the one before; under 1 counts as 1.
    pub factor: f64,
    /// The limit of all, before jitter.
    pub longest: Duration,
    /// The wait is multiplied by a random number out of this range, so that
    /// those who failed together do not return together.
    pub jitter: Range<f64>,
}

/// The waits of one series of attempts.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    growth: Growth,
    interval: Duration,
}

impl Backoff {
    /// Starts at the first wait.
    pub(crate) fn new(growth: &Growth) -> Self {
        Self {
            interval: growth.first.min(growth.longest),
            growth: growth.clone(),
        }
    }

    /// Waits that double from `first` up to `longest`, each with up to half
    /// taken off.
    pub(crate) fn doubling(first: Duration, longest: Duration) -> Self {
        Self::new(&Growth {
            first,
            factor: 2.0,
            longest,
            jitter: 0.5..1.0,
        })
    }

    /// The wait before the next attempt.
    pub(crate) fn next_wait(&mut self) -> Duration {
        self.wait_at(rng().random())
    }

    /// The next wait, with `random` (0 to 1) in place of chance.
    fn wait_at(&mut self, random: f64) -> Duration {
        let Growth {
            factor,
            longest,
            jitter,
            ..
        } = &self.growth;
        let wait = scale(
            self.interval,
            jitter.start + (jitter.end - jitter.start) * random,
        );
        self.interval = scale(self.interval, factor.max(1.0)).min(*longest);
        wait.min(MAX_WAIT)
    }

    /// The next wait is the first one again.
    pub(crate) fn reset(&mut self) {
        self.interval = self.growth.first.min(self.growth.longest);
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

    fn growth() -> Growth {
        Growth {
            first: Duration::from_secs(1),
            factor: 2.0,
            longest: Duration::from_secs(5),
            jitter: 0.5..1.5,
        }
    }

    #[test]
    fn grows_to_its_maximum_and_starts_over() {
        let mut backoff = Backoff::new(&growth());
        let mut waits = |n: usize| -> Vec<u64> {
            let waits = (0..n).map(|_| backoff.wait_at(MIDDLE).as_secs()).collect();
            backoff.reset();
            waits
        };
        assert_eq!(waits(5), [1, 2, 4, 5, 5]);
        assert_eq!(waits(2), [1, 2]);
    }

    #[test]
    fn jitter_spreads_both_ways() {
        let at = |random| Backoff::new(&growth()).wait_at(random);
        assert_eq!(at(0.0), Duration::from_millis(500));
        assert_eq!(at(MIDDLE), Duration::from_secs(1));
        assert!(at(0.999) > Duration::from_millis(1490));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_secs(5));
        for most in [1, 2, 4, 5, 5] {
            let (pause, most) = (backoff.next_wait(), Duration::from_secs(most));
            assert!(pause >= most / 2 && pause < most, "{pause:?} of {most:?}");
        }
    }

    #[test]
    fn weeks_of_failures_stay_at_the_maximum() {
        let mut backoff = Backoff::new(&growth());
        let waits = (0..1_000_000).map(|_| backoff.wait_at(MIDDLE));
        assert_eq!(waits.last(), Some(growth().longest));
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_in_bounds(
            first in 0u64..=u64::MAX, longest in 0u64..=u64::MAX,
            factor in proptest::num::f64::ANY, spread in 0.0f64..=1.0, random in 0.0f64..1.0,
        ) {
            let growth = Growth {
                first: Duration::from_millis(first),
                factor,
                longest: Duration::from_millis(longest),
                jitter: 1.0 - spread..1.0 + spread,
            };
            let mut backoff = Backoff::new(&growth);
            for _ in 0..20 {
                let wait = backoff.wait_at(random);
                prop_assert!(wait <= MAX_WAIT);
                prop_assert!(backoff.interval <= growth.longest.max(growth.first));
                // Can be added to a moment.
                let _ = std::time::Instant::now() + wait;
            }
        }
    }
}
