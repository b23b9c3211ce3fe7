//! What metrics and the health page show of reading Kiali's configuration.

use crate::mesh::Scheme;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// The scheme in force, as labels of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `app`, `waypoint` or `host`.
    pub form: &'static str,
    /// Whether names carry a namespace.
    pub namespace_selector: bool,
    /// Kiali's version.
    pub version: String,
    /// `static`, or the key of the source.
    pub source: &'static str,
}

impl Shown {
    /// Of `scheme`, known from `source`.
    pub fn of(scheme: &Scheme, source: &'static str) -> Self {
        Self {
            form: scheme.form_name(),
            namespace_selector: scheme.namespace_selector,
            version: scheme.version().to_string(),
            source,
        }
    }
}

/// Written by one watcher, read by whoever scrapes.
#[derive(Debug)]
pub struct Status {
    shown: Mutex<Shown>,
    /// Why it could not be read last.
    trouble: Mutex<Option<String>>,
    errors: AtomicU64,
    /// Seconds since 1970; 0: never.
    last_read: AtomicU64,
    /// A watch stands: what was read last still holds.
    watching: AtomicBool,
}

impl Status {
    /// Begins with what the file alone says.
    pub fn new(shown: Shown) -> Self {
        Self {
            shown: Mutex::new(shown),
            trouble: Mutex::default(),
            errors: AtomicU64::new(0),
            last_read: AtomicU64::new(0),
            watching: AtomicBool::new(false),
        }
    }

    /// The scheme in force.
    pub fn shown(&self) -> Shown {
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn show(&self, shown: Shown) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }

    /// Failed reads.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Cause and remedy, as long as it cannot be read.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(super) fn failed(&self, cause: &str) {
        self.put_trouble(Some(cause.to_owned()));
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.watching.store(false, Ordering::Relaxed);
    }

    pub(super) fn read(&self, watching: bool) {
        self.put_trouble(None);
        self.last_read.store(now(), Ordering::Relaxed);
        self.watching.store(watching, Ordering::Relaxed);
    }

    /// It was read, but what holds it up stays.
    pub(super) fn read_in_part(&self) {
        self.last_read.store(now(), Ordering::Relaxed);
    }

    /// A watch that stood is over; the next attempt tells more.
    pub(super) fn watch_failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        if self.watching.swap(false, Ordering::Relaxed) {
            self.last_read.store(now(), Ordering::Relaxed);
        }
    }

    /// When Kiali's configuration was last known for sure, in seconds since
    /// 1970; 0: never.
    pub fn last_read(&self) -> u64 {
        match self.watching.load(Ordering::Relaxed) {
            true => now(),
            false => self.last_read.load(Ordering::Relaxed),
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
