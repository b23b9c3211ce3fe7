/*!
Watches the objects that hold Kiali's configuration, and Istio's for the trust
domain.

Each watch begins with a list, and after any fault begins anew, so that an
object that was replaced, deleted or hidden meanwhile is noticed.
*/

use super::{Follower, documents};
use crate::mesh::{ObjectName, Source, watch::client};
use futures_util::{StreamExt as _, TryStreamExt as _, future};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    runtime::watcher::{self, Event, watcher},
};
use rand::Rng as _;
use serde_json::Value;
use std::time::Duration;

/// The API server ends a watch after this many seconds, and a connection that
/// says nothing for a little longer is given up: Kiali's changes are to be
/// seen within a minute, over dead connections too.
const WATCH_SECONDS: u32 = 45;
/// First and longest wait between attempts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

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
    let mut wait = Backoff::default();
    let client = loop {
        let config = client::config(&follower.kubernetes).await;
        match config.and_then(client::client) {
            Ok(client) => break client,
            Err(cause) => follower.failed(&cause.to_string()),
        }
        wait.pause().await;
    };
    let (kind, name, parse): (_, _, fn(&Value) -> _) = match &follower.follow.source {
        Source::ConfigMap(name) => (Kind::config_map(), name, documents::config_map),
        Source::CustomResource(name) => (Kind::kiali(), name, documents::custom_resource),
        Source::Url(_) => return,
    };
    let kiali = watch(&client, &kind, name, |seen| match seen {
        Ok(object) => match parse(object) {
            Ok(reading) => follower.learned(reading, true),
            Err(cause) => follower.failed(&cause),
        },
        Err(Fault::Passing) => follower.status.watch_ended(),
        Err(Fault::Lasting(cause)) => follower.failed(&cause),
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
        let cause = match seen.map(documents::mesh_config) {
            Ok(Ok(domain)) => {
                told = None;
                return follower.learned_trust_domain(domain);
            }
            Ok(Err(cause)) | Err(Fault::Lasting(cause)) => cause,
            Err(Fault::Passing) => return,
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

/// Why an object is not at hand.
enum Fault {
    /// A watch ended; the next attempt will tell whether that means anything.
    Passing,
    /// Cause and remedy.
    Lasting(String),
}

/// Watches one object for ever.
async fn watch(
    client: &Client,
    kind: &Kind,
    name: &ObjectName,
    mut seen: impl FnMut(Result<&Value, Fault>),
) {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &name.namespace, &kind.resource);
    // A Role with resourceNames permits lists and watches of just that name.
    let config = watcher::Config::default()
        .fields(&format!("metadata.name={}", name.name))
        .timeout(WATCH_SECONDS);
    let mut wait = Backoff::default();
    loop {
        let mut events = watcher(api.clone(), config.clone()).boxed();
        let mut listed = false;
        let error = loop {
            match events.try_next().await {
                Ok(Some(Event::Init)) => listed = false,
                Ok(Some(Event::InitApply(object) | Event::Apply(object))) => {
                    listed = true;
                    match serde_json::to_value(&object) {
                        Ok(value) => seen(Ok(&value)),
                        Err(error) => seen(Err(Fault::Lasting(error.to_string()))),
                    }
                }
                Ok(Some(Event::InitDone)) if listed => wait = Backoff::default(),
                Ok(Some(Event::InitDone)) => {
                    wait = Backoff::default();
                    let cause = format!("there is no {} of that name", kind.resource.kind);
                    seen(Err(Fault::Lasting(cause)));
                }
                Ok(Some(Event::Delete(_))) => {
                    let cause = format!("the {} was deleted", kind.resource.kind);
                    seen(Err(Fault::Lasting(cause)));
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        seen(Err(match error {
            Some(
                watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error),
            ) => Fault::Lasting(explain(&error, kind, name)),
            _ => Fault::Passing,
        }));
        wait.pause().await;
    }
}

/// Cause and remedy of a refused list or watch.
fn explain(error: &kube::Error, kind: &Kind, name: &ObjectName) -> String {
    let Kind { plural, group, .. } = kind;
    match error {
        kube::Error::Api(status) if status.code == 403 => format!(
            "the service account may not read it: in namespace {}, bind it to a Role with \
             apiGroups [\"{group}\"], resources [{plural}], resourceNames [{}], verbs [get, list, \
             watch], as in deploy/kiali-config.yaml ({})",
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
        other => format!("the API server cannot be asked: {}", chain(other)),
    }
}

/// An error with what is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !said.contains(&text) {
            said.push_str(": ");
            said.push_str(&text);
        }
        source = cause.source();
    }
    said
}

/// Waits that double, each at random between half of it and all.
#[derive(Default)]
struct Backoff(Option<Duration>);

impl Backoff {
    async fn pause(&mut self) {
        let wait = self.0.map_or(BACKOFF.0, |last| (last * 2).min(BACKOFF.1));
        self.0 = Some(wait);
        tokio::time::sleep(wait.mul_f64(rand::rng().random_range(0.5..=1.0))).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn api_error(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(kube::core::Status {
            code,
            message: message.to_owned(),
            ..Default::default()
        }))
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
            "[get, list, watch]",
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
}
