/*!
Follows one object, or reads it once.

Watches that fail while lists work are told apart: what was read holds, but a
change of it is seen late.
*/

use crate::mesh::{
    ObjectName,
    watch::{
        api,
        error::{Verb, WatchError, WatchErrorKind, grant_one},
        list_watch::{self, PASSING, Query, WatchStore},
        resource::Resource,
    },
};
use kube::{
    Client,
    core::{ObjectList, Request},
};
use serde_json::Value;
use std::{convert::Infallible, ops::ControlFlow, time::Duration};

/// How long a list, and the beginning of a watch, may take.
const ANSWER: Duration = Duration::from_secs(20);

/// The longest pause before the second attempt, and before any.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];

/// Why an object was not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It may not be read, is not there, or is not Kiali's: cause and remedy.
    Refused(String),
    /// No answer came that says anything of the object.
    Away(String),
}

/// Reads one object.
pub(super) async fn read(
    client: &Client,
    resource: Resource,
    name: &ObjectName,
) -> Result<Value, Unread> {
    let query = query(resource, name);
    let request = Request::new(&query.path).list(&query.list_params());
    let request = request.map_err(|error| Unread::Away(error.to_string()))?;
    let list: Result<ObjectList<Value>, _> = api::get(client, request, query.answer).await;
    let list = list.map_err(|error| {
        let error = WatchError::of(Verb::List, &error);
        let cause = explain(&error, resource, name);
        match error.code {
            Some(403 | 404) => Unread::Refused(cause),
            _ => Unread::Away(cause),
        }
    })?;
    let first = list.items.into_iter().next();
    first.ok_or_else(|| Unread::Refused(no_such(resource)))
}

/// What became of an attempt to see an object.
pub(super) enum Observed<'a> {
    /// The object; its changes will be seen.
    Object(&'a Value),
    /// The object, but watches of it fail.
    ObjectOnly(&'a Value),
    /// A watch failed; the next attempt will show whether that means anything.
    Passing(String),
    /// Watches fail: cause and remedy.
    Lasting(String),
    /// The object is not there, or cannot be listed: cause and remedy.
    Lost(String),
}

/// Follows one object for ever.
pub(super) async fn follow(
    client: &Client,
    resource: Resource,
    name: &ObjectName,
    observe: impl FnMut(Observed<'_>),
) -> Infallible {
    let store = ObjectStore {
        resource,
        name,
        object: None,
        watches_fail: false,
        observe,
    };
    list_watch::follow(client, &query(resource, name), store).await
}

fn query(resource: Resource, name: &ObjectName) -> Query {
    Query {
        path: resource.path(Some(&name.namespace)),
        // A Role with resourceNames permits lists and watches of just that name.
        field_selector: Some(format!("metadata.name={}", name.name)),
        label_selector: None,
        metadata_only: false,
        page: None,
        answer: ANSWER,
        // Kiali's changes are to be seen within a minute, over dead connections too.
        watch_seconds: 45..=45,
        pauses: PAUSES,
    }
}

/// Keeps one object.
struct ObjectStore<'a, F> {
    resource: Resource,
    name: &'a ObjectName,
    object: Option<Value>,
    /// The watches that failed are called a failure.
    watches_fail: bool,
    observe: F,
}

impl<F: FnMut(Observed<'_>)> WatchStore for ObjectStore<'_, F> {
    type Object = Value;
    type List = Option<Value>;

    fn version(object: &Value) -> Option<&str> {
        object.pointer("/metadata/resourceVersion")?.as_str()
    }

    fn new_list(&self) -> Option<Value> {
        None
    }

    fn add(&self, list: &mut Option<Value>, object: Value) -> ControlFlow<()> {
        *list = Some(object);
        ControlFlow::Continue(())
    }

    fn replace(&mut self, list: Option<Value>) {
        self.object = list;
        match &self.object {
            Some(object) if self.watches_fail => (self.observe)(Observed::ObjectOnly(object)),
            Some(object) => (self.observe)(Observed::Object(object)),
            None => (self.observe)(Observed::Lost(no_such(self.resource))),
        }
    }

    fn put(&mut self, object: Value) {
        (self.observe)(Observed::Object(self.object.insert(object)));
    }

    fn remove(&mut self, _: Value) {
        self.object = None;
        let cause = format!("the {} was deleted", self.resource.kind());
        (self.observe)(Observed::Lost(cause));
    }

    fn works(&mut self) {
        let failed = std::mem::take(&mut self.watches_fail);
        if let (Some(object), true) = (&self.object, failed) {
            (self.observe)(Observed::Object(object));
        }
    }

    fn failed(&mut self, error: &WatchError, failed_watches: u32) {
        let cause = explain(error, self.resource, self.name);
        if error.verb == Verb::List {
            return (self.observe)(Observed::Lost(cause));
        }
        // Whatever a new list may mend.
        let mendable = matches!(
            error.kind,
            WatchErrorKind::Expired | WatchErrorKind::Malformed
        );
        self.watches_fail |= !mendable || failed_watches >= PASSING;
        (self.observe)(match (self.watches_fail, mendable) {
            (false, _) => Observed::Passing(cause),
            (true, false) => Observed::Lasting(cause),
            (true, true) => Observed::Lasting(format!(
                "each watch of it fails, so that a change is seen late: {cause}"
            )),
        });
    }
}

fn no_such(resource: Resource) -> String {
    format!("there is no {} of that name", resource.kind())
}

/// Cause and remedy of a failed list or watch.
fn explain(error: &WatchError, resource: Resource, name: &ObjectName) -> String {
    let (plural, group, message) = (resource.plural(), resource.group(), &error.message);
    match error.code {
        Some(403) => format!(
            "the service account may not read it: in namespace {}, bind it to a Role with \
             apiGroups [\"{group}\"], resources [{plural}], resourceNames [{}], verbs [list, watch]: \
             {} ({message})",
            name.namespace,
            name.name,
            grant_one(resource, name, message)
        ),
        Some(401) => format!(
            "the API server does not accept wayspan's credentials ({message}): is the service \
             account's token mounted and current?"
        ),
        Some(404) => format!(
            "the API server knows no {plural}: is the Kiali operator installed? Without it use \
             kiali.config_map ({})",
            message.trim()
        ),
        Some(code) => format!("the API server answered {code}: {message}"),
        None => format!("the API server cannot be asked: {message}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mesh::watch::store::tests::{Server, Step, events, page, service};
    use tokio::time::Instant;

    fn api_error(code: u16, message: &str) -> WatchError {
        let status = kube::core::Status {
            code,
            message: message.to_owned(),
            ..Default::default()
        };
        WatchError::answer(Verb::List, &status)
    }

    #[test]
    fn refusals_come_with_the_missing_rule() {
        let name: ObjectName = "istio-system/kiali".parse().unwrap();
        let forbidden = api_error(403, "configmaps \"kiali\" is forbidden");
        let said = explain(&forbidden, Resource::ConfigMaps, &name);
        for part in [
            "in namespace istio-system",
            "apiGroups [\"\"]",
            "resources [configmaps]",
            "resourceNames [kiali]",
            "verbs [list, watch]",
            "is forbidden",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let said = explain(&forbidden, Resource::Kialis, &name);
        assert!(
            said.contains("apiGroups [\"kiali.io\"], resources [kialis]"),
            "{said}"
        );
        let said = explain(
            &api_error(404, "404 page not found"),
            Resource::Kialis,
            &name,
        );
        assert!(said.contains("kiali.config_map"), "{said}");
        let said = explain(&api_error(500, "etcd is away"), Resource::Kialis, &name);
        assert_eq!(said, "the API server answered 500: etcd is away");
    }

    /// Returns what a watch of `ns/a` told until the script was over, and for
    /// how long.
    async fn told(script: Vec<Step>) -> (Vec<String>, Duration) {
        let (server, begun) = (Server::new(script), Instant::now());
        let client = Client::new(server.clone(), "default");
        let name: ObjectName = "ns/a".parse().unwrap();
        let mut told = Vec::new();
        let all = follow(&client, Resource::ConfigMaps, &name, |seen| {
            let app = |object: &Value| object["spec"]["selector"]["app"].to_string();
            told.push(match seen {
                Observed::Object(object) => app(object),
                Observed::ObjectOnly(object) => format!("only {}", app(object)),
                Observed::Passing(_) => "passing".to_owned(),
                Observed::Lasting(cause) | Observed::Lost(cause) => cause,
            });
        });
        tokio::select! {
            never = all => match never {},
            () = server.over.notified() => {}
        }
        (told, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn watches_that_end_at_once_are_begun_once_a_second() {
        let mut script = vec![("fieldSelector=metadata.name%3Da", 200, page(&["a"], ""))];
        script.extend(vec![("resourceVersion=1", 200, String::new()); 30]);
        let (told, time) = told(script).await;
        assert_eq!(told, ["\"a\""]);
        assert!(time >= Duration::from_secs(30), "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn watches_that_fail_over_and_over_are_told_until_one_works() {
        let failing = [
            ("configmaps?&fieldSelector", 200, page(&["a"], "")),
            ("watch=true", 200, "{not json}\n".to_owned()),
        ];
        let mut script: Vec<_> = failing.iter().cloned().cycle().take(12).collect();
        script.push(failing[0].clone());
        script.push((
            "watch=true",
            200,
            events(&[("MODIFIED", service("a", "b"))]),
        ));
        let (told, _) = told(script).await;
        let fails = "each watch of it fails";
        let begin = ["\"a\"", "passing"].repeat(PASSING as usize - 1);
        assert_eq!(told[..begin.len()], begin);
        let rest = &told[begin.len()..];
        let want = ["\"a\"", fails, "only \"a\"", fails, "only \"a\"", "\"b\""];
        for (told, want) in rest.iter().zip(want) {
            assert!(told.starts_with(want), "{rest:?}");
        }
        assert!(rest.len() >= want.len(), "{rest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_api_server_is_a_fault() {
        let server = Server::new(Vec::new());
        let client = Client::new(server, "default");
        let name: ObjectName = "ns/a".parse().unwrap();
        let mut told = Vec::new();
        let all = follow(&client, Resource::ConfigMaps, &name, |seen| {
            if let Observed::Lost(cause) = seen {
                told.push(cause);
            }
        });
        assert!(tokio::time::timeout(ANSWER * 4, all).await.is_err());
        assert!(told.len() >= 2, "{told:?}");
        assert!(told[0].contains("no answer within 20s"), "{told:?}");
    }
}
