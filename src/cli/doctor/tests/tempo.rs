//! Tempo as the trace store: what is said of each fault, and that nothing is called well that
//! was not looked at.

use super::{causes, change, exit_code, healthy, judge};
use serde_json::{Value, json};

/// A mesh whose Kiali asks a Tempo that is well.
fn with_tempo() -> Value {
    let mut facts = healthy();
    let tracing =
        json!({"enabled": true, "provider": "tempo", "internalUrl": "http://tempo.tempo:3200"});
    change(&mut facts, "/kialis/got/0/tracing", &tracing);
    change(&mut facts, "/jaegers", &json!([]));
    let tempo = json!({"got": {
        "url": "http://tempo.tempo:3200", "search": {"got": {"status": 200, "is_tempos": true}}, "echo": {"got": 200},
        "version": "2.8.1", "grpc_url": "http://tempo.tempo:9095", "grpc": {"got": null},
    }});
    change(&mut facts, "/tempo", &tempo);
    facts
}

#[test]
fn names_in_it_are_not_called_well() {
    let all = judge(&with_tempo());
    assert_eq!(causes(&all), []);
    assert_eq!(exit_code(&all), 2);
    let unknown = all.iter().filter(|one| {
        let word = one.status().map(crate::cli::doctor::check::Status::word);
        word == Some("unknown")
    });
    let unknown: Vec<&str> = unknown.map(|one| one.check.id).collect();
    assert_eq!(unknown, ["names-asked"]);
}

#[test]
fn each_fault_has_its_cause() {
    let failed = json!({"failed": {"cause": "no answer"}});
    let answered = |status: u16, wants_tenant: bool| json!({"got": {"status": status, "wants_tenant": wants_tenant}});
    for (pointer, value, check, what, fix) in [
        (
            "search",
            failed.clone(),
            "tempo-search",
            "no Tempo answers",
            "3200 is HTTP",
        ),
        (
            "search",
            answered(404, false),
            "tempo-search",
            "is no Tempo",
            "9095 is gRPC",
        ),
        (
            "search",
            answered(401, true),
            "tempo-search",
            "has tenants",
            "custom_headers: {X-Scope-OrgID: TENANT}",
        ),
        (
            "other_scheme",
            json!("https://tempo.tempo:3200"),
            "tempo-search",
            "answers at https",
            "internal_url: \"https://tempo.tempo:3200\"",
        ),
        (
            "is_jaeger",
            json!(true),
            "tempo-search",
            "a Jaeger answers there",
            "provider: jaeger",
        ),
        (
            "grpc",
            failed,
            "tempo-grpc",
            "over gRPC at http://tempo.tempo:9095",
            "use_grpc: false",
        ),
    ] {
        let mut facts = with_tempo();
        change(&mut facts, &format!("/tempo/got/{pointer}"), &value);
        let all = judge(&facts);
        let found = causes(&all);
        assert_eq!(exit_code(&all), 1, "{pointer}");
        assert_eq!(found[0].check, check, "{pointer}: {found:#?}");
        assert!(found[0].what.contains(what), "{}", found[0].what);
        assert!(found[0].fix.text.contains(fix), "{}", found[0].fix.text);
    }
}

#[test]
fn what_cannot_be_told_is_said_to_be_so() {
    let wants = json!({"got": {"status": 401, "wants_tenant": true}});
    for (name, changes, said) in [
        (
            "a header that is not known here",
            vec![
                ("/tempo/got/search", wants),
                (
                    "/kialis/got/0/tracing/customHeaders",
                    json!(["x-scope-orgid"]),
                ),
            ],
            "wants a tenant",
        ),
        (
            "credentials",
            vec![("/tempo/got/search", json!({"got": {"status": 403}}))],
            "or credentials",
        ),
        (
            "from outside",
            vec![("/tempo", json!("not_asked"))],
            "leads nowhere from here",
        ),
        (
            "forwarded over HTTP alone",
            vec![("/tempo/got/grpc", json!("not_asked"))],
            "which was not asked",
        ),
    ] {
        let mut facts = with_tempo();
        for (pointer, value) in changes {
            change(&mut facts, pointer, &value);
        }
        let all = judge(&facts);
        assert_eq!(exit_code(&all), 2, "{name}");
        let whys = all.iter().filter_map(|one| match &one.verdict {
            Err(crate::cli::doctor::check::Inconclusive::Unknown { why, .. }) => Some(why.as_str()),
            _ => None,
        });
        assert!(whys.into_iter().any(|why| why.contains(said)), "{name}");
    }
    let mut facts = with_tempo();
    change(&mut facts, "/tempo/got/echo", &json!({"got": 404}));
    let all = judge(&facts);
    assert_eq!(causes(&all)[0].check, "tempo-echo");
}
