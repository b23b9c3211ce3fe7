/*! What was seen of a Kiali: its configuration, without what is secret in it. */

use super::objects::{Meta, is_default, object, or_default};
use crate::{
    cli::doctor::url::{UrlParts, parts},
    mesh::{
        Described, Kiali,
        watch::kiali::{
            answers,
            documents::{self, ReadDocument},
        },
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

object! {
    /// A Kiali's configuration.
    KialiConfig {
        namespace: String,
        /// The ConfigMap's; without one the URL of the API that was asked.
        name: String,
        /// The Kiali resource that an operator makes it of, as `namespace/name`; empty where
        /// none is known.
        resource: String,
        version: String,
        namespace_selector: Option<bool>,
        use_waypoint_name: Option<bool>,
        istio_identity_domain: String,
        app_label_name: String,
        cluster_name: String,
        /// What wayspan notes about it when it follows a Kiali.
        notes: Vec<String>,
        tracing: Tracing,
    }
}

object! {
    /// `external_services.tracing`, in Kiali's own words.
    Tracing {
        enabled: bool,
        provider: String,
        use_grpc: Option<bool>,
        internal_url: String,
        auth_type: String,
        query_scope: Vec<String>,
        /// Their names; their values may be secrets.
        custom_headers: Vec<String>,
        health_check_url: String,
        /// Of Tempo; 0: it is not set.
        grpc_port: u16,
        /// Of Tempo.
        tenant: String,
    }
}

object! {
    /// A Kiali resource, of which an operator makes a Kiali.
    KialiResource { metadata: Meta, spec: KialiSpec }
}

object! { KialiSpec { deployment: KialiDeployment } }

object! { KialiDeployment {
    namespace: String,
    #[serde(rename = "instance_name")]
    instance_name: String,
} }

impl KialiResource {
    /// Returns true if it is the one that this configuration is made of.
    pub(crate) fn makes(&self, config: &KialiConfig) -> bool {
        let or = |text: &str, default: &str| match text {
            "" => default.to_owned(),
            text => text.to_owned(),
        };
        let deployment = &self.spec.deployment;
        or(&deployment.namespace, &self.metadata.namespace) == config.namespace
            && or(&deployment.instance_name, "kiali") == config.name
    }

    /// Returns `namespace/name`.
    pub(crate) fn place(&self) -> String {
        format!("{}/{}", self.metadata.namespace, self.metadata.name)
    }
}

/// What Kiali sends to unless it is told (Kiali `config/config.go`).
const DEFAULT_URL: &str = "http://tracing.istio-system:16685/jaeger";

impl KialiConfig {
    /// Reads the ConfigMap of a Kiali.
    ///
    /// # Errors
    ///
    /// When it is none, or cannot be read.
    pub(crate) fn read(namespace: &str, name: &str, object: &Value) -> Result<Self, String> {
        let read = documents::config_map(object)?;
        let text = object.pointer("/data/config.yaml").and_then(Value::as_str);
        let config: Value = serde_saphyr::from_str(text.unwrap_or_default())
            .map_err(|_| "config.yaml is no YAML".to_owned())?;
        let tracing = config.pointer("/external_services/tracing");
        let tracing = tracing.cloned().unwrap_or_default();
        let word = |key: &str| {
            tracing
                .pointer(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        // Before 1.73 the address had another key.
        let url = [word("/internal_url"), word("/in_cluster_url")];
        let url = url
            .into_iter()
            .find(|url| !url.is_empty())
            .unwrap_or(DEFAULT_URL);
        let names = |key: &str| -> Vec<String> {
            let map = tracing.get(key).and_then(Value::as_object);
            map.into_iter()
                .flat_map(|map| map.keys().cloned())
                .collect()
        };
        let port = tracing.get("grpc_port").and_then(Value::as_u64);
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            tracing: Tracing {
                enabled: tracing
                    .get("enabled")
                    .and_then(Value::as_bool)
                    .unwrap_or(false),
                provider: word("/provider").to_owned(),
                use_grpc: tracing.get("use_grpc").and_then(Value::as_bool),
                internal_url: without_user(url),
                auth_type: word("/auth/type").to_owned(),
                query_scope: names("query_scope"),
                custom_headers: names("custom_headers"),
                health_check_url: without_user(word("/health_check_url")),
                grpc_port: port.and_then(|port| port.try_into().ok()).unwrap_or(0),
                tenant: word("/tempo_config/tenant").to_owned(),
            },
            ..Self::said(read)
        })
    }

    /// Reads what the API at a URL answers to `/api/tracing`, `/api/config` and
    /// `/api/status`. How it speaks to Jaeger is not among it.
    ///
    /// # Errors
    ///
    /// When one of them is not what Kiali answers.
    pub(crate) fn answered(url: &str, answers: [&[u8]; 3]) -> Result<Self, String> {
        let read = answers::read_all(answers)?;
        let tracing: Value = serde_json::from_slice(answers[0]).unwrap_or_default();
        Ok(Self {
            name: url.to_owned(),
            tracing: Tracing {
                enabled: tracing.get("enabled").and_then(Value::as_bool) == Some(true),
                provider: tracing
                    .get("provider")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                ..Tracing::default()
            },
            ..Self::said(read)
        })
    }

    fn said(ReadDocument { said, notes }: ReadDocument) -> Self {
        Self {
            version: said
                .version
                .map(|version| version.to_string())
                .unwrap_or_default(),
            namespace_selector: said.namespace_selector,
            use_waypoint_name: said.use_waypoint_name,
            istio_identity_domain: said.istio_identity_domain.unwrap_or_default(),
            app_label_name: said.app_label_name.unwrap_or_default(),
            cluster_name: said.cluster_id.unwrap_or_default(),
            notes,
            ..Self::default()
        }
    }

    /// Returns true if it speaks gRPC to Jaeger, as it does unless it is told.
    pub(crate) fn uses_grpc(&self) -> bool {
        self.tracing.use_grpc.unwrap_or(true)
    }

    /// Returns true if its trace store is a Tempo.
    pub(crate) fn asks_tempo(&self) -> bool {
        self.tracing.provider == "tempo"
    }

    /// Returns where it asks Tempo over HTTP: below the tenant's path, if it knows one and the
    /// address has none (`tracing/tempo/http_client.go`, `ConstructTempoTenantURL`).
    pub(crate) fn tempo_url(&self) -> String {
        let tracing = &self.tracing;
        let url = tracing.internal_url.trim_end_matches('/');
        let parts = parts(url);
        let has_path = parts.scheme.is_some() && !parts.path.is_empty();
        match tracing.tenant.is_empty() || has_path {
            true => url.to_owned(),
            false => format!("{url}/api/traces/v1/{}/tempo", tracing.tenant),
        }
    }

    /// Returns where it searches Tempo over gRPC, if it does.
    pub(crate) fn tempo_grpc_url(&self) -> Option<String> {
        const USUAL: u16 = 9095;
        let port = match self.tracing.grpc_port {
            0 => USUAL,
            port => port,
        };
        let uri = http::Uri::try_from(&self.tracing.internal_url).ok()?;
        let (scheme, host) = (uri.scheme_str()?, uri.host()?);
        self.uses_grpc()
            .then(|| format!("{scheme}://{host}:{port}"))
    }

    /// Returns `namespace/name`, or the URL.
    pub(crate) fn place(&self) -> String {
        match &*self.namespace {
            "" => self.name.clone(),
            namespace => format!("{namespace}/{}", self.name),
        }
    }

    /// Returns the Kiali that it configures, in a mesh with this trust domain.
    pub(crate) fn kiali(&self, trust_domain: &str) -> Kiali {
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let described = Described {
            version: self.version.parse().ok(),
            namespace_selector: self.namespace_selector,
            use_waypoint_name: self.use_waypoint_name,
            istio_identity_domain: named(&self.istio_identity_domain),
            trust_domain: named(trust_domain),
            app_label_name: named(&self.app_label_name),
            ..Described::default()
        };
        described.kiali()
    }
}

/// A URL without the user and password that may stand in it.
fn without_user(url: &str) -> String {
    let UrlParts {
        scheme: Some(scheme),
        authority,
        path,
    } = parts(url)
    else {
        return url.to_owned();
    };
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resource_makes_what_it_names() {
        let config = KialiConfig {
            namespace: "istio-system".to_owned(),
            name: "kiali".to_owned(),
            ..KialiConfig::default()
        };
        for (namespace, deployment, makes) in [
            ("istio-system", json!(null), true),
            ("operators", json!({"namespace": "istio-system"}), true),
            ("operators", json!({}), false),
            ("istio-system", json!({"instance_name": "other"}), false),
        ] {
            // YAML of the operator has snake_case in it.
            let resource: KialiResource = serde_json::from_value(json!({
                "metadata": {"name": "k", "namespace": namespace}, "spec": {"deployment": deployment},
            }))
            .unwrap();
            assert_eq!(resource.makes(&config), makes, "{resource:?}");
        }
    }

    #[test]
    fn a_tempo_is_asked_where_its_keys_say() {
        for (url, port, tenant, http, grpc) in [
            (
                "http://tempo:3200/",
                0,
                "",
                "http://tempo:3200",
                "http://tempo:9095",
            ),
            (
                "https://tempo:3200",
                9000,
                "a",
                "https://tempo:3200/api/traces/v1/a/tempo",
                "https://tempo:9000",
            ),
            (
                "http://tempo/own",
                0,
                "a",
                "http://tempo/own",
                "http://tempo:9095",
            ),
        ] {
            let mut config = KialiConfig::default();
            config.tracing.internal_url = url.to_owned();
            config.tracing.grpc_port = port;
            config.tracing.tenant = tenant.to_owned();
            assert_eq!(config.tempo_url(), http);
            assert_eq!(config.tempo_grpc_url().as_deref(), Some(grpc));
            config.tracing.use_grpc = Some(false);
            assert_eq!(config.tempo_grpc_url(), None);
        }
    }

    #[test]
    fn nothing_secret_is_kept() {
        let config = "\
external_services:
  tracing:
    enabled: true
    internal_url: https://u:hunter2@jaeger.observability:16686/jaeger
    use_grpc: false
    auth: {type: basic, username: u, password: hunter2}
    custom_headers: {x-token: hunter2}
    query_scope: {tenant: hunter2}
    namespace_selector: false
login_token: {signing_key: hunter2}
";
        let map = json!({
            "metadata": {"labels": {"app.kubernetes.io/version": "v2.7.1"}},
            "data": {"config.yaml": config},
        });
        let read = KialiConfig::read("istio-system", "kiali", &map).unwrap();
        assert_eq!(
            read.tracing.internal_url,
            "https://jaeger.observability:16686/jaeger"
        );
        assert_eq!(
            (read.uses_grpc(), read.namespace_selector),
            (false, Some(false))
        );
        assert_eq!((&*read.version, &*read.tracing.auth_type), ("2.7", "basic"));
        assert_eq!(read.tracing.query_scope, ["tenant"]);
        assert_eq!(read.tracing.custom_headers, ["x-token"]);
        let written = serde_json::to_string(&read).unwrap();
        assert!(!written.contains("hunter2"), "{written}");
    }
}
