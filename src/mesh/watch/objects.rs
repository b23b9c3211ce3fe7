/*!
Objects as the API server writes them, of which only what records need is read.
The rest (specs, statuses, managed fields) is skipped as it is parsed.
*/

use super::{control_plane_pod, kept::Kept, pod_spec::PodSpec, resource::Resource};
use crate::mesh::directory::{
    Annotations, ContainerSpec, ContainerStatus, Labels, NamespaceDetails, NamespaceRecord,
    OwnerRecord, OwnerReference, PodDetails, PodPhase, PodRecord, ServiceRecord,
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::HashSet, net::IpAddr, sync::Arc};

/// `metadata`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Meta {
    name: String,
    namespace: String,
    generate_name: String,
    /// Where a watch goes on.
    pub(crate) resource_version: String,
    uid: String,
    creation_timestamp: String,
    labels: Option<Labels>,
    annotations: Option<Annotations>,
    owner_references: Vec<Owner>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Owner {
    kind: String,
    name: String,
    uid: String,
    controller: bool,
}

impl From<Owner> for OwnerReference {
    fn from(owner: Owner) -> Self {
        Self {
            kind: owner.kind,
            name: owner.name,
            uid: owner.uid,
            controller: owner.controller,
        }
    }
}

/// Sets of labels, each kept once: those of replicas are the same.
#[derive(Debug, Default)]
pub(crate) struct LabelPool(HashSet<Arc<Labels>>);

impl LabelPool {
    fn share(&mut self, labels: Option<Labels>) -> Arc<Labels> {
        let labels = labels.unwrap_or_default();
        if let Some(shared) = self.0.get(&labels) {
            return Arc::clone(shared);
        }
        let shared = Arc::new(labels);
        self.0.insert(Arc::clone(&shared));
        shared
    }

    /// Forgets sets that nobody has any more.
    pub(crate) fn purge(&mut self) {
        self.0.retain(|labels| Arc::strong_count(labels) > 1);
    }
}

/// An object of a directory, as it is read.
pub(crate) trait Object: DeserializeOwned + Clone + 'static {
    /// What is kept of it.
    type Record: PartialEq + 'static;
    /// The kind of object.
    const RESOURCE: Resource;

    /// Its `metadata`.
    fn meta(&self) -> &Meta;

    /// Returns what is to be kept of the object, where that is `kept` of all.
    fn record(self, pool: &mut LabelPool, kept: &Kept) -> Self::Record;

    /// Tells it apart from others of its kind.
    fn key(&self) -> String {
        let meta = self.meta();
        format!("{}/{}", meta.namespace, meta.name)
    }
}

/// `v1.Pod`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PodObject {
    metadata: Meta,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: String,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
    #[serde(rename = "startTime")]
    start_time: String,
    #[serde(rename = "containerStatuses")]
    containers: Option<Vec<StatusOfContainer>>,
    #[serde(rename = "initContainerStatuses")]
    init_containers: Option<Vec<StatusOfContainer>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StatusOfContainer {
    name: String,
    #[serde(rename = "containerID")]
    id: String,
    #[serde(rename = "imageID")]
    image_id: String,
    #[serde(rename = "restartCount")]
    restarts: i64,
}

impl From<StatusOfContainer> for ContainerStatus {
    fn from(status: StatusOfContainer) -> Self {
        Self {
            name: status.name,
            id: status.id,
            image_id: status.image_id,
            restarts: status.restarts,
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PodIp {
    ip: String,
}

impl Object for PodObject {
    type Record = PodRecord;
    const RESOURCE: Resource = Resource::Pods;

    fn meta(&self) -> &Meta {
        &self.metadata
    }

    fn record(mut self, pool: &mut LabelPool, kept: &Kept) -> PodRecord {
        let phase = match self.status.phase.as_str() {
            "Running" => PodPhase::Running,
            "Succeeded" | "Failed" => PodPhase::Finished,
            _ => PodPhase::Pending,
        };
        let mut addresses: Vec<IpAddr> = Vec::new();
        // A finished Pod keeps its addresses in its status, but not in truth.
        if !self.spec.host_network && phase != PodPhase::Finished {
            let all = self.status.pod_ips.iter().map(|ip| &ip.ip);
            for ip in all
                .chain([&self.status.pod_ip])
                .filter_map(|ip| ip.parse().ok())
            {
                if !addresses.contains(&ip) {
                    addresses.push(ip);
                }
            }
        }
        let workload = workload(&self.metadata);
        let workload = (workload != self.metadata.name).then(|| workload.to_owned());
        let labels = self.metadata.labels.as_ref();
        let runs = labels.and_then(|labels| control_plane_pod::read(labels, &self.spec));
        let labels = self.metadata.labels.take();
        let labels = match kept.details {
            true => labels,
            false => labels.map(without_uids),
        };
        PodRecord {
            runs,
            workload,
            addresses,
            labels: pool.share(labels),
            phase,
            namespace: std::mem::take(&mut self.metadata.namespace),
            name: std::mem::take(&mut self.metadata.name),
            details: kept.details.then(|| Box::new(self.details(kept))),
        }
    }
}

impl PodObject {
    fn details(self, kept: &Kept) -> PodDetails {
        let Self {
            metadata,
            spec,
            status,
        } = self;
        let owned = |(name, image): (&str, &str)| ContainerSpec {
            name: name.to_owned(),
            image: image.to_owned(),
        };
        let (containers, statuses) = match kept.containers {
            true => {
                let statuses = [status.containers, status.init_containers];
                let statuses = statuses.into_iter().flatten().flatten();
                let statuses = statuses.map(ContainerStatus::from).collect();
                (spec.images().map(owned).collect(), statuses)
            }
            false => (Vec::new(), Vec::new()),
        };
        PodDetails {
            uid: metadata.uid,
            node: spec.node_name,
            hostname: spec.hostname,
            host_network: spec.host_network,
            ip: status.pod_ip,
            created: metadata.creation_timestamp,
            started: status.start_time,
            owners: metadata
                .owner_references
                .into_iter()
                .map(OwnerReference::from)
                .collect(),
            annotations: kept.annotations(Resource::Pods, metadata.annotations),
            containers,
            statuses,
        }
    }
}

/// Labels whose value names an object by its UID: no selector written
/// beforehand can ask for one, and each makes a set of labels of its own.
const UIDS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];

fn without_uids(mut labels: Labels) -> Labels {
    for label in UIDS {
        labels.remove(label);
    }
    labels
}

/// Returns the workload a Pod belongs to, by the rules of Istio's
/// `GetDeployMetaFromPod` (`pkg/kube/util.go`).
fn workload(pod: &Meta) -> &str {
    let Some(owner) = pod.owner_references.iter().find(|owner| owner.controller) else {
        return &pod.name;
    };
    // What has a name of its own was not made from a template.
    if pod.generate_name.is_empty() || owner.name.is_empty() {
        return &pod.name;
    }
    let label = |name: &str| {
        let labels = pod.labels.as_ref()?;
        labels
            .get(name)
            .filter(|v| !v.is_empty())
            .map(String::as_str)
    };
    // Istio's `TrimSuffix`: without the dash before the hash the name stays.
    let without = |hash: Option<&str>| {
        let hash = hash.filter(|hash| owner.name.ends_with(hash))?;
        let base = owner.name.strip_suffix(hash)?.strip_suffix('-');
        Some(base.filter(|base| !base.is_empty()).unwrap_or(&owner.name))
    };
    match owner.kind.as_str() {
        "ReplicaSet" => without(label("pod-template-hash"))
            .or_else(|| without(label("rollouts-pod-template-hash")))
            .unwrap_or(&owner.name),
        "ReplicationController" => label("deploymentconfig").unwrap_or(&owner.name),
        "Job" => cron_job(&owner.name).unwrap_or(&owner.name),
        _ => &owner.name,
    }
}

/// Returns the CronJob that a Job was made by: Jobs end in the minute or
/// second.
fn cron_job(job: &str) -> Option<&str> {
    let (name, time) = job.rsplit_once('-')?;
    let digits = time.bytes().all(|b| b.is_ascii_digit());
    (!name.is_empty() && digits && (8..=10).contains(&time.len())).then_some(name)
}

/// `v1.Service`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ServiceObject {
    metadata: Meta,
    #[serde(default)]
    spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceSpec {
    selector: Option<Labels>,
}

impl Object for ServiceObject {
    type Record = ServiceRecord;
    const RESOURCE: Resource = Resource::Services;

    fn meta(&self) -> &Meta {
        &self.metadata
    }

    fn record(self, pool: &mut LabelPool, _: &Kept) -> ServiceRecord {
        ServiceRecord {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            labels: pool.share(self.metadata.labels),
            selector: pool.share(self.spec.selector),
        }
    }
}

/// `v1.Namespace`, of which only the metadata is asked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Namespace {
    metadata: Meta,
}

impl Object for Namespace {
    type Record = NamespaceRecord;
    const RESOURCE: Resource = Resource::Namespaces;

    fn meta(&self) -> &Meta {
        &self.metadata
    }

    fn record(self, pool: &mut LabelPool, kept: &Kept) -> NamespaceRecord {
        let Meta {
            name,
            uid,
            labels,
            annotations,
            ..
        } = self.metadata;
        let details = || NamespaceDetails {
            uid,
            annotations: kept.annotations(Resource::Namespaces, annotations),
        };
        NamespaceRecord {
            name,
            labels: pool.share(labels),
            details: kept.details.then(|| Box::new(details())),
        }
    }
}

/// Declares kinds of objects of which only the metadata is asked for.
macro_rules! metadata_objects {
    ($($(#[doc = $doc:literal])+ $name:ident: $resource:expr,)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Deserialize)]
        pub(crate) struct $name {
            metadata: Meta,
        }

        impl Object for $name {
            type Record = OwnerRecord;
            const RESOURCE: Resource = $resource;

            fn meta(&self) -> &Meta {
                &self.metadata
            }

            fn record(self, pool: &mut LabelPool, kept: &Kept) -> OwnerRecord {
                self.metadata.owner(Self::RESOURCE, pool, kept)
            }
        }
    )+};
}

metadata_objects! {
    /// `v1.Node`.
    Node: Resource::Nodes,
    /// `apps/v1.ReplicaSet`.
    ReplicaSet: Resource::ReplicaSets,
    /// `apps/v1.Deployment`.
    Deployment: Resource::Deployments,
    /// `apps/v1.StatefulSet`.
    StatefulSet: Resource::StatefulSets,
    /// `apps/v1.DaemonSet`.
    DaemonSet: Resource::DaemonSets,
    /// `batch/v1.Job`.
    Job: Resource::Jobs,
}

impl Meta {
    fn owner(self, resource: Resource, pool: &mut LabelPool, kept: &Kept) -> OwnerRecord {
        let mut owners = self.owner_references.into_iter();
        OwnerRecord {
            name: self.name,
            uid: self.uid,
            labels: pool.share(self.labels),
            annotations: kept.annotations(resource, self.annotations),
            controller: owners
                .find(|owner| owner.controller)
                .map(OwnerReference::from),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn pod(value: serde_json::Value) -> PodRecord {
        let pod: PodObject = serde_json::from_value(value).unwrap();
        pod.record(&mut LabelPool::default(), &Kept::default())
    }

    #[test]
    fn workloads_of_pods() {
        let hash = json!({"pod-template-hash": "794db9df8f"});
        let none = json!({});
        for (name, generated, kind, owner, labels, want) in [
            (
                "a-794db9df8f-x",
                true,
                "ReplicaSet",
                "a-794db9df8f",
                &hash,
                "a",
            ),
            ("a-b-x", true, "ReplicaSet", "a-b", &none, "a-b"),
            ("a-1-x", true, "ReplicaSet", "a-1", &hash, "a-1"),
            (
                "a794db9df8f-x",
                true,
                "ReplicaSet",
                "a794db9df8f",
                &hash,
                "a794db9df8f",
            ),
            (
                "r-5d-x",
                true,
                "ReplicaSet",
                "r-5d",
                &json!({"rollouts-pod-template-hash": "5d"}),
                "r",
            ),
            ("db-0", true, "StatefulSet", "db", &none, "db"),
            ("agent-x", true, "DaemonSet", "agent", &none, "agent"),
            (
                "tick-29012345-x",
                true,
                "Job",
                "tick-29012345",
                &none,
                "tick",
            ),
            ("load-1-x", true, "Job", "load-1", &none, "load-1"),
            (
                "dc-2-x",
                true,
                "ReplicationController",
                "dc-2",
                &json!({"deploymentconfig": "dc"}),
                "dc",
            ),
            // A Pod of its own name, as mirror Pods of nodes have.
            ("etcd-node", false, "Node", "node", &none, "etcd-node"),
        ] {
            let meta = json!({
                "name": name, "namespace": "ns", "labels": labels,
                "generateName": if generated { "any-" } else { "" },
                "ownerReferences": [
                    {"kind": "Other", "name": "other"},
                    {"kind": kind, "name": owner, "controller": true},
                ],
            });
            assert_eq!(pod(json!({"metadata": meta})).workload(), want, "{name}");
        }
        let bare = json!({"metadata": {"name": "bare", "namespace": "ns", "generateName": "b"}});
        assert_eq!(pod(bare).workload(), "bare");
    }

    #[test]
    fn addresses_and_phases_of_pods() {
        let with = |spec: serde_json::Value, status: serde_json::Value| {
            let meta = json!({"name": "p", "namespace": "n"});
            let record = pod(json!({"metadata": meta, "spec": spec, "status": status}));
            let texts: Vec<String> = record.addresses.iter().map(ToString::to_string).collect();
            (texts.join(" "), record.phase)
        };
        let ips = json!([{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]);
        for (spec, phase, want) in [
            (
                json!({}),
                "Running",
                ("10.0.0.1 fd00::1", PodPhase::Running),
            ),
            (
                json!({"hostNetwork": true}),
                "Running",
                ("", PodPhase::Running),
            ),
            (
                json!({}),
                "Pending",
                ("10.0.0.1 fd00::1", PodPhase::Pending),
            ),
            (json!({}), "Succeeded", ("", PodPhase::Finished)),
            (json!({}), "Failed", ("", PodPhase::Finished)),
        ] {
            let status = json!({"phase": phase, "podIP": "10.0.0.1", "podIPs": ips});
            let (addresses, got) = with(spec, status);
            assert_eq!((addresses.as_str(), got), want);
        }
    }

    #[test]
    fn labels_of_pods_are_kept_but_for_uids() {
        let labels = json!({
            "app": "a", "controller-uid": "1", "batch.kubernetes.io/controller-uid": "1",
            "statefulset.kubernetes.io/pod-name": "p", "job-name": "j",
        });
        let record = pod(json!({"metadata": {"name": "p", "namespace": "n", "labels": labels}}));
        let kept: Vec<&String> = record.labels.keys().collect();
        assert_eq!(
            kept,
            ["app", "job-name", "statefulset.kubernetes.io/pod-name"]
        );
    }

    #[test]
    fn replicas_share_their_labels() {
        let mut pool = LabelPool::default();
        let labels = || Some(Labels::from([("app".to_owned(), "a".to_owned())]));
        let (a, b) = (pool.share(labels()), pool.share(labels()));
        assert!(Arc::ptr_eq(&a, &b));
        drop((a, b));
        pool.purge();
        assert!(pool.0.is_empty());
    }
}
