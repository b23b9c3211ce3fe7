/*!
Whether wayspan is up, as the page of `health_check` shows it, in the Collector's
words.

The page answers 200 while requests are taken and 503
before that, while shutting down, and once one of its threads has died or a bug
has shown: a process that has lost a part must be restarted, not kept. It answers 503
too while a shard has not turned for five seconds; one that is busy and turns is well. The body also tells
of parts without which spans still flow; those never change the status.
*/

use super::{Pulse, http::PageAnswer};
use http::StatusCode;
use serde_json::Value;
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// The state of the service, as health checks see it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    state: Arc<AtomicU8>,
    dead_threads: Arc<AtomicUsize>,
    panics: Arc<AtomicUsize>,
    started: Instant,
    since: SystemTime,
    details: Arc<Details>,
    pulses: Arc<Mutex<Vec<(String, Pulse)>>>,
}

/// A thread that has not turned for so long hangs.
const STILL: Duration = Duration::from_secs(5);

/// Parts of the page that others write.
#[derive(Default)]
struct Details(Mutex<Vec<(&'static str, Read)>>);

/// Says how a part does, now.
type Read = Box<dyn Fn() -> Value + Send>;

impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details").finish_non_exhaustive()
    }
}

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

impl Default for Health {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            dead_threads: Arc::default(),
            panics: Arc::default(),
            started: Instant::now(),
            since: SystemTime::now(),
            details: Arc::default(),
            pulses: Arc::default(),
        }
    }
}

impl Health {
    /// Requests are taken from now on.
    pub(crate) fn ready(&self) {
        self.state.store(READY, Ordering::Release);
    }

    /// No new requests are taken from now on.
    pub(crate) fn stopping(&self) {
        self.state.store(STOPPING, Ordering::Release);
    }

    /// A thread of the service has panicked.
    pub(crate) fn thread_died(&self) {
        self.dead_threads.fetch_add(1, Ordering::Release);
    }

    /// Something has panicked and was begun anew.
    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Release);
    }

    /// Threads that have panicked.
    pub(crate) fn dead_threads(&self) -> usize {
        self.dead_threads.load(Ordering::Acquire)
    }

    /// Adds to the page what `read` says whenever somebody looks, in the place of what
    /// had the name before.
    pub(crate) fn detail(&self, name: &'static str, read: impl Fn() -> Value + Send + 'static) {
        let details = &self.details.0;
        let mut details = details.lock().unwrap_or_else(PoisonError::into_inner);
        details.retain(|(other, _)| *other != name);
        details.push((name, Box::new(read)));
    }

    /// Turns red while the thread called `name` does not turn.
    pub(crate) fn watch(&self, name: &str, pulse: Pulse) {
        let mut pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.push((name.to_owned(), pulse));
    }

    /// The thread that has not turned for the longest, if that is too long.
    fn still(&self, now: Instant) -> Option<String> {
        let pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        let ages = pulses.iter().map(|(name, pulse)| (pulse.age(now), name));
        let (age, name) = ages.max().filter(|(age, _)| *age > STILL)?;
        Some(format!(
            "{name} has not turned for {} s: it works on one piece of data, or the machine has no \
             time for it",
            age.as_secs()
        ))
    }

    /// The page.
    pub(crate) fn page(&self) -> PageAnswer {
        self.page_at(Instant::now())
    }

    fn page_at(&self, now: Instant) -> PageAnswer {
        let state = self.state.load(Ordering::Acquire);
        let panics = self.panics.load(Ordering::Acquire);
        let (code, status) = match (state, self.dead_threads()) {
            (READY, 0) if panics == 0 => match self.still(now) {
                None => (StatusCode::OK, "Server available".to_owned()),
                Some(still) => (StatusCode::SERVICE_UNAVAILABLE, still),
            },
            (READY, 0) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("a bug has shown {panics} time(s), see the log; restart this process"),
            ),
            (STOPPING, _) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Server shutting down".to_owned(),
            ),
            (STARTING, 0) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Server starting".to_owned(),
            ),
            (_, dead) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{dead} thread(s) have died; restart this process"),
            ),
        };
        let mut body = serde_json::json!({
            "status": status,
            "upSince": humantime::format_rfc3339_millis(self.since).to_string(),
            "uptime": humantime::format_duration(Duration::from_secs(
                self.started.elapsed().as_secs(),
            ))
            .to_string(),
        });
        let details = &self.details.0;
        for (name, read) in &*details.lock().unwrap_or_else(PoisonError::into_inner) {
            body[*name] = read();
        }
        (code, "application/json", format!("{body}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_green_only_between_ready_and_stopping_with_all_threads() {
        let health = Health::default();
        assert_eq!(health.page().0, StatusCode::SERVICE_UNAVAILABLE);
        health.ready();
        assert_eq!(health.page().0, StatusCode::OK);
        health.thread_died();
        assert_eq!(health.page().0, StatusCode::SERVICE_UNAVAILABLE);
        assert!(health.page().2.contains("restart"));

        let health = Health::default();
        health.ready();
        health.panicked();
        assert_eq!(health.page().0, StatusCode::SERVICE_UNAVAILABLE);
        assert!(health.page().2.contains("a bug has shown 1 time(s)"));

        let health = Health::default();
        health.detail("kubernetes", || serde_json::json!({"pods": "forbidden"}));
        health.ready();
        let (status, _, body) = health.page();
        assert_eq!(status, StatusCode::OK);
        assert!(
            body.contains(r#""kubernetes":{"pods":"forbidden"}"#),
            "{body}"
        );

        let health = Health::default();
        health.ready();
        health.watch("shard-0", Pulse::default());
        let now = Instant::now();
        assert_eq!(health.page_at(now).0, StatusCode::OK);
        let (status, _, body) = health.page_at(now + 2 * STILL);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("shard-0 has not turned for"), "{body}");

        let health = Health::default();
        health.ready();
        health.stopping();
        assert_eq!(health.page().0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
