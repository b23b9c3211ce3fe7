/*!
What was seen of the chain: the input of all checks, and what `--bundle` writes.

Each question has an [`Answer`], so that "it is not there" and "nobody could be
asked" are never taken for each other. Objects keep the fields that checks read
and no others: nothing that may be secret is ever in here, so nothing has to
be taken out before a bundle is handed on.
*/

pub(super) mod collector;
pub(super) mod jaeger;
pub(super) mod kiali;
pub(super) mod mesh_config;
pub(super) mod objects;
pub(super) mod probe;
pub(super) mod proxy;
pub(super) mod tempo;
pub(super) mod traces;

use collector::Collector;
use jaeger::JaegerAddress;
use kiali::KialiConfig;
use mesh_config::MeshConfig;
use objects::{EndpointSlice, Gateway, Namespace, Pod, Service, ServiceEntry, Telemetry};
use probe::Probe;
use proxy::SeenProxy;
use serde::{Deserialize, Serialize};
use std::fmt;
use tempo::TempoSeen;

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    pub(super) scope: Scope,
    pub(super) kubernetes: Kubernetes,
    pub(super) proxies: Vec<SeenProxy>,
    pub(super) collector: Collector,
    pub(super) jaegers: Vec<JaegerAddress>,
    /// Asked where Kiali has one for its trace store.
    pub(super) tempo: Answer<TempoSeen>,
    /// Kialis by their configuration, the one that is looked at first.
    pub(super) kialis: Answer<Vec<KialiConfig>>,
    /// Asked with `--probe` alone.
    pub(super) probe: Answer<Probe>,
}

/// What was to be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Scope {
    /// Where Istio's control plane and its root namespace are.
    pub(super) istio_namespace: String,
    /// The namespaces that were asked for; empty: all of the mesh.
    pub(super) namespaces: Vec<String>,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            istio_namespace: "istio-system".to_owned(),
            namespaces: Vec::new(),
        }
    }
}

/// What the Kubernetes API says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kubernetes {
    /// The server's version.
    pub(super) api: Answer<String>,
    pub(super) istiods: Answer<Vec<Pod>>,
    pub(super) mesh_config: Answer<MeshConfig>,
    pub(super) namespaces: Answer<Vec<Namespace>>,
    pub(super) services: Answer<Vec<Service>>,
    pub(super) pods: Answer<Vec<Pod>>,
    pub(super) gateways: Answer<Vec<Gateway>>,
    pub(super) telemetries: Answer<Vec<Telemetry>>,
    pub(super) service_entries: Answer<Vec<ServiceEntry>>,
    /// One for each provider of the mesh configuration that sends to a Service.
    pub(super) provider_services: Vec<ProviderService>,
}

/// The Service that a provider names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ProviderService {
    pub(super) namespace: String,
    pub(super) name: String,
    /// None: there is no such Service.
    pub(super) service: Answer<Option<Service>>,
    pub(super) endpoints: Answer<Vec<EndpointSlice>>,
}

/// What came of a question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer<T> {
    /// It was not asked: nobody wanted to know, or an earlier answer made it pointless.
    #[default]
    NotAsked,
    /// The answer.
    Got(T),
    /// There was none.
    Failed(Failure),
}

/// Why there is no answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Failure {
    pub(super) kind: FailureKind,
    /// What was asked and what happened, in a sentence.
    pub(super) cause: String,
    /// The command that mends it, where there is one.
    pub(super) remedy: Option<String>,
}

/// Kinds of failures that checks tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum FailureKind {
    /// A right is missing.
    Forbidden,
    /// The server says that it has no such thing.
    Absent,
    /// No connection, or no answer in time.
    #[default]
    Unreachable,
    /// An answer that is not what was asked for.
    Malformed,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl<T> Answer<T> {
    /// What a question that was asked came to.
    pub(super) fn of(result: Result<T, Failure>) -> Self {
        match result {
            Ok(value) => Self::Got(value),
            Err(failure) => Self::Failed(failure),
        }
    }

    /// Returns the answer, if there is one.
    pub(super) fn got(&self) -> Option<&T> {
        match self {
            Self::Got(value) => Some(value),
            _ => None,
        }
    }

    /// Returns why it failed, if it did.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

impl<T> Answer<Vec<T>> {
    /// Returns the things; none where it is not known that there are any.
    pub(super) fn list(&self) -> &[T] {
        self.got().map_or(&[], Vec::as_slice)
    }
}

impl Facts {
    /// Returns the namespace whose Telemetry holds for the whole mesh.
    pub(super) fn root_namespace(&self) -> &str {
        let config = self.kubernetes.mesh_config.got();
        config
            .map(|config| config.root_namespace.as_str())
            .filter(|name| !name.is_empty())
            .unwrap_or(&self.scope.istio_namespace)
    }
}
