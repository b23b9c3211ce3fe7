/*!
Keeps the objects of one kind, in one namespace or everywhere, as records.

What was known stays known while the API server is away; only where lists have
been forbidden for [`KEEP_FORBIDDEN`] is it forgotten (an API server that has
just started forbids for a moment what it will permit).
*/

use super::{
    error::{Verb, WatchError, WatchErrorKind},
    kept::Kept,
    list_watch::{self, PASSING, Query, WatchStore},
    objects::{LabelPool, Object},
    records::{Records, SharedRecords},
    resource::Resource,
    status::DirectoryStatus,
};
use kube::Client;
use std::{
    cell::RefCell, convert::Infallible, ops::ControlFlow, rc::Rc, sync::Arc, time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Objects asked for at a time: a page of Pods is a few megabytes.
const PAGE: u32 = 250;

/// Objects of one kind that are kept.
pub(crate) const MAX_OBJECTS: usize = 200_000;

/// See the prologue.
const KEEP_FORBIDDEN: Duration = Duration::from_secs(300);

/// What the stores of a watcher share.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) status: Arc<DirectoryStatus>,
    pub(crate) pool: RefCell<LabelPool>,
    /// What is kept of each object.
    pub(crate) kept: Kept,
    /// Notified when a record has changed.
    pub(crate) changed: Notify,
    /// Objects of one kind that are kept: [`MAX_OBJECTS`].
    pub(crate) most: usize,
}

/// The records of one list and watch.
pub(crate) struct RecordStore<O: Object> {
    pub(crate) shared: Rc<Shared>,
    /// The only namespace to look into.
    pub(crate) namespace: Option<String>,
    /// Which of the objects there are asked for.
    pub(crate) picked: Picked,
    /// Its position in [`DirectoryStatus`].
    pub(crate) at: usize,
    pub(crate) records: SharedRecords<O>,
    /// Since when lists are forbidden.
    pub(crate) forbidden: Option<Instant>,
}

/// Which objects of a collection are asked for; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picked {
    /// A selector of fields.
    pub(crate) fields: Option<String>,
    /// A selector of labels.
    pub(crate) labels: Option<String>,
}

/// A list on its way: its records, and how many there may be.
pub(crate) struct NewList<O: Object> {
    records: Records<O>,
    room: usize,
}

impl<O: Object> RecordStore<O> {
    const RESOURCE: Resource = O::RESOURCE;

    /// Follows for ever.
    pub(crate) async fn run(self) -> Infallible {
        let shared = Rc::clone(&self.shared);
        let query = self.query();
        list_watch::follow(&shared.client, &query, self).await
    }

    fn query(&self) -> Query {
        let namespace = self.namespace.as_deref();
        // Namespaces lie in none: one of them is picked by its name.
        let named = namespace.filter(|_| Self::RESOURCE == Resource::Namespaces);
        let named = named.map(|name| format!("metadata.name={name}"));
        let read_whole = [Resource::Pods, Resource::Services];
        Query {
            path: Self::RESOURCE.path(namespace),
            field_selector: named.or_else(|| self.picked.fields.clone()),
            label_selector: self.picked.labels.clone(),
            metadata_only: !read_whole.contains(&Self::RESOURCE),
            page: Some(PAGE),
            answer: Duration::from_secs(60),
            watch_seconds: 240..=299,
            pauses: [1, 60].map(Duration::from_secs),
        }
    }

    /// Puts records in place, and tells if that changes anything.
    fn set(&self, records: Records<O>) {
        let changed = !self.records.borrow().same(&records);
        self.records.replace(records);
        if changed {
            self.changed();
        }
    }

    fn changed(&self) {
        let objects = self.records.borrow().len();
        let status = &self.shared.status;
        status.set_objects(Self::RESOURCE, self.at, objects);
        self.shared.changed.notify_one();
    }

    /// Returns how many objects may be kept here.
    fn room(&self) -> usize {
        let others = (self.shared.status).objects_beside(Self::RESOURCE, self.at);
        self.shared.most.saturating_sub(others)
    }

    /// Counts that there are too many objects, and warns if this is new.
    fn overflow(&self, new: bool) {
        let status = &self.shared.status;
        status.count(Self::RESOURCE, WatchErrorKind::TooMany);
        if new {
            tracing::warn!("{}", self.too_many());
        }
    }

    fn too_many(&self) -> String {
        let what = Self::RESOURCE.plural();
        let message = format!(
            "more than {} {what}: the rest is not known, and nothing is concluded from all \
             {what} together. Limit kubernetes.namespaces to those of the mesh",
            self.shared.most
        );
        WatchError::new(WatchErrorKind::TooMany, Verb::List, message).line(Self::RESOURCE, None)
    }
}

impl<O: Object> WatchStore for RecordStore<O> {
    type Object = O;
    type List = NewList<O>;

    fn version(object: &O) -> Option<&str> {
        Some(&object.meta().resource_version)
    }

    fn new_list(&self) -> NewList<O> {
        NewList {
            records: Records::default(),
            room: self.room(),
        }
    }

    fn add(&self, list: &mut NewList<O>, object: O) -> ControlFlow<()> {
        if list.records.len() >= list.room {
            list.records.truncated = true;
            return ControlFlow::Break(());
        }
        let record = object.key();
        let Shared { pool, kept, .. } = &*self.shared;
        (list.records).put(record, object.record(&mut pool.borrow_mut(), kept));
        ControlFlow::Continue(())
    }

    fn replace(&mut self, list: NewList<O>) {
        let mut records = list.records;
        records.listed = true;
        self.forbidden = None;
        if records.truncated {
            self.overflow(true);
        }
        self.set(records);
    }

    fn put(&mut self, object: O) {
        let key = object.key();
        let mut records = self.records.borrow_mut();
        if !records.has(&key) && records.len() >= self.room() {
            let new = !records.truncated;
            records.truncated = true;
            return self.overflow(new);
        }
        let Shared { pool, kept, .. } = &*self.shared;
        let record = object.record(&mut pool.borrow_mut(), kept);
        let changed = records.put(key, record);
        drop(records);
        if changed {
            self.changed();
        }
    }

    fn remove(&mut self, object: O) {
        if self.records.borrow_mut().remove(&object.key()) {
            self.changed();
        }
    }

    fn works(&mut self) {
        let trouble = self.records.borrow().truncated.then(|| self.too_many());
        if (self.shared.status).works(Self::RESOURCE, self.at, trouble) {
            let namespace = self.namespace.as_deref();
            let place = namespace.map(|name| format!(" in namespace {name}"));
            tracing::info!(
                "kubernetes: {}{} are watched now",
                Self::RESOURCE.plural(),
                place.unwrap_or_default()
            );
        }
    }

    fn failed(&mut self, error: &WatchError, failed_watches: u32) {
        let line = error.line(Self::RESOURCE, self.namespace.as_deref());
        let status = &self.shared.status;
        if error.kind == WatchErrorKind::Expired && failed_watches < PASSING {
            // Part of the protocol: the list that follows mends it.
            status.count(Self::RESOURCE, WatchErrorKind::Expired);
            tracing::debug!("{line}");
        } else if status.failed(Self::RESOURCE, self.at, error.kind, &line) {
            tracing::warn!("{line}");
        } else {
            tracing::debug!("{line}");
        }
        if (error.kind, error.verb) != (WatchErrorKind::Forbidden, Verb::List) {
            self.forbidden = None;
            return;
        }
        let since = self.forbidden.get_or_insert_with(Instant::now);
        if since.elapsed() > KEEP_FORBIDDEN {
            self.set(Records::default());
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
