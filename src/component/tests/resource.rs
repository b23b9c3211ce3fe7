//! `resource`: what each action makes of a resource, and what is refused.

use super::{Through, refused, span};
use serde_json::{Value, json};

/// What `actions` make of the attributes of a resource.
fn acted(actions: &str, before: &Value) -> Value {
    let through = Through::new(
        &format!("  resource: {{attributes: [{actions}]}}"),
        "resource",
    );
    // Twice: by the rules, and by what is remembered.
    let mut out = Vec::new();
    for _ in 0..2 {
        let sent = through.spans(
            before.clone(),
            vec![span("a", json!([])), span("b", json!([]))],
        );
        assert_eq!(sent.len(), 2);
        out.extend(sent.into_iter().map(|(resource, _)| resource));
    }
    out.dedup();
    assert_eq!(out.len(), 1, "all are alike: {out:?}");
    out.remove(0)
}

#[test]
fn each_action_does_what_the_collectors_does() {
    const HASH_OF_A: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    const HASH_OF_TRUE: &str = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a";
    const HASH_OF_0: &str = "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc";
    let cases = [
        (
            "{key: a, value: x, action: insert}",
            json!([]),
            json!([["a", "x"]]),
        ),
        (
            "{key: a, value: x, action: insert}",
            json!([["a", 1]]),
            json!([["a", 1]]),
        ),
        ("{key: a, value: x, action: update}", json!([]), json!([])),
        (
            "{key: a, value: x, action: UPDATE}",
            json!([["a", 1], ["b", 2], ["a", 3]]),
            json!([["a", "x"], ["b", 2], ["a", 3]]),
        ),
        (
            "{key: a, value: 0123, action: upsert}",
            json!([]),
            json!([["a", 83]]),
        ),
        (
            "{key: a, value: '', action: upsert}",
            json!([["a", 1]]),
            json!([["a", ""]]),
        ),
        (
            "{key: a, value: [1, x, {k: 2.5}], action: upsert}",
            json!([["b", true]]),
            json!([["b", true], ["a", [1, "x", {"k": 2.5}]]]),
        ),
        // The last takes the place of what is removed.
        (
            "{key: a, action: delete}",
            json!([["a", 1], ["b", 2], ["a", 3], ["c", 4]]),
            json!([["c", 4], ["b", 2], ["a", 3]]),
        ),
        (
            "{pattern: '^a', action: delete}",
            json!([["a", 1], ["b", 2], ["ab", 3], ["c", 4]]),
            json!([["b", 2], ["c", 4]]),
        ),
        (
            "{key: c, pattern: ^a, action: delete}",
            json!([["c", 1], ["a", 2], ["b", 3]]),
            json!([["b", 3]]),
        ),
        (
            "{key: b, from_attribute: a, action: insert}",
            json!([["a", {"$bytes": "x"}]]),
            json!([["a", {"$bytes": "x"}], ["b", {"$bytes": "x"}]]),
        ),
        (
            "{key: b, from_attribute: a, default_value: 7, action: upsert}",
            json!([["b", 1]]),
            json!([["b", 7]]),
        ),
        (
            "{key: b, from_attribute: a, action: upsert}",
            json!([]),
            json!([]),
        ),
        (
            "{key: b, default_value: 7, action: insert}",
            json!([]),
            json!([["b", 7]]),
        ),
        (
            "{key: a, from_context: client.address, action: insert}",
            json!([]),
            json!([["a", "10.1.2.3"]]),
        ),
        (
            "{key: a, from_context: tenant, default_value: none, action: insert}",
            json!([]),
            json!([["a", "none"]]),
        ),
        (
            "{key: a, action: hash}",
            json!([["a", "a"]]),
            json!([["a", HASH_OF_A]]),
        ),
        (
            "{pattern: ., action: hash}",
            json!([["a", true], ["b", 0], ["c", 0.0], ["d", [1]], ["e", null], ["f", {"$bytes": "x"}]]),
            json!([
                ["a", HASH_OF_TRUE],
                ["b", HASH_OF_0],
                ["c", HASH_OF_0],
                ["d", ""],
                ["e", ""],
                ["f", ""]
            ]),
        ),
        (
            r"{key: url, pattern: '^(?P<scheme>\w+)://(?P<host>[^/]+)(?P<path>/.*)?$', action: extract}",
            json!([["host", 1], ["url", "http://shop:80"]]),
            json!([
                ["host", "shop:80"],
                ["url", "http://shop:80"],
                ["scheme", "http"],
                ["path", ""]
            ]),
        ),
        (
            "{key: a, pattern: '(?P<a>x)(?P<b>y)', action: extract}",
            json!([["a", "-xy"]]),
            json!([["a", "x"], ["b", "y"]]),
        ),
        (
            "{key: a, pattern: '(?P<b>1)', action: extract}",
            json!([["a", 1]]),
            json!([["a", 1]]),
        ),
        (
            "{key: a, action: convert, converted_type: string}",
            json!([["a", {"b": [1.5, null]}]]),
            json!([["a", "{\"b\":[1.5,null]}"]]),
        ),
        (
            "{key: a, action: convert, converted_type: string}",
            json!([["a", {"$double": "inf"}]]),
            json!([["a", "Infinity"]]),
        ),
        (
            "{key: a, action: convert, converted_type: int}",
            json!([["a", "+42"]]),
            json!([["a", 42]]),
        ),
        (
            "{key: a, action: convert, converted_type: int}",
            json!([["a", "4.2"]]),
            json!([["a", "4.2"]]),
        ),
        (
            "{key: a, action: convert, converted_type: int}",
            json!([["a", -1.9]]),
            json!([["a", -1]]),
        ),
        (
            "{key: a, action: convert, converted_type: int}",
            json!([["a", true]]),
            json!([["a", 1]]),
        ),
        (
            "{key: a, action: convert, converted_type: int}",
            json!([["a", [1]]]),
            json!([["a", [1]]]),
        ),
        (
            "{key: a, action: convert, converted_type: double}",
            json!([["a", "0x1p4"]]),
            json!([["a", 16.0]]),
        ),
        (
            "{key: a, action: convert, converted_type: double}",
            json!([["a", "1e400"]]),
            json!([["a", "1e400"]]),
        ),
        (
            "{key: a, action: convert, converted_type: double}",
            json!([["a", 3]]),
            json!([["a", 3.0]]),
        ),
        // Each sees what those before it did.
        (
            "{key: b, from_attribute: a, action: insert}, {key: a, action: delete}, {key: b, action: hash}",
            json!([["a", "a"]]),
            json!([["b", HASH_OF_A]]),
        ),
    ];
    for (actions, before, after) in cases {
        assert_eq!(acted(actions, &before), after, "{actions} of {before}");
    }
}

#[test]
fn the_mesh_processor_sees_what_was_done_before_it() {
    let through = Through::new(
        "  resource: {attributes: [{key: service.name, value: shop.default, action: upsert}]}\n  \
         mesh: {kubernetes: off}\n  \
         resource/after: {attributes: [{key: seen, from_attribute: service.name, action: insert}]}",
        "resource, mesh, resource/after",
    );
    let sent = through.spans(
        json!([["service.name", "x"], ["k", 1]]),
        vec![span("a", json!([]))],
    );
    let resource = &sent[0].0;
    assert_eq!(resource[2], json!(["seen", "shop.default"]), "{resource}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (action, part) in [
        ("", "lists nothing to do"),
        ("{key: a}", "say what to do"),
        ("{key: a, action: inset}", "did you mean \"insert\""),
        ("{value: x, action: insert}", "needs a key"),
        ("{action: delete}", "needs a key or a pattern"),
        ("{key: a, action: insert}", "nothing says the value"),
        (
            "{key: a, value: x, from_attribute: b, action: insert}",
            "a second source",
        ),
        (
            "{key: a, value: x, pattern: y, action: upsert}",
            "means nothing to the action upsert",
        ),
        (
            "{key: a, value: x, action: delete}",
            "means nothing to the action delete",
        ),
        ("{key: a, pattern: '(', action: delete}", "unclosed group"),
        ("{key: a, action: extract}", "needs a pattern"),
        (
            "{key: a, pattern: '(a)(?P<b>c)', action: extract}",
            "each group must have a name",
        ),
        ("{key: a, action: convert}", "needs a converted_type"),
        (
            "{key: a, action: convert, converted_type: bool}",
            "expected one of string, int, double",
        ),
        ("{key: a, value: 2026-01-02, action: insert}", "is a date"),
    ] {
        let said = refused(
            &format!("  resource: {{attributes: [{action}]}}"),
            "resource",
        );
        assert!(said.contains(part), "{action}: {said}");
    }
}
