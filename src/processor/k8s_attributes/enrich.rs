/*!
What a resource gets: everything that is known of its Pod, its Namespace, its Node and
its workloads, as far as it does not say it itself.

An attribute that is there and not empty is left as it is.
*/

use super::{
    association::{Associations, Found},
    container::Containers,
    field::MetadataField as F,
    inventory::Inventory,
    owners::Owners,
    pod,
    rules::{Rules, Source, Tags},
};
use crate::{
    mesh::{
        directory::{OwnerRecord, PodDetails, PodRecord},
        watch::Resource,
    },
    pdata::{AnyValue, Edits, edit_resource, view::resource_attributes, wire},
};
use hashbrown::HashMap;
use std::net::IpAddr;

/// How a resource was found to be a Pod's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The number of the association by which it is known; None: it says nothing.
    pub(super) association: Option<usize>,
    /// The Pod is known.
    pub(super) is_found: bool,
}

/// What decides what a resource gets.
#[derive(Debug)]
pub(super) struct Enriching<'a> {
    pub(super) rules: &'a Rules,
    pub(super) associations: &'a Associations,
    /// Only the address is noted.
    pub(super) passthrough: bool,
    pub(super) inventory: &'a Inventory,
}

/// A resource on its way.
struct Draft<'a> {
    base: HashMap<&'a str, AnyValue<'a>, foldhash::fast::RandomState>,
    added: Tags,
    repo_digest: Option<String>,
}

impl<'a> Draft<'a> {
    fn new(payload: &'a [u8]) -> Self {
        let mut base = HashMap::default();
        for attribute in resource_attributes(payload) {
            base.entry(attribute.key).or_insert(attribute.value);
        }
        Self {
            base,
            added: Tags::new(),
            repo_digest: None,
        }
    }

    /// The text of an attribute; empty where it is absent or of another type.
    fn text(&self, key: &str) -> &str {
        match (self.added.get(key), self.base.get(key)) {
            (Some(added), _) => added,
            (None, Some(AnyValue::String(text))) => text,
            (None, _) => "",
        }
    }

    fn has(&self, key: &str) -> bool {
        self.added.contains_key(key) || self.base.contains_key(key)
    }

    /// Sets an attribute, unless it is there and not empty.
    fn set(&mut self, key: &str, text: &str) {
        let is_empty = match (self.added.get(key), self.base.get(key)) {
            (Some(added), _) => added.is_empty(),
            (None, None | Some(AnyValue::Empty)) => true,
            (None, Some(AnyValue::String(text))) => text.is_empty(),
            (None, Some(AnyValue::Bytes(bytes))) => bytes.is_empty(),
            (None, Some(_)) => false,
        };
        if is_empty {
            self.added.insert(key.to_owned(), text.to_owned());
        }
    }

    fn set_all(&mut self, tags: &Tags) {
        for (key, text) in tags {
            self.set(key, text);
        }
    }

    /// The payload with what was set; None where nothing was.
    fn finish(self, payload: &[u8], scratch: &mut Edits) -> Option<Vec<u8>> {
        if self.added.is_empty() && self.repo_digest.is_none() {
            return None;
        }
        scratch.clear();
        for (key, text) in &self.added {
            scratch.set_str(key, text);
        }
        if let Some(digest) = &self.repo_digest {
            let mut field = Vec::new();
            wire::put_message(9, &mut field, |out| {
                wire::put_bytes(1, b"container.image.repo_digests", out);
                wire::put_message(2, out, |out| {
                    wire::put_message(5, out, |out| {
                        wire::put_message(1, out, |out| wire::put_bytes(1, digest.as_bytes(), out));
                    });
                });
            });
            scratch.append_encoded(&field);
        }
        Some(edit_resource(payload, scratch))
    }
}

impl Enriching<'_> {
    /// Returns the payload of the resource with what it gets, or None where that is
    /// nothing; and how it was found.
    pub(super) fn enrich(
        &self,
        payload: &[u8],
        peer: Option<IpAddr>,
        scratch: &mut Edits,
    ) -> (Option<Vec<u8>>, Outcome) {
        let mut draft = Draft::new(payload);
        let (mut key, mut address) = (Vec::new(), String::new());
        let text = |key: &str| match draft.base.get(key) {
            Some(AnyValue::String(text)) => *text,
            _ => "",
        };
        let known_by = self
            .associations
            .identify(text, peer, &mut key, &mut address);
        let notes_address = self.passthrough || self.rules.metadata.has(F::PodIp);
        if let Some(Found {
            by_address: true, ..
        }) = known_by
            && notes_address
        {
            draft.set("k8s.pod.ip", &address);
        }
        if self.passthrough {
            return (draft.finish(payload, scratch), Outcome::default());
        }
        let pod = known_by.and_then(|_| self.inventory.pod(&key));
        let pod = pod.and_then(|pod| Some((pod, pod.details.as_deref()?)));
        let owners = &self.inventory.owners;
        if let Some((pod, details)) = pod {
            draft.set_all(&pod::attributes(pod, details, self.rules, owners));
            if self.rules.metadata.needs_containers() {
                self.add_container(pod, details, &mut draft);
            }
        }
        self.add_surroundings(pod, owners, &mut draft);
        let outcome = Outcome {
            association: known_by.map(|found| found.association),
            is_found: pod.is_some(),
        };
        (draft.finish(payload, scratch), outcome)
    }

    fn add_container(&self, pod: &PodRecord, details: &PodDetails, draft: &mut Draft<'_>) {
        let containers = Containers::of(pod, details, self.rules);
        let name = draft.text("k8s.container.name");
        let Some(container) = containers.find(name, draft.text("container.id")) else {
            return;
        };
        let texts = [
            ("k8s.container.name", &container.name),
            ("container.image.name", &container.image_name),
            ("container.image.tag", &container.image_tag),
            ("service.instance.id", &container.instance),
            ("service.version", &container.version),
        ];
        for (key, text) in texts {
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                draft.set(key, text);
            }
        }
        let restarts = match draft.base.get("k8s.container.restart_count") {
            Some(AnyValue::Int(restarts)) => Some(*restarts),
            Some(AnyValue::String(text)) => text.parse().ok(),
            Some(_) => None,
            // The last run is the one that runs.
            None => container.runs.keys().next_back().copied(),
        };
        let run = restarts.and_then(|restarts| container.runs.get(&restarts));
        let id = run.and_then(|run| run.id.as_deref());
        if let Some(id) = id.filter(|id| !id.is_empty() && !draft.has("container.id")) {
            draft.added.insert("container.id".to_owned(), id.to_owned());
        }
        if !draft.has("container.image.repo_digests") {
            draft.repo_digest = run.and_then(|run| run.repo_digest.clone());
        }
    }

    /// Adds what is known of the Namespace, the Node and the workloads: those of the Pod,
    /// else those that the resource says.
    fn add_surroundings(
        &self,
        pod: Option<(&PodRecord, &PodDetails)>,
        owners: &Owners,
        draft: &mut Draft<'_>,
    ) {
        let or_said = |known: Option<&str>, draft: &Draft<'_>, key: &str| {
            let known = known.filter(|text| !text.is_empty());
            known.unwrap_or_else(|| draft.text(key)).to_owned()
        };
        let namespace = pod.map(|(pod, _)| &*pod.namespace);
        let namespace = or_said(namespace, draft, "k8s.namespace.name");
        if let Some(of) = owners.namespaces.get(&namespace) {
            let mut tags = Tags::new();
            (self.rules).extract(Resource::Namespaces, Source::Labels, &of.labels, &mut tags);
            if let Some(details) = &of.details {
                let all = &details.annotations;
                (self.rules).extract(Resource::Namespaces, Source::Annotations, all, &mut tags);
            }
            draft.set_all(&tags);
        }
        if !namespace.is_empty() && self.rules.metadata.has(F::ServiceNamespace) {
            draft.set("service.namespace", &namespace);
        }

        // The Collector keeps a Pod's Node only where an attribute is made of it.
        let keeps_node = self.rules.metadata.has_any(&[F::NodeName, F::NodeUid]);
        let node = pod.filter(|_| keeps_node);
        let node = node.map(|(_, details)| &*details.node);
        let node = or_said(node, draft, "k8s.node.name");
        if let Some(of) = owners.nodes.get(&node) {
            self.add_owner(Resource::Nodes, of, draft);
            if !of.uid.is_empty() {
                draft.set("k8s.node.uid", &of.uid);
            }
        }

        let owner = |kind: &str| {
            let mut all = pod.iter().flat_map(|(_, details)| &details.owners);
            all.find(|owner| owner.kind == kind)
                .map(|owner| &*owner.uid)
        };
        let deployment = owner("ReplicaSet").and_then(|uid| {
            let controller = owners.replica_set(uid)?.controller.as_ref()?;
            (controller.kind == "Deployment").then_some(&*controller.uid)
        });
        let workloads = [
            (
                Resource::Deployments,
                &owners.deployments,
                deployment,
                "k8s.deployment.uid",
            ),
            (
                Resource::StatefulSets,
                &owners.stateful_sets,
                owner("StatefulSet"),
                "k8s.statefulset.uid",
            ),
            (
                Resource::DaemonSets,
                &owners.daemon_sets,
                owner("DaemonSet"),
                "k8s.daemonset.uid",
            ),
            (Resource::Jobs, &owners.jobs, owner("Job"), "k8s.job.uid"),
        ];
        for (resource, all, uid, key) in workloads {
            let uid = or_said(uid, draft, key);
            if let Some(of) = all.get(&uid) {
                self.add_owner(resource, of, draft);
            }
        }
    }

    fn add_owner(&self, resource: Resource, owner: &OwnerRecord, draft: &mut Draft<'_>) {
        let mut tags = Tags::new();
        (self.rules).extract(resource, Source::Labels, &owner.labels, &mut tags);
        let annotations = &owner.annotations;
        (self.rules).extract(resource, Source::Annotations, annotations, &mut tags);
        draft.set_all(&tags);
    }
}
