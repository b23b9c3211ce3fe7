//! What resources get, by a small cluster that is written here.
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

#[test]
fn the_default_is_the_collectors() {
    let filing = filing(fields(F::DEFAULT));
    // Nodes are not watched for these.
    let objects = KnownObjects {
        nodes: Vec::new(),
        ..cluster(vec![cart("pod-1", "10.0.0.1")])
    };
    let all = got(&filing, &objects);
    let want = map(&[
        ("container.image.name", "registry:5000/shop/cart"),
        ("container.image.tag", "1.2"),
        ("k8s.deployment.name", "cart"),
        ("k8s.namespace.name", "shop"),
        ("k8s.node.name", "node-1"),
        ("k8s.pod.name", "cart-5d-x"),
        ("k8s.pod.start_time", "2026-11-28T10:00:00Z"),
        ("k8s.pod.uid", "pod-1"),
    ]);
    assert_eq!(all, want);
}

#[test]
fn each_field_by_itself() {
    let pod = cart("pod-1", "10.0.0.1");
    let of = |kind: &str, name: &str| {
        let owners = vec![owner(kind, name, "owner-1")];
        changed(pod.clone(), |details| details.owners = owners)
    };
    let digest = format!(
        "[\n\u{5c}\n\u{5a}registry:5000/shop/cart@sha256:{}]",
        "ab".repeat(32)
    );
    for (field, pod, want) in [
        (F::PodHostname, pod.clone(), &[("k8s.pod.hostname", "")][..]),
        (
            F::ReplicaSetName,
            pod.clone(),
            &[("k8s.replicaset.name", "cart-5d")],
        ),
        (
            F::ReplicaSetUid,
            pod.clone(),
            &[("k8s.replicaset.uid", "rs-1")],
        ),
        (
            F::DeploymentUid,
            pod.clone(),
            &[("k8s.deployment.uid", "deploy-1")],
        ),
        (
            F::DaemonSetName,
            of("DaemonSet", "agent"),
            &[("k8s.daemonset.name", "agent")],
        ),
        (
            F::DaemonSetUid,
            of("DaemonSet", "agent"),
            &[("k8s.daemonset.uid", "owner-1")],
        ),
        (
            F::StatefulSetName,
            of("StatefulSet", "db"),
            &[("k8s.statefulset.name", "db")],
        ),
        (
            F::StatefulSetUid,
            of("StatefulSet", "db"),
            &[("k8s.statefulset.uid", "owner-1")],
        ),
        (
            F::JobName,
            of("Job", "load-1"),
            &[("k8s.job.name", "load-1")],
        ),
        (
            F::JobUid,
            of("Job", "load-1"),
            &[("k8s.job.uid", "owner-1")],
        ),
        // 2026-11-28T10:00 is minute 29931000.
        (
            F::CronJobName,
            of("Job", "tick-29931000"),
            &[("k8s.cronjob.name", "tick")],
        ),
        (F::CronJobName, of("Job", "load-1"), &[]),
        (F::NodeUid, pod.clone(), &[("k8s.node.uid", "node-uid-1")]),
        (
            F::ContainerName,
            pod.clone(),
            &[("k8s.container.name", "app")],
        ),
        (F::ContainerId, pod.clone(), &[("container.id", "c0ffee")]),
        (F::ImageTags, pod.clone(), &[]),
        (
            F::ImageRepoDigests,
            pod.clone(),
            &[("container.image.repo_digests", &digest)],
        ),
        (
            F::ClusterUid,
            pod.clone(),
            &[("k8s.cluster.uid", "cluster-1")],
        ),
        (
            F::ServiceNamespace,
            pod.clone(),
            &[("service.namespace", "shop")],
        ),
        (F::ServiceName, pod.clone(), &[("service.name", "cart")]),
        (
            F::ServiceName,
            of("Job", "tick-29931000"),
            &[("service.name", "tick")],
        ),
        (
            F::ServiceName,
            of("Node", "node-1"),
            &[("service.name", "cart-5d-x")],
        ),
        (F::ServiceVersion, pod.clone(), &[("service.version", "7")]),
        (
            F::ServiceInstanceId,
            pod.clone(),
            &[("service.instance.id", "shop.cart-5d-x.app")],
        ),
    ] {
        let mut all = got(&filing(fields(&[field])), &cluster(vec![pod]));
        if field != F::NodeUid {
            // A Node that is known tells its UID, as by the Collector.
            all.remove("k8s.node.uid");
        }
        if let Some(digest) = all.get_mut("container.image.repo_digests") {
            assert!(
                digest.contains("registry:5000/shop/cart@sha256:abab"),
                "{digest}"
            );
            continue;
        }
        assert_eq!(all, map(want), "{field:?}");
    }
}

#[test]
fn labels_and_annotations_become_attributes() {
    let labels = |from, keys, name| Rules {
        labels: vec![rule(from, keys, name)],
        ..Rules::default()
    };
    let annotations = |rule| Rules {
        annotations: vec![rule],
        ..Rules::default()
    };
    for (rules, want) in [
        (
            labels(Resource::Pods, exact("app"), None),
            &[("k8s.pod.labels.app", "cart")][..],
        ),
        (
            labels(Resource::Pods, exact("app"), Some("app_name")),
            &[("app_name", "cart")],
        ),
        (labels(Resource::Pods, exact("none"), None), &[]),
        (
            labels(
                Resource::Pods,
                matching("team.example/(.*)"),
                Some("team.$1"),
            ),
            &[("team.a", "one")],
        ),
        (
            labels(
                Resource::Pods,
                matching("team.example/(?P<who>.*)"),
                Some("${who}_team"),
            ),
            &[("a_team", "one")],
        ),
        // Without a group the name does not count, as by the Collector.
        (
            labels(Resource::Pods, matching("team.*"), Some("team")),
            &[("k8s.pod.labels.team.example/a", "one")],
        ),
        (labels(Resource::Pods, matching("eam.*"), Some("team")), &[]),
        (
            labels(Resource::Namespaces, exact("tier"), None),
            &[("k8s.namespace.labels.tier", "gold")],
        ),
        (labels(Resource::Nodes, exact("zone"), Some("z")), &[]),
        (
            labels(Resource::Deployments, exact("release"), None),
            &[("k8s.deployment.label.release", "r1")],
        ),
        (
            annotations(rule(Resource::Namespaces, exact("owner"), None)),
            &[("k8s.namespace.annotations.owner", "ann")],
        ),
        (
            annotations(KeyRule::otel_annotations()),
            &[("service.name", "cart-eu")],
        ),
    ] {
        let all = got(
            &filing(rules.clone()),
            &cluster(vec![cart("pod-1", "10.0.0.1")]),
        );
        assert_eq!(all, map(want), "{rules:?}");
    }
    let mut of_node = fields(&[F::NodeName]);
    of_node.labels = vec![rule(Resource::Nodes, exact("zone"), Some("z"))];
    let all = got(&filing(of_node), &cluster(vec![cart("pod-1", "10.0.0.1")]));
    assert_eq!(all.get("z").map(String::as_str), Some("a"));
}

#[test]
fn what_is_there_stays_unless_it_is_empty() {
    let filing = filing(fields(&[F::PodName, F::NamespaceName]));
    let (mut keeper, current) = keeper(&filing);
    keeper.follow_at(
        Some(&cluster(vec![cart("pod-1", "10.0.0.1")])),
        Instant::now(),
    );
    let given = [
        ("k8s.pod.uid", "pod-1"),
        ("k8s.pod.ip", "10.0.0.1"),
        ("k8s.pod.name", "mine"),
        ("k8s.namespace.name", ""),
    ];
    let (all, _) = enriched(&filing, &current.get(), None, &given);
    assert_eq!(all["k8s.pod.name"], "mine");
    assert_eq!(all["k8s.namespace.name"], "shop");
}

#[test]
fn a_namespace_or_node_that_the_resource_says_is_enough() {
    let mut rules = fields(F::DEFAULT);
    rules.labels = vec![
        rule(Resource::Namespaces, exact("tier"), Some("tier")),
        rule(Resource::Nodes, exact("zone"), Some("zone")),
        rule(Resource::Deployments, exact("release"), Some("release")),
    ];
    let filing = filing(rules);
    let (mut keeper, current) = keeper(&filing);
    keeper.follow_at(Some(&cluster(Vec::new())), Instant::now());
    let given = [
        ("k8s.namespace.name", "shop"),
        ("k8s.node.name", "node-1"),
        ("k8s.deployment.uid", "deploy-1"),
    ];
    let (all, outcome) = enriched(&filing, &current.get(), None, &given);
    assert_eq!(outcome, Outcome::default());
    for (key, want) in [("tier", "gold"), ("zone", "a"), ("release", "r1")] {
        assert_eq!(all.get(key).map(String::as_str), Some(want), "{key}");
    }
}

#[test]
fn pods_are_known_by_what_associations_say() {
    let attribute = |name: &str| AssociationSource::Attribute(name.to_owned());
    let one = |source: AssociationSource| vec![Association(vec![source])];
    let peer = Some("10.0.0.1");
    let by_name = Association(vec![
        attribute("k8s.pod.name"),
        attribute("k8s.namespace.name"),
    ]);
    for (associations, peer, given, want) in [
        // The Collector's default order.
        (vec![], None, &[("k8s.pod.ip", "10.0.0.1")][..], Some(0)),
        (vec![], None, &[("ip", "10.0.0.1")], Some(0)),
        (vec![], peer, &[], Some(0)),
        (vec![], None, &[("host.name", "10.0.0.1")], Some(0)),
        (vec![], None, &[("host.name", "cart-5d-x")], None),
        (vec![], None, &[("k8s.pod.uid", "pod-1")], None),
        (vec![], peer, &[("k8s.pod.ip", "10.9.9.9")], None),
        (one(AssociationSource::Connection), peer, &[], Some(0)),
        (
            one(AssociationSource::Connection),
            None,
            &[("k8s.pod.ip", "10.0.0.1")],
            None,
        ),
        (
            one(attribute("k8s.pod.uid")),
            peer,
            &[("k8s.pod.uid", "pod-1")],
            Some(0),
        ),
        (one(attribute("k8s.pod.uid")), peer, &[], None),
        (
            one(attribute("host.name")),
            None,
            &[("host.name", "10.0.0.1")],
            Some(0),
        ),
        (
            one(attribute("host.name")),
            None,
            &[("host.name", "cart-5d-x")],
            None,
        ),
        (
            one(attribute("container.id")),
            None,
            &[("container.id", "c0ffee")],
            Some(0),
        ),
        (
            one(attribute("container.id")),
            None,
            &[("container.id", "c0")],
            None,
        ),
        (one(attribute("team")), None, &[("team", "one")], Some(0)),
        (
            vec![by_name.clone()],
            None,
            &[
                ("k8s.pod.name", "cart-5d-x"),
                ("k8s.namespace.name", "shop"),
            ],
            Some(0),
        ),
        (
            vec![by_name.clone()],
            peer,
            &[("k8s.pod.name", "cart-5d-x")],
            None,
        ),
        // The first that can be told counts, though it is of no Pod.
        (
            vec![by_name, Association(vec![AssociationSource::Connection])],
            peer,
            &[("k8s.pod.name", "cart-5d-x")],
            Some(1),
        ),
    ] {
        let mut rules = fields(&[F::PodName, F::ContainerId]);
        rules.labels = vec![rule(Resource::Pods, exact("team.example/a"), Some("team"))];
        let filing = Filing {
            associations: Associations(associations.clone()),
            ..filing(rules)
        };
        let (mut keeper, current) = keeper(&filing);
        keeper.follow_at(
            Some(&cluster(vec![cart("pod-1", "10.0.0.1")])),
            Instant::now(),
        );
        let (all, outcome) = enriched(&filing, &current.get(), peer, given);
        let found = outcome.association.filter(|_| outcome.is_found);
        assert_eq!(found, want, "{associations:?} {given:?} {all:?}");
    }
}

#[test]
fn pods_in_their_nodes_network_have_no_address_of_their_own() {
    let filing = filing(fields(&[F::PodName]));
    let (mut keeper, current) = keeper(&filing);
    let pod = changed(cart("pod-1", "10.0.0.1"), |details| {
        details.host_network = true
    });
    keeper.follow_at(Some(&cluster(vec![pod])), Instant::now());
    let given = [("k8s.pod.ip", "10.0.0.1")];
    let (_, outcome) = enriched(&filing, &current.get(), None, &given);
    assert_eq!((outcome.association, outcome.is_found), (Some(0), false));
}

#[test]
fn some_pods_are_left_alone() {
    let named = |name: &str| PodRecord {
        name: name.to_owned(),
        ..cart("pod-1", "10.0.0.1")
    };
    let asking = changed(cart("pod-1", "10.0.0.1"), |details| {
        let key = "opentelemetry.io/k8s-processor/ignore";
        details
            .annotations
            .insert(key.to_owned(), " True".to_owned());
    });
    for (pod, want) in [
        (named("my-jaeger-collector-0"), false),
        (named("jaeger-query"), true),
        (asking, false),
    ] {
        let filing = filing(fields(&[F::PodName]));
        let (mut keeper, current) = keeper(&filing);
        keeper.follow_at(Some(&cluster(vec![pod.clone()])), Instant::now());
        let given = [("k8s.pod.ip", "10.0.0.1")];
        let (_, outcome) = enriched(&filing, &current.get(), None, &given);
        assert_eq!(outcome.is_found, want, "{}", pod.name);
    }
}

#[test]
fn a_pod_that_is_gone_is_known_for_a_while() {
    let filing = filing(fields(&[F::PodUid]));
    let (mut keeper, current) = keeper(&filing);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let uid = |by: &str| {
        let (all, _) = enriched(&filing, &current.get(), None, &[("k8s.pod.ip", by)]);
        all.get("k8s.pod.uid").cloned()
    };
    let old = cart("pod-1", "10.0.0.1");
    keeper.follow_at(
        Some(&cluster(vec![old.clone(), cart("pod-2", "10.0.0.2")])),
        at(0),
    );
    assert_eq!(uid("10.0.0.1").as_deref(), Some("pod-1"));
    // Its address goes to another, though that one is older.
    let next = changed(cart("pod-3", "10.0.0.1"), |details| {
        details.started = "2026-01-01T00:00:00Z".to_owned();
    });
    keeper.follow_at(Some(&cluster(vec![next])), at(10));
    assert_eq!(uid("10.0.0.1").as_deref(), Some("pod-3"));
    assert_eq!(
        uid("10.0.0.2").as_deref(),
        Some("pod-2"),
        "it is gone and known"
    );
    keeper.follow_at(None, at(129));
    assert_eq!(uid("10.0.0.2").as_deref(), Some("pod-2"));
    keeper.follow_at(None, at(131));
    assert_eq!(uid("10.0.0.2"), None);
}

#[test]
fn of_two_pods_with_one_address_the_one_that_serves_has_it() {
    let filing = filing(fields(&[F::PodUid]));
    let finished = PodRecord {
        phase: PodPhase::Finished,
        ..changed(cart("pod-1", "10.0.0.1"), |details| {
            details.started = "2026-12-01T00:00:00Z".to_owned();
        })
    };
    let running = cart("pod-2", "10.0.0.1");
    let later = changed(cart("pod-3", "10.0.0.1"), |details| {
        details.started = "2026-11-29T00:00:00Z".to_owned();
    });
    for (pods, want) in [
        ([finished.clone(), running.clone()], "pod-2"),
        ([running.clone(), later.clone()], "pod-3"),
        ([later, running], "pod-3"),
    ] {
        let all = got(&filing, &cluster(pods.to_vec()));
        assert_eq!(all["k8s.pod.uid"], want);
    }
}

#[test]
fn passing_through_notes_the_address_alone() {
    let associations = Associations::default();
    let enriching = Enriching {
        rules: &fields(F::DEFAULT),
        associations: &associations,
        passthrough: true,
        inventory: &Inventory::default(),
    };
    let peer = Some("10.0.0.7".parse().unwrap());
    let base = payload(&[("service.name", "cart")]);
    let (new, _) = enriching.enrich(&base, peer, &mut Edits::default());
    let want = map(&[("service.name", "cart"), ("k8s.pod.ip", "10.0.0.7")]);
    assert_eq!(texts(&new.unwrap()), want);
}

#[test]
fn answers_are_remembered_until_the_cluster_changes() {
    let settings = Arc::new(K8sSettings {
        filing: filing(fields(&[F::PodUid])),
        ..K8sSettings::default()
    });
    let (mut keeper, current) = keeper(&settings.filing);
    let stats: Vec<_> = (0..2).map(|_| AssociationStats::default()).collect();
    let mut processor = K8sAttributes::new(settings, &current, stats.clone());
    let mut resources = Resources::default();
    let base = payload(&[("service.name", "cart")]);
    let id = resources.intern(&base, b"", b"");
    let request = request();
    let mut index = Index::default();
    validate(Signal::Traces, &request, &Keys::default(), &mut index).unwrap();
    let span = Span {
        request: &request,
        index: &index,
        entry: &index.items[0],
    };
    let mut ask = |processor: &mut K8sAttributes, peer: &str| {
        processor.begin(Some(peer.parse().unwrap()));
        let decide = || Decision::new(id, Edits::default());
        let mut decision = decide();
        processor.process(&span, &mut resources, &mut decision);
        processor.process(&span, &mut resources, &mut decide());
        processor.end();
        texts(&resources.get(decision.resource).payload)
            .get("k8s.pod.uid")
            .cloned()
    };
    assert_eq!(ask(&mut processor, "10.0.0.1"), None);
    keeper.follow_at(
        Some(&cluster(vec![cart("pod-1", "10.0.0.1")])),
        Instant::now(),
    );
    assert_eq!(ask(&mut processor, "10.0.0.1").as_deref(), Some("pod-1"));
    assert_eq!(
        ask(&mut processor, "::ffff:10.0.0.1").as_deref(),
        Some("pod-1")
    );
    assert_eq!(ask(&mut processor, "10.0.0.9"), None);
    assert_eq!(processor.known.len(), 2);
    // A resource is counted once a request, whatever it has items.
    assert_eq!((stats[0].success.get(), stats[0].error.get()), (2, 2));
    keeper.follow_at(
        Some(&cluster(vec![cart("pod-2", "10.0.0.1")])),
        Instant::now(),
    );
    assert_eq!(ask(&mut processor, "10.0.0.1").as_deref(), Some("pod-2"));
    processor.forget();
    assert_eq!(processor.known.len(), 0);
}

/// Only what is asked for is watched, since each kind needs a right.
#[test]
fn what_is_watched_follows_from_what_is_asked_for() {
    use Resource::{Deployments, Jobs, Namespaces, Nodes, Pods, ReplicaSets};
    let label = |from| Rules {
        labels: vec![rule(from, exact("a"), None)],
        ..Rules::default()
    };
    let mut watched_names = fields(F::DEFAULT);
    watched_names.deployment_from_replica_set = false;
    for (rules, want) in [
        (fields(F::DEFAULT), &[Pods][..]),
        (watched_names, &[Pods, ReplicaSets]),
        (fields(&[F::DeploymentUid]), &[Pods, ReplicaSets]),
        (fields(&[F::ClusterUid]), &[Pods, Namespaces]),
        (fields(&[F::NodeUid]), &[Pods, Nodes]),
        (fields(&[F::CronJobUid]), &[Pods, Jobs]),
        (label(Deployments), &[Pods, ReplicaSets, Deployments]),
        (label(Namespaces), &[Pods, Namespaces]),
    ] {
        assert_eq!(rules.kept(false).resources, want, "{rules:?}");
    }
}
