/*! The form of a case. */

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt};

type Texts = BTreeMap<String, String>;

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[serde(rename = "title")]
    _title: String,
    #[serde(default, rename = "source")]
    _source: Option<String>,
    #[serde(default, rename = "kind")]
    _kind: Option<String>,
    /// Kubernetes is watched; else `cluster` is known to Kiali alone.
    #[serde(default)]
    pub(super) watch: bool,
    /// Further keys of the processor, as in a file.
    #[serde(default)]
    mesh: Map<String, Value>,
    /// The Kiali that asks.
    #[serde(default)]
    kiali: Map<String, Value>,
    #[serde(default)]
    pub(super) cluster: Cluster,
    pub(super) spans: Vec<Emitted>,
    #[serde(default)]
    pub(super) expect: Vec<Expectation>,
    #[serde(default)]
    pub(super) pages: Vec<Asked>,
}

impl Case {
    /// The processor's keys. `kiali.cluster` is what Kiali calls its own cluster.
    pub(super) fn configuration(&self) -> String {
        let mut keys = self.mesh.clone();
        let mut kiali = self.kiali.clone();
        kiali.remove("version_label_name");
        if let Some(cluster) = kiali.remove("cluster") {
            keys.insert("cluster_id".to_owned(), cluster);
        }
        keys.insert("kiali".to_owned(), Value::Object(kiali));
        // The directory is the case's own.
        keys.entry("kubernetes").or_insert(json!("auto"));
        Value::Object(keys).to_string()
    }

    /// The cluster of spans that name none.
    pub(super) fn own_cluster(&self) -> &str {
        self.kiali
            .get("cluster")
            .and_then(Value::as_str)
            .unwrap_or("Kubernetes")
    }
}

/// Objects of Kubernetes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cluster {
    /// Their labels by name.
    pub(super) namespaces: BTreeMap<String, Texts>,
    pub(super) workloads: Vec<Workload>,
    pub(super) services: Vec<Service>,
}

/// A workload with one Pod.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Workload {
    pub(super) ns: String,
    pub(super) name: String,
    pub(super) labels: Texts,
    pub(super) pod: Option<String>,
    pub(super) ip: Option<String>,
    pub(super) gateway: bool,
    pub(super) is_waypoint: bool,
    #[serde(rename = "owner")]
    _owner: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Service {
    pub(super) ns: String,
    pub(super) name: String,
    pub(super) labels: Texts,
    pub(super) selector: Texts,
    pub(super) is_waypoint: bool,
    #[serde(rename = "clusterIP")]
    _cluster_ip: String,
}

/// A span as it is emitted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Emitted {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) trace: Option<String>,
    /// The request it comes in.
    #[serde(default)]
    pub(super) request: usize,
    /// The resource's service name.
    pub(super) emitted: Option<String>,
    /// What its `node_id` begins with; absent: no proxy of Istio's.
    pub(super) proxy: Option<String>,
    #[serde(default)]
    pub(super) pod: String,
    #[serde(default)]
    pub(super) ns: String,
    /// `istio.canonical_service`.
    pub(super) canonical: Option<String>,
    /// `false`: without Istio's tags.
    pub(super) istio_tags: Option<bool>,
    /// `istio.cluster_id`; empty: without that.
    pub(super) cluster_id: Option<String>,
    /// `false`: without `node_id`.
    pub(super) node_id: Option<bool>,
    #[serde(default = "server")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: String,
    /// The upstream cluster.
    pub(super) cluster: Option<String>,
    /// `http.status_code`.
    pub(super) code: Option<String>,
    /// `response_flags`.
    pub(super) flags: Option<String>,
    /// Further attributes; they win.
    #[serde(default)]
    pub(super) tags: Texts,
    /// Further attributes of the resource.
    #[serde(default)]
    pub(super) resource: Texts,
}

fn server() -> String {
    "SERVER".to_owned()
}

/// What must come of a span.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectation {
    pub(super) span: String,
    pub(super) service: Option<String>,
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) tags: Texts,
    #[serde(default)]
    pub(super) resource: Texts,
    /// What neither the span nor its resource may have.
    #[serde(default)]
    pub(super) absent: Vec<String>,
}

/// A page of Kiali's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) page: PageOf,
    pub(super) ns: String,
    pub(super) name: String,
    /// The cluster that is looked at; absent: Kiali's own.
    pub(super) cluster: Option<String>,
    #[serde(default)]
    pub(super) want: Wanted,
    /// Further tags that are asked for.
    #[serde(default)]
    pub(super) query: Texts,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PageOf {
    App,
    Service,
    Workload,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wanted {
    #[default]
    Found,
    Empty,
    Any,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the page of {:?} {}/{}", self.page, self.ns, self.name)?;
        self.cluster
            .as_ref()
            .map_or(Ok(()), |of| write!(f, " of {of}"))
    }
}
