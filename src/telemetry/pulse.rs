/*!
Whether a thread still turns: a task on it notes the time every second, and whoever
asks compares. A thread that is busy and takes turns notes it; one that hangs in one
piece of work does not.
*/

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::time;

/// How often it beats.
const BEAT: Duration = Duration::from_secs(1);

/// When a thread last took a turn. Clones are the same thread's.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(Arc<Words>);

#[derive(Debug)]
struct Words {
    base: Instant,
    /// Milliseconds after `base`.
    last: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(Words {
            base: Instant::now(),
            last: AtomicU64::new(0),
        }))
    }
}

impl Pulse {
    /// Beats forever. To be a task of the thread.
    pub(crate) async fn keep(self) {
        loop {
            self.beat(Instant::now());
            time::sleep(BEAT).await;
        }
    }

    fn beat(&self, now: Instant) {
        let since = now.saturating_duration_since(self.0.base).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.0.last.store(since, Relaxed);
    }

    /// Returns how long ago the last turn was.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        let last = Duration::from_millis(self.0.last.load(Relaxed));
        now.saturating_duration_since(self.0.base)
            .saturating_sub(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_makes_it_young_again() {
        let pulse = Pulse::default();
        let at = |seconds| pulse.0.base + Duration::from_secs(seconds);
        assert_eq!(pulse.age(at(7)), Duration::from_secs(7));
        pulse.beat(at(7));
        assert_eq!(pulse.age(at(7)), Duration::ZERO);
        assert_eq!(pulse.age(at(9)), Duration::from_secs(2));
    }
}
