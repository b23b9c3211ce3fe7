#![allow(clippy::unwrap_used)]
use super::*;
use crate::mesh::{Knowledge, ObjectName, Version};
use std::rc::Rc;

fn follower(given: Described) -> (KialiFollower, Current, Rc<RefCell<Vec<SchemeLabels>>>) {
    let settings = MeshSettings {
        kiali: given.kiali(),
        cluster_id: given.cluster_id.clone().unwrap_or_default(),
        follow: Some(Follow {
            source: KialiSource::ConfigMap(ObjectName {
                namespace: "istio-system".to_owned(),
                name: "kiali".to_owned(),
            }),
            given,
            istio_config_map: None,
        }),
        ..MeshSettings::default()
    };
    let current = Current::new(Knowledge::of(&settings));
    let status = Arc::new(KialiStatus::new(SchemeLabels::of(
        &current.get().scheme,
        "static",
    )));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let follower = KialiFollower::new("mesh".to_owned(), &settings, current.clone(), status, {
        let seen = Rc::clone(&seen);
        move |shown: &SchemeLabels| seen.borrow_mut().push(shown.clone())
    });
    (follower.unwrap(), current, seen)
}

fn says(version: (u16, u16), selector: bool) -> ReadDocument {
    ReadDocument {
        said: Described {
            version: Some(Version::new(version.0, version.1)),
            namespace_selector: Some(selector),
            cluster_id: Some("east".to_owned()),
            ..Described::default()
        },
        notes: Vec::new(),
    }
}

#[test]
fn what_kiali_says_comes_into_force_and_stays() {
    let (follower, current, seen) = follower(Described::default());
    let name = || {
        let scheme = &current.get().scheme;
        scheme.waypoint_name("waypoint", "reviews", "bookinfo")
    };
    assert_eq!(name(), "reviews.bookinfo.svc.cluster.local");
    follower.learned(says((2, 7), true), true);
    assert_eq!(name(), "waypoint.bookinfo");
    assert_eq!(current.get().cluster_id, "east");
    let in_force = current.get();
    follower.learned(says((2, 7), true), true);
    assert!(Arc::ptr_eq(&in_force, &current.get()), "nothing changed");
    follower.failed("gone");
    follower.failed("gone");
    assert_eq!(
        (name().as_str(), follower.status.errors()),
        ("waypoint.bookinfo", 2)
    );
    follower.learned(says((2, 30), false), true);
    assert_eq!(name(), "reviews.svc.cluster.local");
    follower.learned_trust_domain("td".to_owned());
    assert_eq!(name(), "reviews.svc.td");
    let forms: Vec<_> = seen.borrow().iter().map(|s| (s.form, s.source)).collect();
    assert_eq!(forms, [("waypoint", "config_map"), ("host", "config_map")]);
}

#[test]
fn keys_of_the_file_win() {
    let given = Described {
        namespace_selector: Some(true),
        cluster_id: Some("west".to_owned()),
        ..Described::default()
    };
    let (follower, current, _) = follower(given);
    follower.learned(says((2, 21), false), false);
    let now = current.get();
    assert!(now.scheme.namespace_selector);
    assert_eq!(now.scheme.version(), Version::new(2, 21));
    assert_eq!(now.cluster_id, "west");
    let warned = follower.learned.borrow().contradictions.join("\n");
    for part in [
        "kiali.namespace_selector: true, which wins",
        "says cluster_id: west",
    ] {
        assert!(warned.contains(part), "{warned}");
    }
    follower.learned(says((2, 21), true), false);
    assert_eq!(follower.learned.borrow().contradictions.len(), 1);
}

#[test]
fn the_cluster_is_istiods_where_nobody_else_says_it() {
    let (known, current, _) = follower(Described::default());
    let cluster = |current: &Current| current.get().cluster_id.clone();
    known.learned_cluster("north".to_owned());
    assert_eq!(cluster(&current), "north");
    assert_eq!(known.status.in_force().source, "static");
    let silent = ReadDocument {
        said: Described {
            cluster_id: None,
            ..says((2, 7), true).said
        },
        ..ReadDocument::default()
    };
    known.learned(silent, true);
    assert_eq!(cluster(&current), "north");
    known.learned_cluster("south".to_owned());
    assert_eq!(cluster(&current), "south");
    known.learned(says((2, 7), true), true);
    assert_eq!(cluster(&current), "east", "Kiali says it");
    let given = Described {
        cluster_id: Some("west".to_owned()),
        ..Described::default()
    };
    let (told, current, _) = follower(given);
    told.learned_cluster("north".to_owned());
    assert_eq!(cluster(&current), "west", "the file says it");
}

#[test]
fn a_trust_domain_alone_changes_nothing() {
    let (follower, current, _) = follower(Described::default());
    let before = current.get();
    follower.learned_trust_domain("td".to_owned());
    assert!(Arc::ptr_eq(&before, &current.get()));
    assert_eq!(follower.status.last_read(), 0);
}
