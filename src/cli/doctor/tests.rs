//! Each fault by itself, and in pairs, in a mesh that is well otherwise: the first cause
//! is the right one and nothing that is broken is called well. All of it from facts in
//! a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod faults;
mod manual;
mod probe;
mod tempo;

use super::{
    cause::{Checked, causes, exit_code},
    check::Category,
    checks,
    facts::Facts,
};
use faults::{changed, rule};
use serde_json::{Value, json};

fn healthy() -> Value {
    serde_saphyr::from_str(include_str!("tests/healthy.yaml")).unwrap()
}

/// Sets what is at a pointer, or takes it away where it shall be null.
fn change(facts: &mut Value, pointer: &str, value: &Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    match facts
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("no {parent}"))
    {
        Value::Object(map) if value.is_null() => {
            assert!(map.remove(&key).is_some(), "no {pointer}");
        }
        Value::Object(map) => {
            map.insert(key, value.clone());
        }
        Value::Array(list) if key == "-" => list.push(value.clone()),
        Value::Array(list) if value.is_null() => {
            list.remove(key.parse().unwrap());
        }
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value.clone(),
        other => panic!("{pointer}: {other}"),
    }
}

fn judge(facts: &Value) -> Vec<Checked> {
    let facts: Facts = serde_json::from_value(facts.clone()).unwrap();
    checks::run(&facts, &Category::ALL, false)
}

#[test]
fn a_healthy_mesh_has_no_warning() {
    let all = judge(&healthy());
    let found = causes(&all);
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(exit_code(&all), 0);
    let told = all.iter().filter(|one| one.status().is_some()).count();
    assert!(told >= 15, "only {told} checks say something");
}

#[test]
fn what_may_be_meant_is_a_warning() {
    for (name, changes, check) in [
        (
            "default sampling",
            vec![(rule("sampling"), Value::Null)],
            "sampling",
        ),
        (
            "little sampling",
            vec![(rule("sampling"), json!(0.1))],
            "sampling",
        ),
        (
            "canary",
            vec![(
                "/kubernetes/services/got/0/metadata/labels",
                json!({"istio.io/use-waypoint-canary": "next"}),
            )],
            "waypoint-canary",
        ),
        (
            "contexts",
            vec![(
                "/kubernetes/telemetries/got/0/spec/tracing/0/disableContextPropagation",
                json!(true),
            )],
            "context-propagation",
        ),
        (
            "some Services without",
            vec![(
                "/kubernetes/services/got/0/metadata/labels",
                json!({"istio.io/use-waypoint": "none"}),
            )],
            "waypoint-used",
        ),
        (
            "no app label",
            vec![
                (
                    "/kubernetes/services/got/2/spec/selector",
                    json!({"run": "cart"}),
                ),
                (
                    "/kubernetes/pods/got/3/metadata/labels",
                    json!({"run": "cart"}),
                ),
            ],
            "names-asked",
        ),
        (
            "a quiet page",
            vec![("/jaegers/0/recent/cart.shop", json!("none"))],
            "names-silent",
        ),
        (
            "clocks",
            vec![(
                "/jaegers/0/traces/skews",
                json!([{"parent": "a", "child": "b", "pairs": 3, "outside": 2, "most": -5000}]),
            )],
            "trace-clocks",
        ),
        (
            "pieces",
            vec![(
                "/jaegers/0/traces/orphans",
                json!([{"service": "cart.shop", "caller": "10.244.0.8", "traces": 2}]),
            )],
            "trace-parents",
        ),
    ] {
        let all = judge(&changed(&changes));
        let found: Vec<&str> = causes(&all).iter().map(|cause| cause.check).collect();
        assert_eq!(found, [check], "{name}");
        assert_eq!(exit_code(&all), 0, "{name}");
    }
}

/// From outside of the cluster neither the collector nor Jaeger was asked.
#[test]
fn links_that_cannot_be_reached_are_told_with_the_way_to_them() {
    let mut facts = healthy();
    change(&mut facts, "/collector", &json!({}));
    change(&mut facts, "/jaegers", &json!([]));
    let all = judge(&facts);
    assert_eq!((exit_code(&all), causes(&all)), (2, vec![]));
    let remedies: Vec<&str> = all
        .iter()
        .filter_map(|one| match &one.verdict {
            Err(super::check::Inconclusive::Unknown { remedy, .. }) => remedy.as_deref(),
            _ => None,
        })
        .collect();
    let collector = "kubectl -n istio-system port-forward service/istio-collector 4317:4317   # then wayspan doctor \
        --collector http://localhost:4317";
    let jaeger = "kubectl -n observability port-forward service/jaeger 16686:16686   # then wayspan doctor --jaeger \
        http://localhost:16686/jaeger";
    assert_eq!(remedies, [collector, jaeger]);
}

#[test]
fn a_jaeger_that_wants_credentials_is_not_called_well() {
    let mut facts = healthy();
    change(&mut facts, "/jaegers/0/http/got", &json!({"status": 401}));
    let all = judge(&facts);
    assert_eq!((exit_code(&all), causes(&all)), (2, vec![]));
}

#[test]
fn a_search_that_fails_leaves_nothing_well() {
    let mut facts = healthy();
    let failure = json!({"cause": "jaeger answers HTTP status 500"});
    change(&mut facts, "/jaegers/0/search_failure", &failure);
    let all = judge(&facts);
    assert_eq!(exit_code(&all), 2);
    assert_eq!(causes(&all), []);
}

#[test]
fn a_scheme_that_no_page_finds_is_told_though_its_name_is_there() {
    let others: serde_json::Map<String, Value> = ["app", "service", "workload"]
        .into_iter()
        .flat_map(|kind| {
            ["reviews", "ratings", "reviews-v1", "ratings-v1"]
                .map(|name| format!("{kind} bookinfo/{name}"))
        })
        .map(|page| (page, json!("of_others")))
        .collect();
    let mut facts = healthy();
    change(&mut facts, "/kialis/got/0/useWaypointName", &json!(true));
    change(&mut facts, "/jaegers/0/pages", &Value::Object(others));
    let all = judge(&facts);
    let found = causes(&all);
    assert_eq!(found[0].check, "names-asked", "{found:#?}");
    assert!(
        found[0].what.contains("named after the Service's host"),
        "{}",
        found[0].what
    );
    // Where one page has something, the others are just not called.
    change(
        &mut facts,
        "/jaegers/0/pages/app bookinfo~1reviews",
        &json!("some"),
    );
    let all = judge(&facts);
    let found: Vec<&str> = causes(&all).iter().map(|cause| cause.check).collect();
    assert_eq!(found, ["names-silent"]);
}

#[test]
fn a_waypoint_elsewhere_needs_a_telemetry_of_its_own_before_1_30_3() {
    let mut facts = healthy();
    for (pointer, value) in [
        (
            "/kubernetes/telemetries/got/0/metadata/namespace",
            json!("bookinfo"),
        ),
        (
            "/kubernetes/gateways/got/0/metadata/namespace",
            json!("infra"),
        ),
        ("/kubernetes/pods/got/0/metadata/namespace", json!("infra")),
        ("/kubernetes/namespaces/got/3", Value::Null),
        (
            "/kubernetes/namespaces/got/0/metadata/labels/istio.io~1use-waypoint-namespace",
            json!("infra"),
        ),
        ("/jaegers/0/http/got/services/-", json!("waypoint.infra")),
    ] {
        change(&mut facts, pointer, &value);
    }
    assert_eq!(causes(&judge(&facts)), []);
    let image = "/kubernetes/istiods/got/0/spec/containers/0/image";
    change(&mut facts, image, &json!("docker.io/istio/pilot:1.30.2"));
    let all = judge(&facts);
    let found = causes(&all);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0]
            .evidence
            .contains("came with Istio 1.30.3, and this is 1.30.2"),
        "{}",
        found[0].evidence
    );
    assert!(
        found[0]
            .fix
            .command
            .as_ref()
            .unwrap()
            .contains("namespace: infra")
    );
}

#[test]
fn without_rights_the_checks_that_need_them_are_skipped() {
    let forbidden = json!({"failed": {"kind": "forbidden", "cause": "may not list telemetries", "remedy": "kubectl create role"}});
    let mut facts = healthy();
    change(&mut facts, "/kubernetes/telemetries", &forbidden);
    let all = judge(&facts);
    assert_eq!(exit_code(&all), 2);
    for checked in &all {
        let status = checked.status().map(super::check::Status::word);
        match checked.check.id {
            "kubernetes-rights" => assert_eq!(status, Some("warning")),
            "telemetry-provider" | "telemetry-waypoint" | "sampling" => {
                assert_eq!(status, Some("unknown"), "{}", checked.check.id);
            }
            "provider-service" | "waypoint-used" => assert_eq!(status, Some("ok")),
            _ => {}
        }
    }
    let found = causes(&all);
    assert_eq!(found[0].fix.command.as_deref(), Some("kubectl create role"));
}

#[test]
fn nothing_known_is_nothing_well() {
    let failed = json!({"failed": {"cause": "no way to the Kubernetes API"}});
    let all = judge(&json!({"kubernetes": {"api": failed}}));
    let told: Vec<_> = all.iter().filter(|one| one.status().is_some()).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(exit_code(&all), 2);
}

#[test]
fn names_of_checks_are_unique_and_causes_exist() {
    let ids: Vec<&str> = checks::all().map(|check| check.id).collect();
    for check in checks::all() {
        assert_eq!(
            ids.iter().filter(|id| **id == check.id).count(),
            1,
            "{}",
            check.id
        );
        for above in check.follows_from {
            assert!(ids.contains(above), "{} follows from {above}", check.id);
        }
    }
}
