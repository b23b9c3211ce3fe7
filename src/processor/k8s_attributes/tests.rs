//! What resources get, by a small cluster that is written here. Each of the modules asks one question about it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{
    association::{Association, AssociationSource, Associations},
    enrich::{Enriching, Outcome},
    field::{MetadataField as F, MetadataFields},
    inventory::{Filing, Inventory, Keeper},
    rules::{KeyRule, Rules},
    settings::K8sSettings,
    synced::Synced,
    *,
};
use crate::{
    mesh::{
        directory::{
            ContainerSpec, ContainerStatus, KnownObjects, NamespaceDetails, NamespaceRecord,
            OwnerRecord, OwnerReference, PodDetails, PodPhase, PodRecord,
        },
        watch::{KeyPattern, Resource},
    },
    pdata::{AnyValue, Index, Keys, Signal, validate, view::resource_attributes, wire},
};
use regex::Regex;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

mod associating;
mod extracting;
mod watching;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
    pairs.iter().map(own).collect()
}

fn owner(kind: &str, name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        kind: kind.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: true,
    }
}

/// A Pod of a Deployment, with one container.
fn cart(uid: &str, ip: &str) -> PodRecord {
    PodRecord {
        namespace: "shop".to_owned(),
        name: "cart-5d-x".to_owned(),
        labels: Arc::new(map(&[
            ("app", "cart"),
            ("pod-template-hash", "5d"),
            ("app.kubernetes.io/version", "7"),
            ("team.example/a", "one"),
            ("team.example/b", ""),
        ])),
        details: Some(Box::new(PodDetails {
            uid: uid.to_owned(),
            node: "node-1".to_owned(),
            ip: ip.to_owned(),
            created: "2026-11-28T10:00:00Z".to_owned(),
            started: "2026-11-28T10:00:01Z".to_owned(),
            owners: vec![owner("ReplicaSet", "cart-5d", "rs-1")],
            annotations: map(&[("resource.opentelemetry.io/service.name", "cart-eu")]),
            containers: vec![ContainerSpec {
                name: "app".to_owned(),
                image: "registry:5000/shop/cart:1.2".to_owned(),
            }],
            statuses: vec![ContainerStatus {
                name: "app".to_owned(),
                id: "containerd://c0ffee".to_owned(),
                image_id: format!("registry:5000/shop/cart@sha256:{}", "ab".repeat(32)),
                restarts: 2,
            }],
            ..PodDetails::default()
        })),
        ..PodRecord::default()
    }
}

fn changed(pod: PodRecord, change: impl FnOnce(&mut PodDetails)) -> PodRecord {
    let mut pod = pod;
    change(pod.details.as_mut().unwrap());
    pod
}

fn cluster(pods: Vec<PodRecord>) -> KnownObjects {
    let object = |name: &str, uid: &str, labels: &[(&str, &str)]| {
        Arc::new(OwnerRecord {
            name: name.to_owned(),
            uid: uid.to_owned(),
            labels: Arc::new(map(labels)),
            ..OwnerRecord::default()
        })
    };
    let namespace = |name: &str, uid: &str, labels: &[(&str, &str)]| {
        Arc::new(NamespaceRecord {
            name: name.to_owned(),
            labels: Arc::new(map(labels)),
            details: Some(Box::new(NamespaceDetails {
                uid: uid.to_owned(),
                annotations: map(&[("owner", "ann")]),
            })),
        })
    };
    KnownObjects {
        pods_are_listed: true,
        pods: pods.into_iter().map(Arc::new).collect(),
        namespaces: vec![
            namespace("shop", "ns-1", &[("tier", "gold")]),
            namespace("kube-system", "cluster-1", &[]),
        ],
        nodes: vec![object("node-1", "node-uid-1", &[("zone", "a")])],
        replica_sets: vec![Arc::new(OwnerRecord {
            name: "cart-5d".to_owned(),
            uid: "rs-1".to_owned(),
            controller: Some(owner("Deployment", "cart", "deploy-1")),
            ..OwnerRecord::default()
        })],
        deployments: vec![object("cart", "deploy-1", &[("release", "r1")])],
        ..KnownObjects::default()
    }
}

fn filing(rules: Rules) -> Filing {
    Filing {
        rules,
        excluded: vec![Regex::new("jaeger-collector").unwrap()],
        grace: Duration::from_secs(120),
        ..Filing::default()
    }
}

fn fields(fields: &[F]) -> Rules {
    Rules {
        metadata: MetadataFields::of(fields),
        deployment_from_replica_set: true,
        ..Rules::default()
    }
}

fn rule(from: Resource, keys: KeyPattern, name: Option<&str>) -> KeyRule {
    KeyRule {
        from,
        keys,
        name: name.map(str::to_owned),
    }
}

fn exact(key: &str) -> KeyPattern {
    KeyPattern::Exact(key.to_owned())
}

fn matching(pattern: &str) -> KeyPattern {
    KeyPattern::Matching(Regex::new(&format!("^(?:{pattern})$")).unwrap())
}

fn keeper(filing: &Filing) -> (Keeper, Current<Inventory>) {
    let current = Current::new(Inventory::default());
    let keeper = Keeper::new(filing.clone(), current.clone(), Synced::default());
    (keeper, current)
}

fn payload(attributes: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, text) in attributes {
        wire::put_message(1, &mut out, |out| {
            wire::put_bytes(1, key.as_bytes(), out);
            wire::put_message(2, out, |out| wire::put_bytes(1, text.as_bytes(), out));
        });
    }
    out
}

/// A request of one span, of a resource that says nothing.
fn request() -> Vec<u8> {
    let mut out = Vec::new();
    wire::put_message(1, &mut out, |out| {
        wire::put_message(2, out, |out| {
            wire::put_message(2, out, |out| {
                wire::put_bytes(1, &[1; 16], out);
                wire::put_bytes(2, &[1; 8], out);
            });
        });
    });
    out
}

fn texts(payload: &[u8]) -> BTreeMap<String, String> {
    let text = |value: AnyValue<'_>| match value {
        AnyValue::String(text) => text.to_owned(),
        AnyValue::Array(array) => format!("[{}]", String::from_utf8_lossy(array).trim()),
        other => format!("{other:?}"),
    };
    let all = resource_attributes(payload).map(|kv| (kv.key.to_owned(), text(kv.value)));
    all.collect()
}

/// What a resource has afterwards, and how it was found.
fn enriched(
    filing: &Filing,
    inventory: &Inventory,
    peer: Option<&str>,
    given: &[(&str, &str)],
) -> (BTreeMap<String, String>, Outcome) {
    let enriching = Enriching {
        rules: &filing.rules,
        associations: &filing.associations,
        passthrough: false,
        inventory,
    };
    let base = payload(given);
    let peer = peer.map(|peer| peer.parse().unwrap());
    let (new, outcome) = enriching.enrich(&base, peer, &mut Edits::default());
    (texts(&new.unwrap_or(base)), outcome)
}

/// What a resource that says the Pod's address gets besides it.
fn got(filing: &Filing, objects: &KnownObjects) -> BTreeMap<String, String> {
    let (mut keeper, current) = keeper(filing);
    keeper.follow_at(Some(objects), Instant::now());
    let given = [("k8s.pod.ip", "10.0.0.1")];
    let (mut all, outcome) = enriched(filing, &current.get(), None, &given);
    assert!(outcome.is_found, "{all:?}");
    all.remove("k8s.pod.ip");
    all
}
