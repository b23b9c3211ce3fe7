/*!
The state of a directory's watches, for metrics and for the health page. Written by
the watcher when something changes, read when somebody looks.
*/

use super::{condition::Condition, error::WatchErrorKind, resource::Resource};
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The state of one list and watch: in one namespace, or everywhere.
#[derive(Debug, Default)]
struct WatchState {
    condition: Condition,
    objects: usize,
}

#[derive(Debug, Default)]
struct ResourceState {
    watches: Mutex<Vec<WatchState>>,
    errors: [AtomicU64; WatchErrorKind::ALL.len()],
}

/// The state of all watches that one directory is built from.
#[derive(Debug, Default)]
pub(crate) struct DirectoryStatus {
    /// In the order of [`Resource::FOLLOWED`].
    resources: [ResourceState; Resource::FOLLOWED.len()],
    updates: AtomicU64,
}

/// The state of one kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceView {
    /// All its objects are known and followed.
    pub(crate) up: bool,
    /// How many objects are known.
    pub(crate) objects: usize,
    /// Cause and remedy of what is wrong.
    pub(crate) trouble: Option<String>,
}

impl DirectoryStatus {
    /// With so many watches of each resource, none tried yet.
    pub(crate) fn new(watched: &[(Resource, usize)]) -> Self {
        let status = Self::default();
        for (resource, watches) in watched {
            let mut states = status.of(*resource).lock();
            states.resize_with(*watches, WatchState::default);
        }
        status
    }

    /// Returns true if there is a watch of `resource`.
    pub(crate) fn follows(&self, resource: Resource) -> bool {
        !self.of(resource).lock().is_empty()
    }

    /// `resource` is one of [`Resource::FOLLOWED`], which are the first.
    fn of(&self, resource: Resource) -> &ResourceState {
        &self.resources[resource as usize]
    }

    /// Returns the state of `resource` in all its watches together.
    pub(crate) fn view(&self, resource: Resource) -> ResourceView {
        let watches = self.of(resource).lock();
        let mut conditions = watches.iter().map(|watch| &watch.condition);
        ResourceView {
            up: conditions.clone().all(|condition| condition.up),
            objects: watches.iter().map(|watch| watch.objects).sum(),
            trouble: conditions.find_map(|condition| condition.trouble.clone()),
        }
    }

    /// Returns how many errors there were of this kind.
    pub(crate) fn errors(&self, resource: Resource, kind: WatchErrorKind) -> u64 {
        self.of(resource).errors[kind as usize].load(Relaxed)
    }

    /// Returns how many directories were put in place.
    pub(crate) fn updates(&self) -> u64 {
        self.updates.load(Relaxed)
    }

    pub(super) fn updated(&self) {
        self.updates.fetch_add(1, Relaxed);
    }

    /// Returns true if every watch has listed or has failed to.
    pub(super) fn all_tried(&self) -> bool {
        let tried = |state: &ResourceState| state.lock().iter().all(|w| w.condition.tried);
        self.resources.iter().all(tried)
    }

    /// Objects of a resource in all watches but the one at `at`.
    pub(super) fn objects_beside(&self, resource: Resource, at: usize) -> usize {
        let watches = self.of(resource).lock();
        let others = watches.iter().enumerate().filter(|(i, _)| *i != at);
        others.map(|(_, watch)| watch.objects).sum()
    }

    pub(super) fn set_objects(&self, resource: Resource, at: usize, objects: usize) {
        if let Some(watch) = self.of(resource).lock().get_mut(at) {
            watch.objects = objects;
        }
    }

    /// See [`Condition::works`].
    pub(super) fn works(&self, resource: Resource, at: usize, trouble: Option<String>) -> bool {
        let mut watches = self.of(resource).lock();
        let watch = watches.get_mut(at);
        watch.is_some_and(|watch| watch.condition.works(trouble))
    }

    /// Counts an error; else as [`Condition::failed`].
    pub(super) fn failed(
        &self,
        resource: Resource,
        at: usize,
        kind: WatchErrorKind,
        trouble: &str,
    ) -> bool {
        self.count(resource, kind);
        let mut watches = self.of(resource).lock();
        let watch = watches.get_mut(at);
        watch.is_some_and(|watch| watch.condition.failed(trouble))
    }

    pub(super) fn count(&self, resource: Resource, kind: WatchErrorKind) {
        self.of(resource).errors[kind as usize].fetch_add(1, Relaxed);
    }
}

impl ResourceState {
    fn lock(&self) -> MutexGuard<'_, Vec<WatchState>> {
        // Plain values: a panic elsewhere leaves nothing half done.
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
