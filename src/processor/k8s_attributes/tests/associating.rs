//! Which Pod a resource is of.

use super::*;

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
