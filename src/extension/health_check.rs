/*!
`health_check`: whether wayspan is up, over HTTP, in the Collector's words.

`GET` of the configured path answers 200 while requests are taken and 503
before that, while shutting down, and once one of its threads has died: a
process that has lost a part must be restarted, not kept.
*/

use crate::telemetry::http::Page;
use http::StatusCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// The state of the service, as health checks see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health {
    state: Arc<AtomicU8>,
    dead_threads: Arc<AtomicUsize>,
    started: Instant,
    since: SystemTime,
}

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

impl Default for Health {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            dead_threads: Arc::default(),
            started: Instant::now(),
            since: SystemTime::now(),
        }
    }
}

impl Health {
    /// Requests are taken from now on.
    pub fn ready(&self) {
        self.state.store(READY, Ordering::Release);
    }

    /// No new requests are taken from now on.
    pub fn stopping(&self) {
        self.state.store(STOPPING, Ordering::Release);
    }

    /// A thread of the service has panicked.
    pub fn thread_died(&self) {
        self.dead_threads.fetch_add(1, Ordering::Release);
    }

    /// Threads that have panicked.
    pub fn dead_threads(&self) -> usize {
        self.dead_threads.load(Ordering::Acquire)
    }

    /// The page.
    pub fn page(&self) -> Page {
        let (code, status) = match (self.state.load(Ordering::Acquire), self.dead_threads()) {
            (READY, 0) => (StatusCode::OK, "Server available".to_owned()),
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
        let body = serde_json::json!({
            "status": status,
            "upSince": humantime::format_rfc3339_millis(self.since).to_string(),
            "uptime": humantime::format_duration(Duration::from_secs(
                self.started.elapsed().as_secs(),
            ))
            .to_string(),
        });
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
        health.stopping();
        assert_eq!(health.page().0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
