/*!
`retry_on_failure`: how long to wait before the next attempt, and when to give
up.

The parameters have the meaning that the Collector gives them
(`config/configretry`). A server's wish is a lower bound for the wait, and no
attempt begins later than `max_elapsed` after the first one.
*/

use crate::{
    backoff::{Backoff, Growth},
    exporter::Retry,
};
use std::time::Duration;

/// The longest wait a server may ask for. A wish beyond it is a fault, and
/// would hold the data for as long.
const MAX_SERVER_WAIT: Duration = Duration::from_secs(3600);

impl From<&Retry> for Growth {
    fn from(retry: &Retry) -> Self {
        let spread = retry.randomization_factor.clamp(0.0, 1.0);
        Self {
            first: retry.initial_interval,
            factor: retry.multiplier,
            longest: retry.max_interval,
            jitter: 1.0 - spread..1.0 + spread,
        }
    }
}

/// Returns the wait before the next attempt, where the server asked for `wish`.
pub(super) fn next_wait(backoff: &mut Backoff, wish: Option<Duration>) -> Duration {
    let wait = backoff.next_wait();
    wait.max(within_reason(wish.unwrap_or_default()))
}

/// Limits what a server may ask for.
pub(super) fn within_reason(wish: Duration) -> Duration {
    wish.min(MAX_SERVER_WAIT)
}

/// Returns true if an attempt after `wait` is one too many, `elapsed` after the first.
pub(super) fn is_over(settings: &Retry, elapsed: Duration, wait: Duration) -> bool {
    !settings.enabled
        || (settings.max_elapsed).is_some_and(|limit| elapsed.saturating_add(wait) > limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Retry {
        Retry {
            enabled: true,
            initial_interval: Duration::from_secs(1),
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: Duration::from_secs(5),
            max_elapsed: Some(Duration::from_secs(60)),
        }
    }

    #[test]
    fn the_servers_wish_is_a_minimum_within_reason() {
        let wish = |secs| {
            let mut backoff = Backoff::new(&Growth::from(&settings()));
            next_wait(&mut backoff, Some(Duration::from_secs(secs)))
        };
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
    fn any_factor_of_randomization_is_a_range() {
        for factor in [f64::INFINITY, -1.0, 0.3, 7.0] {
            let mut settings = settings();
            settings.randomization_factor = factor;
            let wait = Backoff::new(&Growth::from(&settings)).next_wait();
            assert!(wait <= Duration::from_secs(2), "{factor}: {wait:?}");
        }
    }
}
