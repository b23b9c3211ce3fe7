//! Zipkin's lists in JSON, which become OTLP before anything else.

use super::UNDER_MANIFEST;
use crate::{
    attack::Attack,
    requests::{Carrier, Coding, FOUR, Way, bombs},
};

const WAYS: &[Way] = &[Way::new(Carrier::Zipkin, Coding::Gzip)];

/// A span that goes on.
const SPAN: &str = r#"{"traceId":"07070707070707070707070707070707","id":"0909090909090909""#;

pub fn all() -> Vec<Attack> {
    let attacks = [
        of("Zipkin name of 7.9 MiB", || long_name(UNDER_MANIFEST)),
        of("Zipkin list of 90000 spans", || many_spans(90_000)),
        of("Zipkin span of 300000 tags", || many_tags(300_000)),
        of("Zipkin nested in depth", || {
            let mut body = b"[{\"tags\":".to_vec();
            body.resize(UNDER_MANIFEST, b'[');
            body
        }),
    ];
    let with_receiver = |attack: Attack| attack.with(|its| its.zipkin = true);
    attacks.concat().into_iter().map(with_receiver).collect()
}

fn of(name: &str, body: impl Fn() -> Vec<u8> + 'static) -> Vec<Attack> {
    bombs(name, FOUR, WAYS, "application/json", body)
}

/// A span whose name is no UTF-8, and takes three times the bytes once it is.
fn long_name(bytes: usize) -> Vec<u8> {
    let mut body = format!(r#"[{SPAN},"name":""#).into_bytes();
    body.resize(bytes - 16, 0xff);
    body.extend(br#""}]"#);
    body
}

fn many_spans(count: usize) -> Vec<u8> {
    let spans = vec![format!("{SPAN}}}"); count].join(",");
    format!("[{spans}]").into_bytes()
}

/// Tags of one span, each with a key of its own.
fn many_tags(count: usize) -> Vec<u8> {
    let tags: Vec<_> = (0..count).map(|n| format!(r#""{n}":"""#)).collect();
    format!(r#"[{SPAN},"tags":{{{}}}}}]"#, tags.join(",")).into_bytes()
}
