//! OTLP/JSON, which is converted before anything else.

use super::{MIB, UNDER_DEFAULT, UNDER_MANIFEST, larger};
use crate::{
    attack::{Attack, with_variants},
    requests::{Carrier, Coding, FOUR, Way, bombs},
};

const WAYS: &[Way] = &[
    Way::new(Carrier::Http1, Coding::Zstd),
    Way::new(Carrier::Http2, Coding::Gzip),
    Way::new(Carrier::Http1, Coding::Gzip),
    Way::new(Carrier::Http2, Coding::Zstd),
];

/// What stands before and after the spans.
const HEAD: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#;
const TAIL: &str = "]}]}]}";
/// A span that goes on.
const SPAN: &str = r#"{"traceId":"07070707070707070707070707070707","spanId":"0909090909090909""#;

pub fn all() -> Vec<Attack> {
    let attacks = [
        of("JSON name of 7.9 MiB", || long_name(UNDER_MANIFEST)),
        of("JSON of 90000 spans", || many_spans(90_000)),
        of("JSON resource 1 MiB, 3000 scopes", || {
            many_scopes(MIB, 3000)
        }),
        of("JSON nested in depth", || nested(UNDER_MANIFEST)),
        larger(of("JSON name of 64 MiB", || long_name(UNDER_DEFAULT))),
        larger(of("JSON of 780000 spans", || many_spans(780_000))),
    ];
    with_variants(attacks.concat(), |attack| {
        attack.name == "JSON of 90000 spans http1/zstd"
    })
}

fn of(name: &str, body: impl Fn() -> Vec<u8> + 'static) -> Vec<Attack> {
    bombs(name, FOUR, WAYS, "application/json", body)
}

/// A span whose name is no UTF-8, and takes three times the bytes once it is.
fn long_name(bytes: usize) -> Vec<u8> {
    let mut body = format!(r#"{HEAD}{SPAN},"name":""#).into_bytes();
    body.resize(bytes - 16, 0xff);
    body.extend(br#""}"#);
    body.extend(TAIL.as_bytes());
    body
}

fn many_spans(count: usize) -> Vec<u8> {
    let spans = vec![format!("{SPAN}}}"); count].join(",");
    format!("{HEAD}{spans}{TAIL}").into_bytes()
}

/// One span in each of many scopes, which all have a resource of so many bytes.
fn many_scopes(resource: usize, scopes: usize) -> Vec<u8> {
    let scope = |n| format!(r#"{{"scope":{{"name":"s{n}"}},"spans":[{SPAN}}}]}}"#);
    let scopes: Vec<_> = (0..scopes).map(scope).collect();
    let large = "x".repeat(resource);
    let attribute = format!(r#"{{"key":"large","value":{{"stringValue":"{large}"}}}}"#);
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{attribute}]}},"scopeSpans":[{}]}}]}}"#,
        scopes.join(",")
    )
    .into_bytes()
}

/// Arrays within arrays, of which nothing is taken.
fn nested(bytes: usize) -> Vec<u8> {
    let mut body = br#"{"unknown":"#.to_vec();
    body.resize(bytes, b'[');
    body
}
