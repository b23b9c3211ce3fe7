#![allow(clippy::unwrap_used)]
use super::*;
use crate::mesh::directory::{KialiAddress, Labels};

fn labels(pairs: &[(&str, &str)]) -> Arc<Labels> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Arc::new(pairs.iter().map(own).collect())
}

fn runs(kiali: KialiPod) -> Option<Box<ControlPlanePod>> {
    Some(Box::new(ControlPlanePod::Kiali(kiali)))
}

fn kiali_of(pod: &mut PodRecord) -> &mut KialiPod {
    match pod.runs.as_deref_mut() {
        Some(ControlPlanePod::Kiali(kiali)) => kiali,
        other => panic!("{other:?}"),
    }
}

/// A Pod as Helm's chart and the operator make it.
fn pod(namespace: &str, instance: &str, version: &str) -> PodRecord {
    PodRecord {
        namespace: namespace.to_owned(),
        name: format!("{instance}-{}-x", version.replace('.', "")),
        labels: labels(&[
            ("app", "kiali"),
            ("app.kubernetes.io/name", "kiali"),
            ("app.kubernetes.io/instance", instance),
            ("app.kubernetes.io/version", version),
            ("version", version),
        ]),
        workload: Some(instance.to_owned()),
        runs: runs(KialiPod {
            config_map: Some(instance.to_owned()),
            image_tag: Some(version.to_owned()),
            address: Some(KialiAddress {
                tls: false,
                port: 20001,
                web_root: "/kiali".to_owned(),
            }),
        }),
        ..PodRecord::default()
    }
}

fn service(namespace: &str, instance: &str) -> ServiceRecord {
    ServiceRecord {
        namespace: namespace.to_owned(),
        name: instance.to_owned(),
        selector: labels(&[
            ("app.kubernetes.io/name", "kiali"),
            ("app.kubernetes.io/instance", instance),
        ]),
        ..ServiceRecord::default()
    }
}

fn found(pods: &[PodRecord], services: &[ServiceRecord]) -> Vec<FoundKiali> {
    let pods = pods.iter().cloned().map(Arc::new);
    find(pods.collect(), || {
        services.iter().cloned().map(Arc::new).collect()
    })
}

/// Kialis `NAMESPACE/NAME` with a Service each.
pub(in crate::mesh::watch::kiali) fn kialis(of: &[(&str, &str)]) -> Vec<FoundKiali> {
    let split = |name: &str| -> ObjectName { name.parse().unwrap() };
    let pods = of.iter().map(|(name, version)| {
        let name = split(name);
        pod(&name.namespace, &name.name, version)
    });
    let services = of.iter().map(|(name, _)| {
        let name = split(name);
        service(&name.namespace, &name.name)
    });
    found(&pods.collect::<Vec<_>>(), &services.collect::<Vec<_>>())
}

/// Such Kialis, ranked where Istio is in `istio-system` and wayspan in `tracing`.
fn ranked(names: &[&str]) -> Candidates {
    let of: Vec<_> = names.iter().map(|name| (*name, "v2.30.0")).collect();
    Candidates::rank(kialis(&of), "istio-system", "tracing")
}

fn texts(candidates: &Candidates) -> Vec<String> {
    let sources = candidates.sources();
    sources
        .iter()
        .map(|(_, source)| source.to_string())
        .collect()
}

#[test]
fn a_kiali_is_what_its_pods_show() {
    let kialis = found(
        &[
            pod("istio-system", "kiali", "v2.30.1"),
            PodRecord::default(),
        ],
        &[
            ServiceRecord::default(),
            service("istio-system", "kiali"),
            service("shop", "kiali"),
        ],
    );
    assert_eq!(kialis.len(), 1);
    assert_eq!(kialis[0].name.to_string(), "istio-system/kiali");
    assert_eq!(kialis[0].version, Some(Version::new(2, 30)));
    let candidates = Candidates::rank(kialis, "istio-system", "");
    let want = [
        "ConfigMap istio-system/kiali",
        "Kiali resource istio-system/kiali",
        "http://kiali.istio-system:20001/kiali",
    ];
    assert_eq!(texts(&candidates), want);
}

#[test]
fn names_of_instances_and_config_maps_may_be_any() {
    let mut mesh = pod("kiali", "mesh", "v2.7.0");
    kiali_of(&mut mesh).config_map = Some("settings".to_owned());
    let mut bare = pod("kiali", "by-hand", "");
    bare.labels = labels(&[("app", "kiali")]);
    bare.runs = runs(KialiPod::default());
    let kialis = found(&[mesh, bare], &[]);
    let names: Vec<_> = kialis.iter().map(|kiali| kiali.name.to_string()).collect();
    assert_eq!(names, ["kiali/by-hand", "kiali/mesh"]);
    let candidates = Candidates::rank(kialis, "istio-system", "");
    let want = [
        "Kiali resource kiali/by-hand",
        "ConfigMap kiali/settings",
        "Kiali resource kiali/mesh",
    ];
    assert_eq!(
        texts(&candidates),
        want,
        "without a Service there is no URL"
    );
}

#[test]
fn during_an_upgrade_the_newer_version_counts() {
    let old = pod("istio-system", "kiali", "v2.7.1");
    let new = pod("istio-system", "kiali", "v2.30.0");
    for pods in [[old.clone(), new.clone()], [new.clone(), old.clone()]] {
        let kialis = found(&pods, &[]);
        assert_eq!(kialis.len(), 1);
        assert_eq!(kialis[0].version, Some(Version::new(2, 30)));
    }
    let finished = PodRecord {
        phase: PodPhase::Finished,
        ..new
    };
    let kialis = found(&[old, finished], &[]);
    assert_eq!(kialis[0].version, Some(Version::new(2, 7)));
}

#[test]
fn the_version_is_a_label_s_or_the_image_s() {
    let of = |version: &str, tag: Option<&str>| {
        let mut pod = pod("a", "kiali", version);
        kiali_of(&mut pod).image_tag = tag.map(str::to_owned);
        found(&[pod], &[])[0].version
    };
    assert_eq!(of("v2.22.0", Some("v2.30.0")), Some(Version::new(2, 22)));
    assert_eq!(of("0123abcd", Some("v2.26.4")), Some(Version::new(2, 26)));
    assert_eq!(of("master", None), Some(Version::NEWEST));
    assert_eq!(of("0123abcd", None), None);
}

#[test]
fn of_several_the_one_next_to_istio_goes_first() {
    let first = |names: &[&str]| ranked(names).first().unwrap().name.to_string();
    for (names, want) in [
        (&["b/kiali", "a/kiali"][..], "a/kiali"),
        (&["a/kiali", "tracing/kiali"], "tracing/kiali"),
        (
            &["a/kiali", "tracing/kiali", "istio-system/kiali"],
            "istio-system/kiali",
        ),
        (&["istio-system/z", "istio-system/k"], "istio-system/k"),
    ] {
        assert_eq!(first(names), want, "{names:?}");
    }
    assert_eq!(ranked(&[]).first(), None);
}

#[test]
fn what_is_permitted_goes_before_what_answers_anybody() {
    let want = [
        "ConfigMap istio-system/kiali",
        "Kiali resource istio-system/kiali",
        "ConfigMap a/kiali",
        "Kiali resource a/kiali",
        "http://kiali.istio-system:20001/kiali",
        "http://kiali.a:20001/kiali",
    ];
    assert_eq!(texts(&ranked(&["a/kiali", "istio-system/kiali"])), want);
}

#[test]
fn the_line_says_which_was_taken_and_why() {
    let line = |names: &[&str], taken: usize, refused: &[String]| {
        let candidates = ranked(names);
        let kiali = candidates.0[taken].1.clone();
        candidates.taken(&kiali, refused)
    };
    let one = &["istio-system/kiali"][..];
    assert_eq!(
        line(one, 0, &[]),
        "names are for Kiali istio-system/kiali (version 2.30), the only one found"
    );
    let refused = [
        "ConfigMap istio-system/kiali: no".to_owned(),
        "more".to_owned(),
    ];
    assert!(line(one, 0, &refused).ends_with("found. Not read: ConfigMap istio-system/kiali: no"));
    for (names, taken, want) in [
        (
            &["a/kiali", "istio-system/kiali"][..],
            0,
            "it is in Istio's namespace (others: a/kiali;",
        ),
        (
            &["a/kiali", "tracing/kiali"],
            0,
            "it is in wayspan's namespace (others: a/kiali;",
        ),
        (
            &["a/kiali", "b/kiali", "c/kiali"],
            0,
            "the first by name (others: b/kiali, c/kiali;",
        ),
        (
            &["a/kiali", "b/kiali"],
            1,
            "the first that can be read (others: a/kiali;",
        ),
    ] {
        let line = line(names, taken, &[]);
        assert!(line.contains(want), "{line}");
    }
    let line = ranked(&["a/kiali", "b/kiali"]).unreadable();
    for part in [
        "Kiali a/kiali (version 2.30), which was",
        "; its configuration cannot be read",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn the_cluster_is_what_all_istiods_call_it() {
    let istiod = |id: &str, phase| {
        Arc::new(PodRecord {
            runs: Some(Box::new(ControlPlanePod::Istiod(id.to_owned()))),
            phase,
            ..PodRecord::default()
        })
    };
    let (running, finished) = (PodPhase::Running, PodPhase::Finished);
    let kiali = Arc::new(pod("istio-system", "kiali", "v2.30.0"));
    for (pods, want) in [
        (vec![kiali.clone(), istiod("east", running)], Some("east")),
        (
            vec![istiod("east", running), istiod("east", running)],
            Some("east"),
        ),
        (vec![istiod("east", running), istiod("west", running)], None),
        (
            vec![istiod("west", finished), istiod("east", running)],
            Some("east"),
        ),
        (vec![istiod("e ast", running)], None),
        (vec![kiali], None),
    ] {
        assert_eq!(cluster_id(&pods).as_deref(), want, "{pods:?}");
    }
}
