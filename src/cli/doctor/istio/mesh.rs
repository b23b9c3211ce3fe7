/*!
Which namespaces are in the mesh, and by what.
*/

use crate::cli::doctor::{
    check::{Fix, Outcome, Problem, Verdict, known, some_of},
    facts::{Facts, objects::Namespace},
};

/// How workloads of a namespace are in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Ambient,
    Sidecar,
}

/// A namespace of the mesh that is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) mode: Mode,
    pub(super) namespace: Option<&'a Namespace>,
}

/// Returns how a namespace's labels put it into the mesh.
fn mode(namespace: &Namespace) -> Option<Mode> {
    let label = |key| namespace.metadata.label(key);
    let injected = match (label("istio-injection"), label("istio.io/rev")) {
        (Some("disabled"), _) => false,
        (Some("enabled"), _) | (_, Some(_)) => true,
        _ => false,
    };
    match label("istio.io/dataplane-mode") {
        Some("ambient") if !injected => Some(Mode::Ambient),
        _ => injected.then_some(Mode::Sidecar),
    }
}

/// Returns the namespaces that are looked at. Labels of their Pods count where their own
/// say nothing or cannot be read.
pub(super) fn looked_at(facts: &Facts) -> Vec<Member<'_>> {
    let all = facts.kubernetes.namespaces.list();
    let chosen = &facts.scope.namespaces;
    let mut members = Vec::new();
    for namespace in all {
        let name = namespace.metadata.name.as_str();
        if !chosen.is_empty() && !chosen.iter().any(|one| one == name) {
            continue;
        }
        if let Some(mode) = mode(namespace).or_else(|| of_pods(facts, name)) {
            members.push(Member {
                name,
                mode,
                namespace: Some(namespace),
            });
        }
    }
    for name in chosen {
        if all.iter().any(|one| one.metadata.name == *name) {
            continue;
        }
        if let Some(mode) = of_pods(facts, name) {
            members.push(Member {
                name,
                mode,
                namespace: None,
            });
        }
    }
    members
}

fn of_pods(facts: &Facts, namespace: &str) -> Option<Mode> {
    let mut pods = facts.kubernetes.pods.list().iter();
    let pods = pods
        .by_ref()
        .filter(|pod| pod.metadata.namespace == namespace);
    let mut found = None;
    for pod in pods {
        let label = |key| pod.metadata.label(key);
        // Gateways have a proxy wherever they are.
        if label("gateway.networking.k8s.io/gateway-name").is_some() || label("istio").is_some() {
            continue;
        }
        if pod.proxy().is_some() {
            return Some(Mode::Sidecar);
        }
        if label("istio.io/dataplane-mode") == Some("ambient") {
            found = Some(Mode::Ambient);
        }
    }
    found
}

pub(super) fn members(facts: &Facts) -> Verdict {
    let all = known(&facts.kubernetes.namespaces)?;
    let members = looked_at(facts);
    let said = |member: &Member<'_>| {
        let mode = match member.mode {
            Mode::Ambient => "ambient",
            Mode::Sidecar => "sidecars",
        };
        format!("{} ({mode})", member.name)
    };
    let saw = some_of(&members.iter().map(said).collect::<Vec<_>>());
    let mut problems = Vec::new();
    for name in &facts.scope.namespaces {
        if members.iter().any(|member| member.name == name) {
            continue;
        }
        let exists = all.iter().any(|one| one.metadata.name == *name);
        problems.push(match exists {
            true => outside(name),
            false => Problem::broken(
                format!("there is no namespace {name}"),
                "the API server does not list it",
                Fix::text("Give --namespace a namespace of this cluster"),
            ),
        });
    }
    if facts.scope.namespaces.is_empty() && members.is_empty() {
        problems.push(Problem::broken(
            "no namespace is in the mesh, so no workload has a proxy that reports spans",
            "no namespace has istio.io/dataplane-mode, istio-injection or istio.io/rev",
            Fix::command(
                "Put the namespace of your workloads into the mesh",
                "kubectl label namespace NAMESPACE istio.io/dataplane-mode=ambient",
            ),
        ));
    }
    Ok(Outcome { saw, problems })
}

fn outside(name: &str) -> Problem {
    Problem::broken(
        format!(
            "namespace {name} is not in the mesh, so its workloads have no proxy that reports spans"
        ),
        "it has none of istio.io/dataplane-mode=ambient, istio-injection=enabled and istio.io/rev, and \
         its Pods have no istio-proxy",
        Fix::command(
            "Put it into the mesh, in ambient mode, or with istio-injection=enabled and a restart of its \
             Pods",
            format!("kubectl label namespace {name} istio.io/dataplane-mode=ambient"),
        ),
    )
}
