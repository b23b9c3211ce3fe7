//! What metrics and the health page show of reading Kiali's configuration.

use crate::mesh::{Scheme, watch::condition::Condition};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// The scheme in force, as labels of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SchemeLabels {
    /// `app`, `waypoint` or `host`.
    pub(crate) form: &'static str,
    /// Is true when names carry a namespace.
    pub(crate) namespace_selector: bool,
    /// Kiali's version.
    pub(crate) version: String,
    /// `static`, the key of the source, or `pods`.
    pub(crate) source: &'static str,
}

impl SchemeLabels {
    /// Describes `scheme`, which is known from `source`.
    pub(crate) fn of(scheme: &Scheme, source: &'static str) -> Self {
        Self {
            form: scheme.form_name(),
            namespace_selector: scheme.namespace_selector,
            version: scheme.version().to_string(),
            source,
        }
    }
}

/// How the configuration of one processor's Kiali is read: written by its
/// follower, read by whoever scrapes.
#[derive(Debug)]
pub(crate) struct KialiStatus(Mutex<KialiState>);

#[derive(Debug)]
struct KialiState {
    condition: Condition,
    in_force: SchemeLabels,
    /// Which Kiali of the cluster was taken, and why.
    choice: Option<String>,
    errors: u64,
    /// Seconds since 1970; 0: never.
    last_read: u64,
    /// A watch stands: what was read last still holds.
    watching: bool,
}

impl KialiStatus {
    /// Begins with what the file alone says.
    pub(crate) fn new(in_force: SchemeLabels) -> Self {
        Self(Mutex::new(KialiState {
            condition: Condition::default(),
            in_force,
            choice: None,
            errors: 0,
            last_read: 0,
            watching: false,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, KialiState> {
        // Plain values: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the scheme in force.
    pub(crate) fn in_force(&self) -> SchemeLabels {
        self.lock().in_force.clone()
    }

    pub(super) fn set_in_force(&self, labels: SchemeLabels) {
        self.lock().in_force = labels;
    }

    /// Returns which Kiali of the cluster names are for, and why, where it is looked
    /// for.
    pub(crate) fn choice(&self) -> Option<String> {
        self.lock().choice.clone()
    }

    /// Returns whether the choice is another than before.
    pub(super) fn set_choice(&self, line: &str) -> bool {
        let mut state = self.lock();
        let new = state.choice.as_deref() != Some(line);
        state.choice = Some(line.to_owned());
        new
    }

    /// Nothing is to be read, so that nothing is wrong with reading it.
    pub(super) fn nothing_to_read(&self) {
        let mut state = self.lock();
        state.watching = false;
        state.condition = Condition::default();
    }

    /// Returns how many reads have failed.
    pub(crate) fn errors(&self) -> u64 {
        self.lock().errors
    }

    /// Cause and remedy, as long as the configuration cannot be read.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.lock().condition.trouble.clone()
    }

    /// Reading has failed. Returns whether `cause` is another than before.
    pub(super) fn failed(&self, cause: &str) -> bool {
        let mut state = self.lock();
        state.errors += 1;
        state.watching = false;
        state.condition.failed(cause)
    }

    /// Records that all was read; `watching` says whether a change will be seen at
    /// once. Returns whether reading had failed before.
    pub(super) fn read(&self, watching: bool) -> bool {
        let mut state = self.lock();
        state.last_read = now();
        state.watching = watching;
        state.condition.works(None)
    }

    /// It was read, but what holds it up stays.
    pub(super) fn read_in_part(&self) {
        self.lock().last_read = now();
    }

    /// A watch that stood is over; the next attempt shows more.
    pub(super) fn watch_failed(&self) {
        let mut state = self.lock();
        state.errors += 1;
        if std::mem::take(&mut state.watching) {
            state.last_read = now();
        }
    }

    /// When Kiali's configuration was last known for sure, in seconds since
    /// 1970; 0: never.
    pub(crate) fn last_read(&self) -> u64 {
        let state = self.lock();
        match state.watching {
            true => now(),
            false => state.last_read,
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
