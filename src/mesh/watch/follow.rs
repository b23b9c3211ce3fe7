/*!
Follows one kind of objects, in one namespace or everywhere: lists them page by
page, then watches from there on, and lists anew when the API server no longer
remembers where that was.

What was known stays known while the API server is away; only where we have
been forbidden to look for [`KEEP_FORBIDDEN`] is it forgotten (an API server
that has just started forbids for a moment what it will permit).
*/

use super::{
    api::{self, Events, PASSING, PROVEN, WATCH_PAUSE},
    backoff::Backoff,
    objects::{Object, Pool},
    status::{Kind, Status},
    store::{Records, Table},
    trouble::{Reason, Trouble, Verb},
};
use kube::{
    Client,
    api::{ListParams, WatchParams},
    core::{ObjectList, Request, WatchEvent},
};
use std::{cell::RefCell, convert::Infallible, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout_at},
};

/// Objects asked for at a time: a page of Pods is a few megabytes.
const PAGE: u32 = 250;

/// Objects of one kind that are kept.
pub const MAX_OBJECTS: usize = 200_000;

/// How long a page may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long all pages together may take, and how many there may be of them
/// and of those without objects in a row.
const ALL_PAGES: Duration = Duration::from_secs(600);
const MAX_PAGES: usize = 5_000;
const MAX_EMPTY_PAGES: usize = 10;

/// How long one watch lasts, at least; spread, so that watches do not end together.
const WATCH_SECONDS: u32 = 240;
const WATCH_SPREAD: u32 = 60;

/// Between two attempts, at first and at last.
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

/// How the following went of late. Starts afresh once a watch has brought
/// something or stood for [`PROVEN`]: opening says little.
struct Course {
    backoff: Backoff,
    /// Watches in a row that ended in an error.
    failed_watches: u32,
    /// Since when lists are forbidden.
    forbidden: Option<Instant>,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            failed_watches: 0,
            forbidden: None,
        }
    }
}

impl<O: Object> Follower<O> {
    const KIND: Kind = O::KIND;

    /// Follows for ever.
    pub async fn run(self) -> Infallible {
        let mut course = Course::default();
        loop {
            let trouble = self.session(&mut course).await;
            self.report(&trouble, course.failed_watches);
            if (trouble.reason, trouble.verb) == (Reason::Forbidden, Verb::List) {
                let since = course.forbidden.get_or_insert_with(Instant::now);
                if since.elapsed() > KEEP_FORBIDDEN {
                    self.replace(Records::default());
                }
            } else {
                course.forbidden = None;
            }
            sleep(course.backoff.next()).await;
        }
    }

    /// Lists, then watches as long as that works.
    async fn session(&self, course: &mut Course) -> Trouble {
        let mut version = match self.list().await {
            Ok(version) => version,
            Err(trouble) => return trouble,
        };
        course.forbidden = None;
        if course.failed_watches == 0 {
            self.works();
        }
        loop {
            let begun = Instant::now();
            if let Err(trouble) = self.watch(&mut version, course).await {
                course.failed_watches += 1;
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
        let begun = Instant::now();
        let (mut pages, mut empty) = (0, 0);
        loop {
            let request = self.request();
            let request = match Self::KIND {
                Kind::Namespaces => request.list_metadata(&params),
                _ => request.list(&params),
            };
            let request = request.map_err(|e| self.unbuildable(Verb::List, &e))?;
            let page: ObjectList<O> = api::get(&self.shared.client, request, LIST_TIMEOUT)
                .await
                .map_err(|e| Trouble::error(Verb::List, &e))?;
            pages += 1;
            empty = if page.items.is_empty() { empty + 1 } else { 0 };
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
                return Ok(version);
            }
            if pages >= MAX_PAGES || empty >= MAX_EMPTY_PAGES || begun.elapsed() >= ALL_PAGES {
                let message = format!("the list does not end, {pages} pages long");
                return Err(Trouble::new(Reason::Malformed, Verb::List, message));
            }
        }
    }

    /// Watches from `version` on until the server ends it, as it does now and
    /// then. An error means: list anew.
    async fn watch(&self, version: &mut String, course: &mut Course) -> Result<(), Trouble> {
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
        let mut events: Events<O> = api::watch(&self.shared.client, request, LIST_TIMEOUT)
            .await
            .map_err(|e| Trouble::error(Verb::Watch, &e))?;
        if course.failed_watches == 0 {
            self.works();
        }
        // A connection that died silently is found by its watch outliving itself.
        let end = Instant::now() + Duration::from_secs(u64::from(seconds) + 10);
        let mut stands = Some(Instant::now() + PROVEN);
        loop {
            match timeout_at(stands.unwrap_or(end), events.next()).await {
                Ok(Ok(Some(event))) => {
                    if let Some(seen) = self.take(event)? {
                        *version = seen;
                    }
                }
                Err(_) if stands.is_some() => {}
                // Cut off: whether the server is there shows at the next request.
                Ok(Ok(None)) | Err(_) => return Ok(()),
                Ok(Err(api::Error::CutOff(error))) => {
                    let what = Self::KIND.as_str();
                    tracing::debug!("kubernetes: watch of {what} cut off: {error}");
                    return Ok(());
                }
                Ok(Err(error)) => return Err(Trouble::error(Verb::Watch, &error)),
            }
            if stands.take().is_some() {
                *course = Course::default();
                self.works();
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

    fn report(&self, trouble: &Trouble, failed_watches: u32) {
        let line = trouble.line(Self::KIND, self.namespace.as_deref());
        if trouble.reason == Reason::Expired && failed_watches < PASSING {
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
pub(super) mod tests;
