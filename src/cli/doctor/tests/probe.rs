//! The probe's checks: how far it came, and what is said where it stopped.

use super::{causes, change, exit_code, healthy, judge};
use serde_json::{Value, json};

/// What became of a probe that Kiali finds.
fn probe() -> Value {
    json!({"got": {
        "trace_id": "0123456789abcdef0123456789abcdef", "emitted": "wayspan-probe.bookinfo",
        "collector": "http://collector:4317", "sent": {"got": null}, "jaeger": "http://jaeger:16686", "waited": 3,
        "stored": {"got": ["wayspan-probe.bookinfo.svc.cluster.local"]},
        "asked": "wayspan-probe.bookinfo.svc.cluster.local", "tags": [["istio.cluster_id", "Kubernetes"]],
        "found": {"got": true},
    }})
}

#[test]
fn it_says_where_the_probe_stopped() {
    let refused = json!({"failed": {"cause": "status 16"}});
    let silent = json!({"failed": {"cause": "no answer"}});
    for (name, changes, found, said) in [
        ("found", vec![], None, ""),
        (
            "refused",
            vec![
                ("/sent", refused),
                ("/stored", json!("not_asked")),
                ("/found", json!("not_asked")),
            ],
            Some("probe-collector"),
            "does not take a span as waypoints send it",
        ),
        (
            "not in Jaeger",
            vec![
                ("/stored", json!({"got": []})),
                ("/found", json!({"got": false})),
            ],
            Some("probe-jaeger"),
            "does not come to Jaeger",
        ),
        (
            "another name",
            vec![
                ("/stored", json!({"got": ["wayspan-probe.bookinfo"]})),
                ("/found", json!({"got": false})),
            ],
            Some("probe-kiali"),
            "under another name",
        ),
        (
            "without tags",
            vec![("/found", json!({"got": false}))],
            Some("probe-kiali"),
            "lack its tags",
        ),
        (
            "no Kiali",
            vec![("/asked", json!("")), ("/found", json!("not_asked"))],
            None,
            "",
        ),
        (
            "no Jaeger",
            vec![
                ("/stored", json!("not_asked")),
                ("/found", json!("not_asked")),
            ],
            None,
            "",
        ),
        (
            "Jaeger does not answer",
            vec![("/stored", silent)],
            Some("unknown"),
            "",
        ),
    ] {
        let mut facts = healthy();
        facts["probe"] = probe();
        for (pointer, value) in changes {
            change(&mut facts, &format!("/probe/got{pointer}"), &value);
        }
        let all = judge(&facts);
        let causes = causes(&all);
        match found {
            None => assert_eq!(
                (exit_code(&all), causes.len()),
                (0, 0),
                "{name}: {causes:#?}"
            ),
            Some("unknown") => assert_eq!(exit_code(&all), 2, "{name}"),
            Some(check) => {
                assert_eq!(exit_code(&all), 1, "{name}");
                assert_eq!(causes[0].check, check, "{name}");
                assert!(causes[0].what.contains(said), "{name}: {}", causes[0].what);
            }
        }
    }
}

#[test]
fn nothing_is_said_where_no_probe_was_asked_for() {
    let all = judge(&healthy());
    let probes = all.iter().filter(|one| one.check.id.starts_with("probe-"));
    assert!(probes.into_iter().all(|one| one.status().is_none()));
}
