/*!
The list-and-watch loop behind everything that is followed in Kubernetes.

It lists page by page, then watches from there on, and lists again when the API
server no longer remembers where that was, or after any other failure: so an
object that was replaced, deleted or hidden meanwhile is noticed. Every wait has
an end, and so has every answer.

A watch that opens says little. Only one that brought an event or has stood for
[`PROVEN`] makes attempts frequent again and ends a row of failed watches.
*/

use super::{
    api::{self, ApiError, Events},
    error::{Verb, WatchError, WatchErrorKind},
};
use crate::{backoff::Backoff, random::rng};
use kube::{
    Client,
    api::{ListParams, WatchParams},
    core::{ObjectList, Request, WatchEvent, request},
};
use rand::Rng as _;
use serde::de::DeserializeOwned;
use std::{
    convert::Infallible,
    ops::{ControlFlow, RangeInclusive},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How long a watch stands before it is believed to work.
const PROVEN: Duration = Duration::from_secs(10);

/// Watches that fail in a row for a reason that a new list may mend, before
/// that is called a failure.
pub(crate) const PASSING: u32 = 5;

/// A server that ends watches at once is not asked more often than this.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// A connection that died silently is found by its watch lasting longer than
/// was asked for, by this much.
const OVERTIME: Duration = Duration::from_secs(10);

/// The pages of one list: their number, those without objects in a row, and the
/// time all of them may take.
const MAX_PAGES: usize = 5_000;
pub(crate) const MAX_EMPTY_PAGES: usize = 10;
const ALL_PAGES: Duration = Duration::from_secs(600);

/// What is asked of the API server, and how long an answer may take.
pub(crate) struct Query {
    /// The collection's path.
    pub(crate) path: String,
    /// Picks objects of the collection by their fields.
    pub(crate) field_selector: Option<String>,
    /// Picks objects of the collection by their labels.
    pub(crate) label_selector: Option<String>,
    /// Only `metadata` is asked for.
    pub(crate) metadata_only: bool,
    /// Objects in one page of a list; None: all in one.
    pub(crate) page: Option<u32>,
    /// The time for a page, and for the beginning of a watch.
    pub(crate) answer: Duration,
    /// How many seconds the server lets a watch last; drawn from this range, so
    /// that watches do not end together.
    pub(crate) watch_seconds: RangeInclusive<u32>,
    /// The longest pause before the second attempt, and before any.
    pub(crate) pauses: [Duration; 2],
}

/// Keeps what a loop sees.
pub(crate) trait WatchStore {
    /// The objects as they are read.
    type Object: DeserializeOwned + Clone + 'static;
    /// A list that is not complete yet. A list that fails is dropped.
    type List;

    /// Returns the object's `resourceVersion`: where a watch goes on after it.
    fn version(object: &Self::Object) -> Option<&str>;
    /// Begins a list.
    fn new_list(&self) -> Self::List;
    /// Adds an object to a list. Break: there is no room for more.
    fn add(&self, list: &mut Self::List, object: Self::Object) -> ControlFlow<()>;
    /// Puts a list in place of what was known.
    fn replace(&mut self, list: Self::List);
    /// Keeps an object that is new or has changed.
    fn put(&mut self, object: Self::Object);
    /// Forgets an object that was deleted.
    fn remove(&mut self, object: Self::Object);
    /// Lists work and so do watches, as far as they were tried.
    fn works(&mut self);
    /// A list or a watch has failed, after `failed_watches` failed watches in a
    /// row, this one included.
    fn failed(&mut self, error: &WatchError, failed_watches: u32);
}

/// Follows what `query` asks for, for ever.
pub(crate) async fn follow<S: WatchStore>(client: &Client, query: &Query, store: S) -> Infallible {
    let mut follow = Loop {
        client,
        query,
        store,
        backoff: query.backoff(),
        failed_watches: 0,
    };
    loop {
        let error = follow.session().await;
        follow.store.failed(&error, follow.failed_watches);
        sleep(follow.backoff.next_wait()).await;
    }
}

struct Loop<'a, S> {
    client: &'a Client,
    query: &'a Query,
    store: S,
    backoff: Backoff,
    /// How many have failed in a row.
    failed_watches: u32,
}

impl<S: WatchStore> Loop<'_, S> {
    /// Lists, then watches as long as that works.
    async fn session(&mut self) -> WatchError {
        let mut version = match self.list().await {
            Ok(version) => version,
            Err(error) => return error,
        };
        if self.failed_watches == 0 {
            self.store.works();
        }
        loop {
            let begun = Instant::now();
            if let Err(error) = self.watch(&mut version).await {
                self.failed_watches += 1;
                return error;
            }
            sleep_until(begun + WATCH_PAUSE).await;
        }
    }

    /// Lists everything. Returns the version to watch from.
    async fn list(&mut self) -> Result<String, WatchError> {
        let mut params = self.query.list_params();
        let mut list = self.store.new_list();
        let begun = Instant::now();
        let (mut pages, mut empty) = (0, 0);
        loop {
            let request = Request::new(&self.query.path);
            let request = match self.query.metadata_only {
                true => request.list_metadata(&params),
                false => request.list(&params),
            };
            let request = request.map_err(|error| unbuildable(Verb::List, &error))?;
            let page: ObjectList<S::Object> = api::get(self.client, request, self.query.answer)
                .await
                .map_err(|error| WatchError::of(Verb::List, &error))?;
            pages += 1;
            empty = if page.items.is_empty() { empty + 1 } else { 0 };
            let mut objects = page.items.into_iter();
            let added = objects.try_for_each(|object| self.store.add(&mut list, object));
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() || added.is_break() {
                self.store.replace(list);
                return Ok(page.metadata.resource_version.unwrap_or_default());
            }
            if pages >= MAX_PAGES || empty >= MAX_EMPTY_PAGES || begun.elapsed() >= ALL_PAGES {
                let message = format!("the list does not end, {pages} pages long");
                return Err(WatchError::new(
                    WatchErrorKind::Malformed,
                    Verb::List,
                    message,
                ));
            }
        }
    }

    /// Watches from `version` on until the server ends the watch, as it does
    /// from time to time. An error means: list again.
    async fn watch(&mut self, version: &mut String) -> Result<(), WatchError> {
        let seconds = rng().random_range(self.query.watch_seconds.clone());
        let params = WatchParams {
            bookmarks: true,
            timeout: Some(seconds),
            field_selector: self.query.field_selector.clone(),
            label_selector: self.query.label_selector.clone(),
            ..WatchParams::default()
        };
        let request = Request::new(&self.query.path);
        let request = match self.query.metadata_only {
            true => request.watch_metadata(&params, version),
            false => request.watch(&params, version),
        };
        let request = request.map_err(|error| unbuildable(Verb::Watch, &error))?;
        let mut events: Events<S::Object> = api::watch(self.client, request, self.query.answer)
            .await
            .map_err(|error| WatchError::of(Verb::Watch, &error))?;
        if self.failed_watches == 0 {
            self.store.works();
        }
        let end = Instant::now() + Duration::from_secs(seconds.into()) + OVERTIME;
        let mut stands = Some(Instant::now() + PROVEN);
        loop {
            match timeout_at(stands.unwrap_or(end), events.next()).await {
                Ok(Ok(Some(event))) => self.take(event, version)?,
                Err(_) if stands.is_some() => {}
                // Cut off: whether the server is there shows at the next request.
                Ok(Ok(None)) | Err(_) => return Ok(()),
                Ok(Err(ApiError::CutOff(error))) => {
                    tracing::debug!("kubernetes: watch of {} cut off: {error}", self.query.path);
                    return Ok(());
                }
                Ok(Err(error)) => return Err(WatchError::of(Verb::Watch, &error)),
            }
            if stands.take().is_some() {
                self.backoff.reset();
                self.failed_watches = 0;
                self.store.works();
            }
        }
    }

    /// Takes an event in; `version` is then the one that it brings us to.
    fn take(
        &mut self,
        event: WatchEvent<S::Object>,
        version: &mut String,
    ) -> Result<(), WatchError> {
        let mut reached = |seen: Option<&str>| {
            if let Some(seen) = seen.filter(|seen| !seen.is_empty()) {
                seen.clone_into(version);
            }
        };
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                reached(S::version(&object));
                self.store.put(object);
            }
            WatchEvent::Deleted(object) => {
                reached(S::version(&object));
                self.store.remove(object);
            }
            WatchEvent::Bookmark(mark) => reached(Some(&mark.metadata.resource_version)),
            WatchEvent::Error(answer) => return Err(WatchError::answer(Verb::Watch, &answer)),
        }
        Ok(())
    }
}

impl Query {
    /// Returns what a list asks for.
    pub(crate) fn list_params(&self) -> ListParams {
        ListParams {
            limit: self.page,
            field_selector: self.field_selector.clone(),
            label_selector: self.label_selector.clone(),
            ..ListParams::default()
        }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        let [first, longest] = self.pauses;
        Backoff::doubling(first, longest)
    }
}

fn unbuildable(verb: Verb, error: &request::Error) -> WatchError {
    WatchError::new(WatchErrorKind::Malformed, verb, error.to_string())
}
