//! What is remembered, and what is watched.

use super::*;

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
