/*!
How busy a shard is, told by its thread and read by others.

Three words with one writer each: the shard stores, nobody else does, so
neither side waits. The time spent parked is summed up rather than a share of
it published, because a shard that never rests has no moment to publish at: a
reader compares two of its own looks.

A thread that does not rest may yet get little done, because others have the
cores; what it did get the kernel knows ([`ShardLoad::used`]).
*/

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// The load of one shard. Clones are the same load.
#[derive(Clone, Debug)]
pub struct ShardLoad(Arc<Words>);

#[derive(Debug)]
struct Words {
    base: Instant,
    requests: AtomicU64,
    /// Nanoseconds parked in all, the present rest not included.
    rested: AtomicU64,
    /// Nanoseconds after `base` of the present rest's begin; 0 while running.
    resting_since: AtomicU64,
    /// The kernel's account of the thread.
    account: OnceLock<PathBuf>,
}

impl Default for ShardLoad {
    fn default() -> Self {
        Self(Arc::new(Words {
            base: Instant::now(),
            requests: AtomicU64::new(0),
            rested: AtomicU64::new(0),
            resting_since: AtomicU64::new(0),
            account: OnceLock::new(),
        }))
    }
}

impl ShardLoad {
    /// Begins: the calling thread is the shard's.
    pub(crate) fn begin(&self) {
        // Only Linux has this; elsewhere `used` knows nothing.
        if let Ok(task) = fs::read_link("/proc/thread-self") {
            let account = PathBuf::from("/proc").join(task).join("schedstat");
            let _ = self.0.account.set(account);
        }
    }

    /// CPU time the thread has had in all (proc(5), `schedstat`).
    pub(crate) fn used(&self) -> Option<Duration> {
        let account = fs::read_to_string(self.0.account.get()?).ok()?;
        let nanos = account.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    }

    /// Counts a request. Only the shard's thread calls this.
    pub(crate) fn request(&self) {
        let requests = &self.0.requests;
        requests.store(requests.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.0.requests.load(Relaxed)
    }

    /// The shard's thread has nothing to do. Only it calls this.
    pub(crate) fn rest(&self, now: Instant) {
        self.0.resting_since.store(self.nanos(now).max(1), Relaxed);
    }

    /// The shard's thread goes on. Only it calls this.
    pub(crate) fn resume(&self, now: Instant) {
        let since = self.0.resting_since.load(Relaxed);
        if since > 0 {
            let rest = self.nanos(now).saturating_sub(since);
            let rested = self.0.rested.load(Relaxed);
            self.0.rested.store(rested + rest, Relaxed);
            self.0.resting_since.store(0, Relaxed);
        }
    }

    /// Time rested in all until `now`. Read while the shard goes on or rests,
    /// it may be off by that one rest; two looks half a second apart forgive it.
    pub(crate) fn rested(&self, now: Instant) -> Duration {
        let since = self.0.resting_since.load(Relaxed);
        let rest = match since {
            0 => 0,
            since => self.nanos(now).saturating_sub(since),
        };
        Duration::from_nanos(self.0.rested.load(Relaxed) + rest)
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.0.base).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_knows_what_a_thread_used() {
        let load = ShardLoad::default();
        assert_eq!(load.used(), None);
        load.begin();
        let before = load.used();
        assert!(before.is_some());
        // Another thread asks about this one.
        let again = std::thread::scope(|scope| scope.spawn(|| load.used()).join());
        assert!(again.is_ok_and(|again| again >= before));
    }

    #[test]
    fn rests_add_up_and_the_present_one_counts() {
        let load = ShardLoad::default();
        let at = |ms| load.0.base + Duration::from_millis(ms);
        let rested = |ms| load.rested(at(ms)).as_millis();
        assert_eq!(rested(10), 0);
        load.rest(at(10));
        assert_eq!(rested(15), 5);
        load.resume(at(20));
        assert_eq!(rested(50), 10);
        load.rest(at(60));
        load.resume(at(61));
        load.resume(at(70));
        assert_eq!(rested(80), 11);
    }
}
