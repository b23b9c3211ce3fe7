//! OTLP/JSON, which is converted before anything else.

use super::{DEFAULT_MIB, UNDER_DEFAULT, UNDER_MANIFEST};
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

pub fn all() -> Vec<Attack> {
    let mut attacks = Vec::new();
    attacks.extend(of("JSON name of 7.9 MiB", || {
        long_name(0xff, UNDER_MANIFEST)
    }));
    attacks.extend(of("JSON of 90000 spans", || many_spans(90_000)));
    attacks.extend(of("JSON nested in depth", || nested(UNDER_MANIFEST)));
    for attack in of("JSON name of 64 MiB", || long_name(0xff, UNDER_DEFAULT))
        .into_iter()
        .chain(of("JSON of 780000 spans", || many_spans(780_000)))
    {
        attacks.push(attack.with(|its| its.request_mib = Some(DEFAULT_MIB)));
    }
    with_variants(attacks, |attack| {
        attack.name == "JSON of 90000 spans http1/zstd"
    })
}

fn of(name: &str, body: impl Fn() -> Vec<u8> + 'static) -> Vec<Attack> {
    bombs(name, FOUR, WAYS, "application/json", body)
}

/// A span whose name is this byte, which is no UTF-8 and takes three times the
/// bytes once it is.
fn long_name(byte: u8, bytes: usize) -> Vec<u8> {
    let span =
        r#"{"traceId":"07070707070707070707070707070707","spanId":"0909090909090909","name":""#;
    let mut body = [HEAD, span].concat().into_bytes();
    body.resize(bytes - 16, byte);
    body.extend(br#""}"#);
    body.extend(TAIL.as_bytes());
    body
}

fn many_spans(count: usize) -> Vec<u8> {
    let span = r#"{"traceId":"07070707070707070707070707070707","spanId":"0909090909090909"}"#;
    let mut spans = vec![span; count].join(",");
    spans.insert_str(0, HEAD);
    spans.push_str(TAIL);
    spans.into_bytes()
}

/// Arrays within arrays, of which nothing is taken.
fn nested(bytes: usize) -> Vec<u8> {
    let mut body = br#"{"unknown":"#.to_vec();
    body.resize(bytes, b'[');
    body
}
