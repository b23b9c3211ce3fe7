/*!
Kialis, found by their Pods as wayspan itself finds them, their ConfigMaps, and the resources
of which an operator makes these.
*/

use super::{
    api::{Api, CONFIG_MAPS, KIALIS, PODS},
    client::Asker,
};
use crate::cli::doctor::facts::{
    Answer, Failure, FailureKind, Scope,
    kiali::{KialiConfig, KialiResource},
    objects::Pod,
};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

/// Looks for Kialis in a namespace; without one in all, or in Istio's where namespaces were
/// chosen.
pub(in crate::cli::doctor) async fn ask(
    scope: &Scope,
    api: &Result<Api, Failure>,
    namespace: Option<&str>,
) -> Answer<Vec<KialiConfig>> {
    let Ok(api) = api else {
        return Answer::NotAsked;
    };
    let istio = (!scope.namespaces.is_empty()).then_some(&*scope.istio_namespace);
    let place = namespace.or(istio);
    let pods = api
        .list::<Pod>(PODS, place, Some("app.kubernetes.io/name=kiali"))
        .await;
    let pods = match pods {
        Answer::Got(pods) => pods,
        Answer::Failed(failure) => return Answer::Failed(failure),
        Answer::NotAsked => return Answer::NotAsked,
    };
    let instance = |pod: &Pod| {
        let label = pod.metadata.label("app.kubernetes.io/instance");
        (
            pod.metadata.namespace.clone(),
            label.unwrap_or("kiali").to_owned(),
        )
    };
    let instances: BTreeSet<(String, String)> = pods.iter().map(instance).collect();
    let mut found = Vec::new();
    for (namespace, name) in instances {
        match api.object::<Value>(CONFIG_MAPS, &namespace, &name).await {
            Answer::Got(Some(map)) => match KialiConfig::read(&namespace, &name, &map) {
                Ok(config) => found.push(config),
                Err(error) => {
                    return Answer::Failed(Failure {
                        kind: FailureKind::Malformed,
                        cause: format!("ConfigMap {namespace}/{name}: {error}"),
                        remedy: None,
                    });
                }
            },
            Answer::Failed(failure) => return Answer::Failed(failure),
            Answer::Got(None) | Answer::NotAsked => {}
        }
    }
    if !found.is_empty() {
        // Without the right to see them, fixes say what to set and not how.
        let resources = api.list::<KialiResource>(KIALIS, place, None).await;
        for config in &mut found {
            let mut all = resources.list().iter();
            let maker = all.find(|resource| resource.makes(config));
            config.resource = maker.map(KialiResource::place).unwrap_or_default();
        }
    }
    found.sort_by_key(|config| config.namespace != scope.istio_namespace);
    Answer::Got(found)
}

/// Asks a Kiali's own API, as anybody may where it has no login.
pub(in crate::cli::doctor) async fn ask_api(url: &str, limit: Duration) -> Answer<KialiConfig> {
    let asker = Asker::new(url, limit);
    let mut bodies = Vec::new();
    for path in ["/api/tracing", "/api/config", "/api/status"] {
        let reply = match asker.get(path).await {
            Ok(reply) => reply,
            Err(failure) => return Answer::Failed(failure),
        };
        if reply.status != 200 {
            return Answer::Failed(Failure {
                kind: match reply.status {
                    401 | 403 => FailureKind::Forbidden,
                    _ => FailureKind::Malformed,
                },
                cause: format!("{url}{path} answers HTTP status {}", reply.status),
                remedy: Some(
                    "give the address with Kiali's web root, such as http://localhost:20001/kiali; where it has a login, \
                     its ConfigMap has to be read (--kubeconfig)"
                        .to_owned(),
                ),
            });
        }
        bodies.push(reply.body);
    }
    let bodies = [0, 1, 2].map(|at| bodies.get(at).map_or(&[][..], |body| body));
    match KialiConfig::answered(url, bodies) {
        Ok(config) => Answer::Got(config),
        Err(cause) => Answer::Failed(Failure {
            kind: FailureKind::Malformed,
            cause: format!("{url}{cause}"),
            remedy: None,
        }),
    }
}
