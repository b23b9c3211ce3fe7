/*! Whether Istio has a provider that sends spans to a collector at all. */

use crate::cli::doctor::{
    check::{Fix, Outcome, Problem, Verdict, known, some_of},
    facts::Facts,
};

/// The name and address that fixes propose.
pub(super) const PROVIDER: &str = "otel";
const COLLECTOR: &str = "istio-collector.istio-system.svc.cluster.local";

pub(super) fn defined(facts: &Facts) -> Verdict {
    let config = known(&facts.kubernetes.mesh_config)?;
    let collectors: Vec<String> = config
        .collectors()
        .map(|(provider, backend, speaks)| {
            let to = format!("{}:{}", backend.service, backend.port);
            format!("{} sends {} to {to}", provider.name, speaks.words())
        })
        .collect();
    if !collectors.is_empty() {
        return Outcome::well(some_of(&collectors));
    }
    let namespace = &facts.scope.istio_namespace;
    let others = config.extension_providers.iter();
    let others: Vec<&str> = others
        .filter(|one| one.is_other_tracer())
        .map(|one| &*one.name)
        .collect();
    let evidence = match (&others[..], config.has_legacy_tracer()) {
        ([], false) => "extensionProviders has no opentelemetry and no zipkin".to_owned(),
        ([], true) => {
            "spans go where defaultConfig.tracing says, as before the Telemetry API".to_owned()
        }
        (others, _) => format!(
            "the tracing providers are for other backends: {}",
            some_of(others)
        ),
    };
    let fix = Fix::text(format!(
        "Add this to the mesh configuration (key `mesh` of ConfigMap {namespace}/istio, or meshConfig in \
         the values of Helm or the IstioOperator):\n\
         extensionProviders:\n- name: {PROVIDER}\n  opentelemetry:\n    service: {COLLECTOR}\n    port: 4317"
    ));
    let problem = Problem::broken("no provider sends spans to a collector", evidence, fix);
    let problem = match config.has_legacy_tracer() {
        true => problem.likely(),
        false => problem,
    };
    Outcome::one("none", problem)
}
