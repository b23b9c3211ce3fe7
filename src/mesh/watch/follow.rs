/*!
Follows one kind of objects, in one namespace or everywhere: lists them page by
page, then watches from there on, and lists anew when the API server no longer
remembers where that was.

What was known stays known while the API server is away; only where we have
been forbidden to look for [`KEEP_FORBIDDEN`] is it forgotten (an API server
that has just started forbids for a moment what it will permit).
*/

use super::{
    objects::{Object, Pool},
    status::{Kind, Status},
    store::{Records, Table},
    trouble::{Reason, Trouble, Verb},
};
use futures_util::TryStreamExt;
use kube::{
    Client,
    api::{ListParams, WatchParams},
    core::{ObjectList, Request, WatchEvent},
};
use std::{cell::RefCell, convert::Infallible, pin::pin, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout},
};

/// Objects asked for at a time: a page of Pods is a few megabytes.
const PAGE: u32 = 250;

/// Objects of one kind that are kept.
pub const MAX_OBJECTS: usize = 200_000;

/// How long a page may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one watch lasts, at least; spread, so that watches do not end together.
const WATCH_SECONDS: u32 = 240;
const WATCH_SPREAD: u32 = 60;

/// A server that ends watches at once is not asked more often than this.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Between two attempts, at first and at last; with up to half taken off.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// See the prologue.
const KEEP_FORBIDDEN: Duration = Duration::from_secs(300);

/// What all watches of a watcher share.
pub struct Shared {
    pub client: Client,
    pub status: Arc<Status>,
    pub pool: RefCell<Pool>,
    /// Rung when a record changed.
    pub changed: Notify,
    /// Objects of one kind that are kept: [`MAX_OBJECTS`].
    pub most: usize,
}

/// One watch.
pub struct Follower<O: Object> {
    pub shared: Rc<Shared>,
    /// The only namespace to look into.
    pub namespace: Option<String>,
    /// Its place in [`Status`].
    pub at: usize,
    pub table: Table<O>,
}

/// Grows from the first pause to the longest.
struct Backoff(Duration);

impl Backoff {
    fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(rand::random_range(0.5..1.0));
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        pause
    }
}

impl<O: Object> Follower<O> {
    const KIND: Kind = O::KIND;

    /// Follows for ever.
    pub async fn run(self) -> Infallible {
        let mut backoff = Backoff(FIRST_PAUSE);
        let mut forbidden: Option<Instant> = None;
        loop {
            let trouble = self.session(&mut backoff).await;
            self.report(&trouble);
            if trouble.reason == Reason::Forbidden {
                let since = forbidden.get_or_insert_with(Instant::now);
                if since.elapsed() > KEEP_FORBIDDEN {
                    self.replace(Records::default());
                }
            } else {
                forbidden = None;
            }
            sleep(backoff.next()).await;
        }
    }

    /// Lists, then watches as long as that works.
    async fn session(&self, backoff: &mut Backoff) -> Trouble {
        let mut version = match self.list().await {
            Ok(version) => version,
            Err(trouble) => return trouble,
        };
        loop {
            let begun = Instant::now();
            if let Err(trouble) = self.watch(&mut version, backoff).await {
                return trouble;
            }
            sleep_until(begun + WATCH_PAUSE).await;
        }
    }

    /// Lists everything and puts it in place. Returns where to watch from.
    async fn list(&self) -> Result<String, Trouble> {
        let mut records = Records::default();
        let room = self.room();
        let mut params = self.list_params();
        loop {
            let request = self.request();
            let request = match Self::KIND {
                Kind::Namespaces => request.list_metadata(&params),
                _ => request.list(&params),
            };
            let request = request.map_err(|e| self.unbuildable(Verb::List, &e))?;
            let page = timeout(LIST_TIMEOUT, self.shared.client.request(request))
                .await
                .map_err(|_| Trouble::timeout(Verb::List, LIST_TIMEOUT))?;
            let page: ObjectList<O> = page.map_err(|e| Trouble::error(Verb::List, &e))?;
            for object in page.items {
                if records.len() >= room {
                    records.truncated = true;
                    break;
                }
                let key = object.key();
                records.put(key, object.record(&mut self.shared.pool.borrow_mut()));
            }
            let version = page.metadata.resource_version.unwrap_or_default();
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() || records.truncated {
                records.listed = true;
                if records.truncated {
                    self.overflow(true);
                }
                self.replace(records);
                self.works();
                return Ok(version);
            }
        }
    }

    /// Watches from `version` on until the server ends it, as it does now and
    /// then. An error means: list anew.
    async fn watch(&self, version: &mut String, backoff: &mut Backoff) -> Result<(), Trouble> {
        let seconds = WATCH_SECONDS + rand::random_range(0..WATCH_SPREAD);
        let params = WatchParams {
            bookmarks: true,
            timeout: Some(seconds),
            field_selector: self.list_params().field_selector,
            ..WatchParams::default()
        };
        let request = self.request();
        let request = match Self::KIND {
            Kind::Namespaces => request.watch_metadata(&params, version),
            _ => request.watch(&params, version),
        };
        let request = request.map_err(|e| self.unbuildable(Verb::Watch, &e))?;
        let events = timeout(
            LIST_TIMEOUT,
            self.shared.client.request_events::<O>(request),
        )
        .await
        .map_err(|_| Trouble::timeout(Verb::Watch, LIST_TIMEOUT))?
        .map_err(|e| Trouble::error(Verb::Watch, &e))?;
        self.works();
        *backoff = Backoff(FIRST_PAUSE);
        let mut events = pin!(events);
        // A connection that died silently is found by its watch outliving itself.
        let limit = Duration::from_secs(u64::from(seconds) + 10);
        loop {
            match timeout(limit, events.try_next()).await {
                Ok(Ok(Some(event))) => {
                    if let Some(seen) = self.take(event)? {
                        *version = seen;
                    }
                }
                // Cut off: whether the server is there shows at the next request.
                Ok(Ok(None)) | Err(_) => return Ok(()),
                Ok(Err(kube::Error::SerdeError(error))) => {
                    return Err(Trouble::error(Verb::Watch, &kube::Error::SerdeError(error)));
                }
                Ok(Err(error)) => {
                    tracing::debug!(
                        "kubernetes: watch of {} cut off: {error}",
                        Self::KIND.as_str()
                    );
                    return Ok(());
                }
            }
        }
    }

    /// Takes an event in; returns the version it brings us to.
    fn take(&self, event: WatchEvent<O>) -> Result<Option<String>, Trouble> {
        let version = |object: &O| Some(object.meta().resource_version.clone());
        let seen = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                let seen = version(&object);
                self.put(object);
                seen
            }
            WatchEvent::Deleted(object) => {
                if self.table.borrow_mut().remove(&object.key()) {
                    self.touched();
                }
                version(&object)
            }
            WatchEvent::Bookmark(mark) => Some(mark.metadata.resource_version),
            WatchEvent::Error(answer) => return Err(Trouble::answer(Verb::Watch, &answer)),
        };
        Ok(seen.filter(|version| !version.is_empty()))
    }

    fn put(&self, object: O) {
        let key = object.key();
        let mut table = self.table.borrow_mut();
        if !table.has(&key) && table.len() >= self.room() {
            let first = !table.truncated;
            table.truncated = true;
            self.overflow(first);
            return;
        }
        let record = object.record(&mut self.shared.pool.borrow_mut());
        let changed = table.put(key, record);
        drop(table);
        if changed {
            self.touched();
        }
    }

    /// Puts a whole list in place.
    fn replace(&self, records: Records<O>) {
        let changed = !self.table.borrow().same(&records);
        self.table.replace(records);
        if changed {
            self.touched();
        }
    }

    fn touched(&self) {
        let objects = self.table.borrow().len();
        self.shared.status.set_objects(Self::KIND, self.at, objects);
        self.shared.changed.notify_one();
    }

    /// How many objects may be kept here.
    fn room(&self) -> usize {
        let others = self.shared.status.objects_beside(Self::KIND, self.at);
        self.shared.most.saturating_sub(others)
    }

    fn overflow(&self, say: bool) {
        self.shared.status.count(Self::KIND, Reason::TooMany);
        if say {
            tracing::warn!("{}", self.too_many());
        }
    }

    fn too_many(&self) -> String {
        let what = Self::KIND.as_str();
        let message = format!(
            "more than {} {what}: the rest is not known, and nothing is concluded from all \
             {what} together. Limit kubernetes.namespaces to those of the mesh",
            self.shared.most
        );
        Trouble::new(Reason::TooMany, Verb::List, message).line(Self::KIND, None)
    }

    fn works(&self) {
        let trouble = self.table.borrow().truncated.then(|| self.too_many());
        if self.shared.status.up(Self::KIND, self.at, trouble) {
            let place = self
                .namespace
                .as_deref()
                .map(|ns| format!(" in namespace {ns}"));
            tracing::info!(
                "kubernetes: {}{} are watched now",
                Self::KIND.as_str(),
                place.unwrap_or_default()
            );
        }
    }

    fn report(&self, trouble: &Trouble) {
        let line = trouble.line(Self::KIND, self.namespace.as_deref());
        if trouble.reason == Reason::Expired {
            // Part of the protocol: the list that follows mends it.
            self.shared.status.count(Self::KIND, Reason::Expired);
            tracing::debug!("{line}");
            return;
        }
        let status = &self.shared.status;
        if status.down(Self::KIND, self.at, trouble.reason, &line) {
            tracing::warn!("{line}");
        } else {
            tracing::debug!("{line}");
        }
    }

    fn unbuildable(&self, verb: Verb, error: &kube::core::request::Error) -> Trouble {
        Trouble::new(Reason::Malformed, verb, error.to_string())
    }

    fn request(&self) -> Request {
        Request::new(match (&self.namespace, Self::KIND) {
            (Some(namespace), Kind::Pods | Kind::Services) => {
                format!("/api/v1/namespaces/{namespace}/{}", Self::KIND.as_str())
            }
            _ => format!("/api/v1/{}", Self::KIND.as_str()),
        })
    }

    fn list_params(&self) -> ListParams {
        ListParams {
            limit: Some(PAGE),
            // Namespaces lie in none: one of them is picked by its name.
            field_selector: match (&self.namespace, Self::KIND) {
                (Some(namespace), Kind::Namespaces) => Some(format!("metadata.name={namespace}")),
                _ => None,
            },
            ..ListParams::default()
        }
    }
}

#[cfg(test)]
mod tests;
