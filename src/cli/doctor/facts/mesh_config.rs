/*!
Istio's mesh configuration, as far as checks read it (istio/api,
`mesh/v1alpha1/config.proto`).
*/

use super::objects::{is_default, object, or_default};
use serde::{Deserialize, Serialize};

object! { MeshConfig {
    root_namespace: String, trust_domain: String,
    extension_providers: Vec<Provider>,
    default_providers: DefaultProviders,
    /// None: true, which is Istio's default.
    enable_tracing: Option<bool>,
    default_config: ProxyConfig,
} }

object! { DefaultProviders { tracing: Vec<String> } }

object! { ProxyConfig { tracing: Option<ProxyTracing> } }

object! { ProxyTracing { sampling: f64, zipkin: Option<Address>, lightstep: Option<Address>,
datadog: Option<Address>, open_census_agent: Option<Address>, stackdriver: Option<Empty> } }

object! { Address { address: String } }

object! { Empty { } }

object! { Provider {
    name: String,
    opentelemetry: Option<Backend>,
    zipkin: Option<Backend>,
    datadog: Option<Backend>,
    lightstep: Option<Backend>,
    skywalking: Option<Backend>,
    opencensus: Option<Backend>,
    stackdriver: Option<Empty>,
} }

object! { Backend { service: String, port: u16, http: Option<HttpExport> } }

object! { HttpExport { path: String } }

/// What a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    OtlpGrpc,
    OtlpHttp,
    Zipkin,
}

impl Speaks {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::OtlpGrpc => "OTLP over gRPC",
            Self::OtlpHttp => "OTLP over HTTP",
            Self::Zipkin => "Zipkin's format",
        }
    }
}

impl Provider {
    /// Returns where it sends spans and in what, if a collector can take them.
    pub(crate) fn backend(&self) -> Option<(&Backend, Speaks)> {
        if let Some(backend) = &self.opentelemetry {
            let speaks = match backend.http {
                Some(_) => Speaks::OtlpHttp,
                None => Speaks::OtlpGrpc,
            };
            return Some((backend, speaks));
        }
        Some((self.zipkin.as_ref()?, Speaks::Zipkin))
    }

    /// Returns true if it reports spans to something that is no collector.
    pub(crate) fn is_other_tracer(&self) -> bool {
        let of_backends = [
            &self.datadog,
            &self.lightstep,
            &self.skywalking,
            &self.opencensus,
        ];
        of_backends.iter().any(|backend| backend.is_some()) || self.stackdriver.is_some()
    }
}

impl Backend {
    /// Returns the host without the namespace that may stand before it.
    pub(crate) fn host(&self) -> &str {
        let service = self.service.as_str();
        service.split_once('/').map_or(service, |(_, host)| host)
    }

    /// Returns name and namespace of the Kubernetes Service that it means, by whatever
    /// form of its name.
    pub(crate) fn kubernetes_service(&self) -> Option<(&str, &str)> {
        let mut parts = self.host().split('.');
        let (name, namespace) = (parts.next()?, parts.next());
        match (namespace, parts.next()) {
            (Some(namespace), None | Some("svc")) => Some((name, namespace)),
            _ => None,
        }
    }
}

impl MeshConfig {
    /// Reads the YAML under `mesh` in Istio's ConfigMap.
    ///
    /// # Errors
    ///
    /// Says where it is wrong, and quotes nothing of it.
    pub(crate) fn parse(yaml: &str) -> Result<Self, String> {
        serde_saphyr::from_str(yaml).map_err(|error| match error.location() {
            Some(at) => format!(
                "mesh cannot be read at line {}, column {}",
                at.line(),
                at.column()
            ),
            None => "mesh cannot be read".to_owned(),
        })
    }

    /// Returns the providers that report spans to a collector.
    pub(crate) fn collectors(&self) -> impl Iterator<Item = (&Provider, &Backend, Speaks)> {
        let all = self.extension_providers.iter();
        all.filter_map(|provider| {
            let (backend, speaks) = provider.backend()?;
            Some((provider, backend, speaks))
        })
    }

    pub(crate) fn provider(&self, name: &str) -> Option<&Provider> {
        let mut all = self.extension_providers.iter();
        all.find(|provider| provider.name == name)
    }

    /// Returns true if proxies report spans as before the Telemetry API.
    pub(crate) fn has_legacy_tracer(&self) -> bool {
        let tracing = self.default_config.tracing.as_ref();
        self.enable_tracing != Some(false)
            && tracing.is_some_and(|tracing| {
                let of_addresses = [
                    &tracing.zipkin,
                    &tracing.lightstep,
                    &tracing.datadog,
                    &tracing.open_census_agent,
                ];
                of_addresses.iter().any(|one| one.is_some()) || tracing.stackdriver.is_some()
            })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn istios_own_sample() {
        let config = MeshConfig::parse(
            "\
accessLogFile: /dev/stdout
defaultConfig: {discoveryAddress: 'istiod.istio-system.svc:15012', tracing: {}}
defaultProviders: {metrics: [prometheus]}
enablePrometheusMerge: true
extensionProviders:
- envoyOtelAls: {port: 4317, service: otel.istio-system.svc.cluster.local}
  name: otel-als
- name: otel-tracing
  opentelemetry:
    port: 4317
    service: opentelemetry-collector.observability.svc.cluster.local
    resource_detectors: {environment: {}}
- name: http
  opentelemetry: {port: 4318, service: observability/otel.observability, http: {path: /v1/traces, headers: [{name: a, value: hunter2}]}}
- {name: old, zipkin: {service: zipkin.istio-system.svc.cluster.local, port: 9411}}
rootNamespace: istio-system
trustDomain: cluster.local
",
        )
        .unwrap();
        let seen: Vec<_> = config
            .collectors()
            .map(|(provider, backend, speaks)| {
                (&*provider.name, backend.kubernetes_service(), speaks)
            })
            .collect();
        let otel = ("opentelemetry-collector", "observability");
        assert_eq!(
            seen,
            [
                ("otel-tracing", Some(otel), Speaks::OtlpGrpc),
                ("http", Some(("otel", "observability")), Speaks::OtlpHttp),
                ("old", Some(("zipkin", "istio-system")), Speaks::Zipkin),
            ]
        );
        assert!(!config.has_legacy_tracer());
        let written = serde_json::to_string(&config).unwrap();
        assert!(!written.contains("hunter2"), "{written}");
        assert!(
            MeshConfig::parse("a: [").unwrap_err().contains("line 1"),
            "errors have places"
        );
    }
}
