/*!
What decisions rest on besides the span: how Kiali asks now, and what
Kubernetes holds now.

A [`Knowledge`] never changes. Whoever learns something new (the watchers of
Kubernetes and of Kiali's configuration) builds another one and puts it in its
place; shards pick it up at their next request, without a lock.
*/

use super::{Directory, MeshSettings, Scheme};
use arc_swap::{ArcSwap, Cache};
use std::{collections::BTreeMap, sync::Arc};

/// Everything known at one moment.
#[derive(Clone, Debug)]
pub struct Knowledge {
    /// How Kiali asks.
    pub scheme: Scheme,
    /// Added as `istio.cluster_id` where a span lacks it; empty: not added.
    pub cluster_id: String,
    /// Added to spans that lack them, besides those of the file: a followed Kiali's questions
    /// carry them.
    pub query_scope: BTreeMap<String, String>,
    /// Pods, Services and Namespaces; empty where Kubernetes is not watched.
    pub directory: Arc<Directory>,
}

impl Knowledge {
    /// Returns the knowledge that the configuration alone gives.
    pub fn of(settings: &MeshSettings) -> Self {
        Self {
            scheme: Scheme::new(&settings.kiali),
            cluster_id: settings.cluster_id.clone(),
            query_scope: BTreeMap::new(),
            directory: Arc::default(),
        }
    }
}

/// The knowledge in force, shared by the watchers and the shards.
#[derive(Debug)]
pub struct Current<T = Knowledge>(Arc<ArcSwap<T>>);

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Current {
    /// Replaces a part. Watchers may race: `change` is applied to what the
    /// other has put in place.
    pub(crate) fn update(&self, change: impl Fn(&mut Knowledge)) {
        self.0.rcu(|now| {
            let mut next = Knowledge::clone(now);
            change(&mut next);
            next
        });
    }
}

impl<T> Current<T> {
    /// Begins with `knowledge`.
    pub fn new(knowledge: T) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(knowledge)))
    }

    /// Returns what is known now.
    pub(crate) fn get(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Replaces all of it.
    pub(crate) fn replace(&self, knowledge: T) {
        self.0.store(Arc::new(knowledge));
    }

    /// Returns a shard's own view.
    pub(crate) fn reader(&self) -> Reader<T> {
        Reader {
            seen: self.get(),
            cache: Cache::new(Arc::clone(&self.0)),
        }
    }
}

/// One thread's view of the knowledge in force. It stands still between two
/// calls of [`Reader::refresh`], so that one request is decided by one
/// knowledge.
#[derive(Debug)]
pub(crate) struct Reader<T = Knowledge> {
    cache: Cache<Arc<ArcSwap<T>>, Arc<T>>,
    seen: Arc<T>,
}

impl<T> Reader<T> {
    /// Looks whether something was replaced; true if so. As long as nothing
    /// was, this is one load of a word that nobody writes.
    pub(crate) fn refresh(&mut self) -> bool {
        let now = self.cache.load();
        if Arc::ptr_eq(now, &self.seen) {
            return false;
        }
        self.seen = Arc::clone(now);
        true
    }

    /// Returns what was in force at the last [`Reader::refresh`].
    pub(crate) fn get(&self) -> &T {
        &self.seen
    }
}
