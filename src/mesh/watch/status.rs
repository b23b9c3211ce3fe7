/*!
How the watching goes, for metrics and for the health page. Written by the
watcher at each turn of events, read when somebody looks.
*/

use super::trouble::Reason;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pods.
    Pods,
    /// Services.
    Services,
    /// Namespaces, only their metadata.
    Namespaces,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Pods, Kind::Services, Kind::Namespaces];

    /// The resource's name in the API and in RBAC.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Pods => "pods",
            Kind::Services => "services",
            Kind::Namespaces => "namespaces",
        }
    }
}

/// One watch of one kind: in one namespace, or everywhere.
#[derive(Debug, Default)]
struct Watch {
    /// It has listed or has failed to.
    tried: bool,
    up: bool,
    objects: usize,
    trouble: Option<String>,
}

#[derive(Debug, Default)]
struct OfKind {
    watches: Mutex<Vec<Watch>>,
    errors: [AtomicU64; Reason::ALL.len()],
}

/// How one watcher does.
#[derive(Debug, Default)]
pub struct Status {
    kinds: [OfKind; 3],
    updates: AtomicU64,
}

/// How the watching of one kind goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindView {
    /// Whether everything of it is known and followed.
    pub up: bool,
    /// Objects known.
    pub objects: usize,
    /// What is wrong, if something is.
    pub trouble: Option<String>,
}

impl Status {
    /// With `watches` watches of each kind, nothing done yet.
    pub fn new(watches: usize) -> Self {
        let status = Self::default();
        for kind in &status.kinds {
            kind.lock().resize_with(watches, Watch::default);
        }
        status
    }

    fn of(&self, kind: Kind) -> &OfKind {
        &self.kinds[kind as usize]
    }

    /// How the watching of `kind` goes.
    pub fn view(&self, kind: Kind) -> KindView {
        let watches = self.of(kind).lock();
        KindView {
            up: watches.iter().all(|watch| watch.up),
            objects: watches.iter().map(|watch| watch.objects).sum(),
            trouble: watches.iter().find_map(|watch| watch.trouble.clone()),
        }
    }

    /// Errors so far.
    pub fn errors(&self, kind: Kind, reason: Reason) -> u64 {
        self.of(kind).errors[reason as usize].load(Relaxed)
    }

    /// Directories put in place so far.
    pub fn updates(&self) -> u64 {
        self.updates.load(Relaxed)
    }

    pub(super) fn updated(&self) {
        self.updates.fetch_add(1, Relaxed);
    }

    /// Whether every watch has listed or has failed to.
    pub(super) fn all_tried(&self) -> bool {
        self.kinds.iter().all(|k| k.lock().iter().all(|w| w.tried))
    }

    /// Objects of a kind in all watches but one.
    pub(super) fn objects_beside(&self, kind: Kind, at: usize) -> usize {
        let watches = self.of(kind).lock();
        let others = watches.iter().enumerate().filter(|(i, _)| *i != at);
        others.map(|(_, watch)| watch.objects).sum()
    }

    pub(super) fn set_objects(&self, kind: Kind, at: usize, objects: usize) {
        if let Some(watch) = self.of(kind).lock().get_mut(at) {
            watch.objects = objects;
        }
    }

    /// It works. Returns whether it has failed before.
    pub(super) fn up(&self, kind: Kind, at: usize, trouble: Option<String>) -> bool {
        let mut watches = self.of(kind).lock();
        let Some(watch) = watches.get_mut(at) else {
            return false;
        };
        let came_back = watch.tried && !watch.up;
        (watch.tried, watch.up) = (true, true);
        watch.trouble = trouble;
        came_back
    }

    /// It does not work. Returns whether that is news.
    pub(super) fn down(&self, kind: Kind, at: usize, reason: Reason, trouble: &str) -> bool {
        self.count(kind, reason);
        let mut watches = self.of(kind).lock();
        let Some(watch) = watches.get_mut(at) else {
            return false;
        };
        watch.tried = true;
        watch.up = false;
        let news = watch.trouble.as_deref() != Some(trouble);
        watch.trouble = Some(trouble.to_owned());
        news
    }

    pub(super) fn count(&self, kind: Kind, reason: Reason) {
        self.of(kind).errors[reason as usize].fetch_add(1, Relaxed);
    }
}

impl OfKind {
    fn lock(&self) -> MutexGuard<'_, Vec<Watch>> {
        // Plain values: a panic elsewhere leaves nothing half done.
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
