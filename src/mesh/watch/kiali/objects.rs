/*!
Watches the objects that hold Kiali's configuration, and Istio's for the trust
domain.

Watching begins with a list, and after any fault begins anew, so that an
object that was replaced, deleted or hidden meanwhile is noticed. A watch that
opens says little: only one that brought something or has stood for a while
makes attempts frequent again and ends a trouble with watches.
*/

use super::{Follower, documents};
use crate::mesh::{
    ObjectName, Source,
    watch::{
        api::{self, Error, PASSING, PROVEN, WATCH_PAUSE},
        backoff::Backoff,
        client,
        trouble::causes,
    },
};
use futures_util::future;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Client,
    api::{ApiResource, DynamicObject, ListParams, WatchParams},
    core::{ObjectList, Request, Resource as _, WatchEvent},
};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// The API server ends a watch after this many seconds, and a connection that
/// says nothing for a little longer is given up: Kiali's changes are to be
/// seen within a minute, over dead connections too.
const WATCH_SECONDS: u32 = 45;
/// How long a list, and the beginning of a watch, may take.
const ANSWER: Duration = Duration::from_secs(20);
/// Between two attempts, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A kind of object to watch.
struct Kind {
    resource: ApiResource,
    /// What a Role calls it.
    plural: &'static str,
    group: &'static str,
}

impl Kind {
    fn config_map() -> Self {
        Self {
            resource: ApiResource::erase::<ConfigMap>(&()),
            plural: "configmaps",
            group: "",
        }
    }

    fn kiali() -> Self {
        Self {
            resource: ApiResource {
                group: "kiali.io".to_owned(),
                version: "v1alpha1".to_owned(),
                api_version: "kiali.io/v1alpha1".to_owned(),
                kind: "Kiali".to_owned(),
                plural: "kialis".to_owned(),
            },
            plural: "kialis",
            group: "kiali.io",
        }
    }
}

pub(super) async fn run(follower: &Follower) {
    let mut wait = pauses();
    let client = loop {
        let config = client::config(&follower.kubernetes).await;
        match config.and_then(client::client) {
            Ok(client) => break client,
            Err(cause) => follower.failed(&cause.to_string()),
        }
        sleep(wait.next()).await;
    };
    let (kind, name, parse): (_, _, fn(&Value) -> _) = match &follower.follow.source {
        Source::ConfigMap(name) => (Kind::config_map(), name, documents::config_map),
        Source::CustomResource(name) => (Kind::kiali(), name, documents::custom_resource),
        Source::Url(_) => return,
    };
    let kiali = watch(&client, &kind, name, |seen| match seen {
        Seen::Object(object) => match parse(object) {
            Ok(reading) => follower.learned(reading, true),
            Err(cause) => follower.failed(&cause),
        },
        Seen::ObjectOnly(object) => match parse(object) {
            Ok(reading) => follower.learned_in_part(reading),
            Err(cause) => follower.failed(&cause),
        },
        Seen::Passing(cause) => follower.watch_failed(&cause),
        Seen::Lasting(cause) => follower.failed(&cause),
    });
    let istio = async {
        if let Some(name) = &follower.follow.istio_config_map {
            watch_trust_domain(follower, &client, name).await;
        }
    };
    future::join(kiali, istio).await;
}

/// The trust domain is not worth a warning: meshes that change it are rare.
async fn watch_trust_domain(follower: &Follower, client: &Client, name: &ObjectName) {
    let mut told = None;
    watch(client, &Kind::config_map(), name, |seen| {
        let cause = match seen {
            Seen::Object(object) => match documents::mesh_config(object) {
                Ok(domain) => {
                    told = None;
                    return follower.learned_trust_domain(domain);
                }
                Err(cause) => cause,
            },
            Seen::ObjectOnly(object) => match documents::mesh_config(object) {
                Ok(domain) => return follower.learned_trust_domain(domain),
                Err(cause) => cause,
            },
            Seen::Lasting(cause) => cause,
            Seen::Passing(_) => return,
        };
        if told.as_ref() != Some(&cause) {
            tracing::info!(
                "{}: the trust domain cannot be read from ConfigMap {name}: {cause}. Kiali 2.26 and \
                 later needs it where it has no istio_identity_domain and the mesh's is not \
                 cluster.local: set kiali.trust_domain then",
                follower.processor
            );
            told = Some(cause);
        }
    })
    .await;
}

/// What became of an attempt to see an object.
enum Seen<'a> {
    /// Here it is, and its changes will be seen.
    Object(&'a Value),
    /// Here it is, but watches of it fail.
    ObjectOnly(&'a Value),
    /// A watch failed; the next attempt will tell whether that means anything.
    Passing(String),
    /// Cause and remedy.
    Lasting(String),
}

/// Watches one object for ever.
async fn watch(client: &Client, kind: &Kind, name: &ObjectName, seen: impl FnMut(Seen<'_>)) {
    let path = DynamicObject::url_path(&kind.resource, Some(&name.namespace));
    let mut watcher = Watcher {
        client,
        kind,
        name,
        request: Request::new(path),
        // A Role with resourceNames permits lists and watches of just that name.
        field_selector: format!("metadata.name={}", name.name),
        seen,
        wait: pauses(),
        failed_watches: 0,
        watch_trouble: false,
    };
    loop {
        watcher.session().await;
        sleep(watcher.wait.next()).await;
    }
}

struct Watcher<'a, F> {
    client: &'a Client,
    kind: &'a Kind,
    name: &'a ObjectName,
    request: Request,
    field_selector: String,
    seen: F,
    wait: Backoff,
    /// So many in a row.
    failed_watches: u32,
    /// They are called a failure by now.
    watch_trouble: bool,
}

impl<F: FnMut(Seen<'_>)> Watcher<'_, F> {
    /// Lists, then watches as long as that works.
    async fn session(&mut self) {
        let (mut object, mut version) = match self.list().await {
            Ok(list) => list,
            Err(error) => {
                let cause = self.explain(&error);
                return (self.seen)(Seen::Lasting(cause));
            }
        };
        match &object {
            Some(object) if self.watch_trouble => (self.seen)(Seen::ObjectOnly(object)),
            Some(object) => (self.seen)(Seen::Object(object)),
            None => {
                let cause = format!("there is no {} of that name", self.kind.resource.kind);
                (self.seen)(Seen::Lasting(cause));
            }
        }
        loop {
            let begun = Instant::now();
            if let Err(error) = self.watch(&mut object, &mut version).await {
                self.failed_watches += 1;
                let expired = matches!(&error, Error::Client(kube::Error::Api(s)) if s.code == 410);
                let cause = self.explain(&error);
                let refused = match &error {
                    Error::Client(_) => !expired,
                    error => matches!(error, Error::Timeout(_)),
                };
                self.watch_trouble |= refused || self.failed_watches >= PASSING;
                return (self.seen)(match (self.watch_trouble, refused) {
                    (false, _) => Seen::Passing(cause),
                    (true, true) => Seen::Lasting(cause),
                    (true, false) => Seen::Lasting(format!(
                        "each watch of it fails, so that a change is seen late: {cause}"
                    )),
                });
            }
            sleep_until(begun + WATCH_PAUSE).await;
        }
    }

    /// The object, and where to watch from.
    async fn list(&self) -> Result<(Option<Value>, String), Error> {
        let params = ListParams::default().fields(&self.field_selector);
        let request = self.request.list(&params).map_err(unbuildable)?;
        let mut list: ObjectList<Value> = api::get(self.client, request, ANSWER).await?;
        let version = list.metadata.resource_version.unwrap_or_default();
        Ok((list.items.pop(), version))
    }

    /// Watches from `version` on until the server ends it.
    async fn watch(
        &mut self,
        object: &mut Option<Value>,
        version: &mut String,
    ) -> Result<(), Error> {
        let params = WatchParams::default()
            .fields(&self.field_selector)
            .timeout(WATCH_SECONDS);
        let request = self.request.watch(&params, version).map_err(unbuildable)?;
        let mut events = api::watch::<Value>(self.client, request, ANSWER).await?;
        let end = Instant::now() + Duration::from_secs(u64::from(WATCH_SECONDS) + 10);
        let mut stands = Some(Instant::now() + PROVEN);
        loop {
            match timeout_at(stands.unwrap_or(end), events.next()).await {
                Ok(Ok(Some(event))) => self.take(event, object, version)?,
                Err(_) if stands.is_some() => {}
                // Cut off: whether the server is there shows at the next request.
                Ok(Ok(None) | Err(Error::CutOff(_))) | Err(_) => return Ok(()),
                Ok(Err(error)) => return Err(error),
            }
            if stands.take().is_some() {
                self.wait = pauses();
                self.failed_watches = 0;
                let trouble = std::mem::take(&mut self.watch_trouble);
                if let (Some(object), true) = (&*object, trouble) {
                    (self.seen)(Seen::Object(object));
                }
            }
        }
    }

    fn take(
        &mut self,
        event: WatchEvent<Value>,
        object: &mut Option<Value>,
        version: &mut String,
    ) -> Result<(), Error> {
        let of = |object: &Value| {
            let version = object.pointer("/metadata/resourceVersion");
            version.and_then(Value::as_str).map(str::to_owned)
        };
        let now = match event {
            WatchEvent::Added(new) | WatchEvent::Modified(new) => {
                (self.seen)(Seen::Object(&new));
                of(object.insert(new))
            }
            WatchEvent::Deleted(old) => {
                *object = None;
                let cause = format!("the {} was deleted", self.kind.resource.kind);
                (self.seen)(Seen::Lasting(cause));
                of(&old)
            }
            WatchEvent::Bookmark(mark) => Some(mark.metadata.resource_version),
            WatchEvent::Error(answer) => return Err(kube::Error::Api(answer).into()),
        };
        if let Some(now) = now.filter(|version| !version.is_empty()) {
            *version = now;
        }
        Ok(())
    }

    fn explain(&self, error: &Error) -> String {
        explain(error, self.kind, self.name)
    }
}

fn unbuildable(error: kube::core::request::Error) -> Error {
    kube::Error::BuildRequest(error).into()
}

/// Cause and remedy of a refused list or watch.
fn explain(error: &Error, kind: &Kind, name: &ObjectName) -> String {
    let Kind { plural, group, .. } = kind;
    let Error::Client(client) = error else {
        return format!("the API server cannot be asked: {}", causes(error));
    };
    match client {
        kube::Error::Api(status) if status.code == 403 => format!(
            "the service account may not read it: in namespace {}, bind it to a Role with \
             apiGroups [\"{group}\"], resources [{plural}], resourceNames [{}], verbs [list, watch], \
             as in deploy/kiali-config.yaml ({})",
            name.namespace, name.name, status.message
        ),
        kube::Error::Api(status) if status.code == 401 => format!(
            "the API server does not accept wayspan's credentials ({}): is the service account's \
             token mounted and current?",
            status.message
        ),
        kube::Error::Api(status) if status.code == 404 => format!(
            "the API server knows no {plural}: is the Kiali operator installed? Without it use \
             kiali.config_map ({})",
            status.message.trim()
        ),
        kube::Error::Api(status) => {
            format!(
                "the API server answered {}: {}",
                status.code, status.message
            )
        }
        other => format!("the API server cannot be asked: {}", causes(other)),
    }
}

fn pauses() -> Backoff {
    Backoff::new(FIRST_PAUSE, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mesh::watch::follow::tests::{Server, Step, events, page, service};

    fn api_error(code: u16, message: &str) -> Error {
        let status = kube::core::Status {
            code,
            message: message.to_owned(),
            ..Default::default()
        };
        kube::Error::Api(Box::new(status)).into()
    }

    #[test]
    fn refusals_come_with_the_missing_rule() {
        let name: ObjectName = "istio-system/kiali".parse().unwrap();
        let forbidden = api_error(403, "configmaps \"kiali\" is forbidden");
        let said = explain(&forbidden, &Kind::config_map(), &name);
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
        let said = explain(&forbidden, &Kind::kiali(), &name);
        assert!(
            said.contains("apiGroups [\"kiali.io\"], resources [kialis]"),
            "{said}"
        );
        let said = explain(&api_error(404, "404 page not found"), &Kind::kiali(), &name);
        assert!(said.contains("kiali.config_map"), "{said}");
        let said = explain(&api_error(500, "etcd is away"), &Kind::kiali(), &name);
        assert_eq!(said, "the API server answered 500: etcd is away");
    }

    /// What a watch of `ns/a` told until the script was over, and for how long.
    async fn told(script: Vec<Step>) -> (Vec<String>, Duration) {
        let (server, begun) = (Server::new(script), Instant::now());
        let client = Client::new(server.clone(), "default");
        let name: ObjectName = "ns/a".parse().unwrap();
        let mut told = Vec::new();
        let kind = Kind::config_map();
        let all = watch(&client, &kind, &name, |seen| {
            let app = |object: &Value| object["spec"]["selector"]["app"].to_string();
            told.push(match seen {
                Seen::Object(object) => app(object),
                Seen::ObjectOnly(object) => format!("only {}", app(object)),
                Seen::Passing(_) => "passing".to_owned(),
                Seen::Lasting(cause) => cause,
            });
        });
        tokio::select! {
            () = all => {}
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
        let kind = Kind::config_map();
        let all = watch(&client, &kind, &name, |seen| {
            if let Seen::Lasting(cause) = seen {
                told.push(cause);
            }
        });
        assert!(tokio::time::timeout(ANSWER * 4, all).await.is_err());
        assert!(told.len() >= 2, "{told:?}");
        assert!(told[0].contains("no answer within 20s"), "{told:?}");
    }
}
