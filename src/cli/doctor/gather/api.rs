/*!
The Kubernetes API, asked with time limits.

Lists come in pages, and what checks do not read is dropped while a page is
parsed, so a large mesh takes little memory. A right that is missing is told with
the command that gives it.
*/

use crate::{
    cli::doctor::facts::{Answer, Failure, FailureKind},
    mesh::{
        KubernetesMode, KubernetesSettings,
        watch::{
            WatchErrorKind,
            api::{self, ApiError},
            client,
            error::{Verb, WatchError, subject_of},
        },
    },
};
use futures_util::future::join_all;
use http::Request;
use kube::Client;
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeSet, path::PathBuf, time::Duration};

/// Objects of a page.
const PAGE: u32 = 500;
/// Pages of a list that are read: more objects than that help no check.
const MAX_PAGES: usize = 200;

/// A kind of object in the API.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    group: &'static str,
    versions: &'static [&'static str],
    plural: &'static str,
    /// Clusters may lack it, which says that there are none.
    optional: bool,
}

const fn core(plural: &'static str) -> Kind {
    Kind {
        group: "",
        versions: &["v1"],
        plural,
        optional: false,
    }
}

pub(super) const NAMESPACES: Kind = core("namespaces");
pub(super) const SERVICES: Kind = core("services");
pub(super) const PODS: Kind = core("pods");
pub(super) const CONFIG_MAPS: Kind = core("configmaps");
pub(super) const SLICES: Kind = Kind {
    group: "discovery.k8s.io",
    ..core("endpointslices")
};
pub(super) const TELEMETRIES: Kind = Kind {
    group: "telemetry.istio.io",
    versions: &["v1", "v1alpha1"],
    plural: "telemetries",
    optional: true,
};
pub(super) const GATEWAYS: Kind = Kind {
    group: "gateway.networking.k8s.io",
    versions: &["v1", "v1beta1"],
    plural: "gateways",
    optional: true,
};
pub(super) const KIALIS: Kind = Kind {
    group: "kiali.io",
    versions: &["v1alpha1"],
    plural: "kialis",
    optional: true,
};
pub(super) const SERVICE_ENTRIES: Kind = Kind {
    group: "networking.istio.io",
    versions: &["v1", "v1beta1"],
    plural: "serviceentries",
    optional: true,
};

impl Kind {
    fn path(self, version: &str, namespace: Option<&str>) -> String {
        let api = match self.group {
            "" => format!("/api/{version}"),
            group => format!("/apis/{group}/{version}"),
        };
        match namespace {
            Some(namespace) => format!("{api}/namespaces/{namespace}/{}", self.plural),
            None => format!("{api}/{}", self.plural),
        }
    }

    /// The name that `kubectl` knows it by.
    fn resource(self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

/// A page of a list.
#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    metadata: PageMeta,
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServerVersion {
    git_version: String,
}

/// A client with a time limit for each question.
pub(in crate::cli::doctor) struct Api {
    client: Client,
    limit: Duration,
}

impl Api {
    pub(in crate::cli::doctor) async fn connect(
        kubeconfig: Option<PathBuf>,
        limit: Duration,
    ) -> Result<Self, Failure> {
        let settings = KubernetesSettings {
            mode: KubernetesMode::On,
            namespaces: Vec::new(),
            kubeconfig,
        };
        let made = match client::config(&settings).await {
            Ok(config) => client::client(config),
            Err(error) => Err(error),
        };
        match made {
            Ok(client) => Ok(Self { client, limit }),
            Err(error) => Err(Failure {
                kind: FailureKind::Unreachable,
                cause: format!("no way to the Kubernetes API: {}", error.why),
                remedy: Some("give --kubeconfig FILE, or --no-kubernetes to do without".to_owned()),
            }),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let request = Request::get(path).body(Vec::new());
        let request = request.map_err(|error| ApiError::Malformed(error.to_string()))?;
        api::get(&self.client, request, self.limit).await
    }

    pub(super) async fn version(&self) -> Answer<String> {
        match self.get::<ServerVersion>("/version").await {
            Ok(version) => Answer::Got(version.git_version),
            Err(error) => {
                let error = WatchError::of(Verb::List, &error);
                Answer::Failed(Failure {
                    kind: FailureKind::Unreachable,
                    cause: format!("the Kubernetes API does not answer: {}", error.message),
                    remedy: None,
                })
            }
        }
    }

    /// Lists objects of all namespaces, or of some.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        kind: Kind,
        namespaces: &BTreeSet<&str>,
    ) -> Answer<Vec<T>> {
        if namespaces.is_empty() {
            return self.list(kind, None, None).await;
        }
        let lists = namespaces
            .iter()
            .map(|namespace| self.list(kind, Some(namespace), None));
        let mut all = Vec::new();
        for list in join_all(lists).await {
            match list {
                Answer::Got(some) => all.extend(some),
                failed => return failed,
            }
        }
        Answer::Got(all)
    }

    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Answer<Vec<T>> {
        let mut last = None;
        for version in kind.versions {
            match self.pages(&kind.path(version, namespace), selector).await {
                Ok(all) => return Answer::Got(all),
                Err(error) => {
                    let error = WatchError::of(Verb::List, &error);
                    let absent = error.code == Some(404);
                    last = Some(error);
                    if !absent {
                        break;
                    }
                }
            }
        }
        match last {
            Some(error) if error.code == Some(404) && kind.optional => Answer::Got(Vec::new()),
            Some(error) => Answer::Failed(failure(kind, namespace, "list", &error)),
            None => Answer::NotAsked,
        }
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        selector: Option<&str>,
    ) -> Result<Vec<T>, ApiError> {
        let mut all = Vec::new();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let params = kube::api::ListParams {
                limit: Some(PAGE),
                continue_token: next.take(),
                label_selector: selector.map(str::to_owned),
                ..kube::api::ListParams::default()
            };
            let request = kube::core::Request::new(path).list(&params);
            let request = request.map_err(|error| ApiError::Malformed(error.to_string()))?;
            let page: Page<T> = api::get(&self.client, request, self.limit).await?;
            all.extend(page.items);
            next = page.metadata.next.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(all);
            }
        }
        Err(ApiError::Malformed(format!(
            "more than {} objects",
            all.len()
        )))
    }

    /// Reads one object; None: it is not there.
    pub(super) async fn object<T: DeserializeOwned>(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Answer<Option<T>> {
        let version = kind.versions.first().copied().unwrap_or_default();
        let path = format!("{}/{name}", kind.path(version, Some(namespace)));
        match self.get(&path).await {
            Ok(object) => Answer::Got(Some(object)),
            Err(error) => {
                let error = WatchError::of(Verb::List, &error);
                match error.code {
                    Some(404) => Answer::Got(None),
                    _ => Answer::Failed(failure(kind, Some(namespace), "get", &error)),
                }
            }
        }
    }
}

/// Says why a question failed, and what gives the right that was missing.
fn failure(kind: Kind, namespace: Option<&str>, verb: &str, error: &WatchError) -> Failure {
    let (resource, place) = (
        kind.resource(),
        match namespace {
            Some(namespace) => format!("in namespace {namespace}"),
            None => "in all namespaces".to_owned(),
        },
    );
    if error.kind != WatchErrorKind::Forbidden {
        return Failure {
            kind: match error.kind {
                WatchErrorKind::Malformed | WatchErrorKind::TooMany => FailureKind::Malformed,
                _ => FailureKind::Unreachable,
            },
            cause: format!("cannot {verb} {resource} {place}: {}", error.message),
            remedy: None,
        };
    }
    let subject = subject_of(&error.message);
    let name = format!("wayspan-doctor-{verb}-{}", kind.plural);
    let remedy = match namespace {
        Some(namespace) => format!(
            "kubectl -n {namespace} create role {name} --verb={verb} --resource={resource} && \
             kubectl -n {namespace} create rolebinding {name} --role={name} {subject}"
        ),
        None => format!(
            "kubectl create clusterrole {name} --verb={verb} --resource={resource} && \
             kubectl create clusterrolebinding {name} --clusterrole={name} {subject}"
        ),
    };
    Failure {
        kind: FailureKind::Forbidden,
        cause: format!("may not {verb} {resource} {place}"),
        remedy: Some(remedy),
    }
}
