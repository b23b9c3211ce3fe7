//! What becomes an attribute of what is known.

use super::*;

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
