//! What resources become by what was detected.

use super::{detected::SCHEMA_URL, *};
use crate::pdata::{AnyValue, view::resource_attributes, wire};

fn payload(attributes: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, text) in attributes {
        wire::put_message(1, &mut out, |out| {
            wire::put_bytes(1, key.as_bytes(), out);
            wire::put_message(2, out, |out| wire::put_bytes(1, text.as_bytes(), out));
        });
    }
    out
}

fn texts(payload: &[u8]) -> Vec<(&str, &str)> {
    let all = resource_attributes(payload);
    all.filter_map(|kv| match kv.value {
        AnyValue::String(text) => Some((kv.key, text)),
        _ => None,
    })
    .collect()
}

fn own(attributes: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = attributes.iter();
    all.map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect()
}

#[test]
fn the_first_detector_that_tells_an_attribute_counts() {
    let mut detected = Detected::default();
    detected.add(own(&[("host.name", "a"), ("x", "1")]), "");
    assert_eq!(detected.schema_url, "");
    detected.add(own(&[("host.name", "b"), ("os.type", "linux")]), SCHEMA_URL);
    assert_eq!(detected.describe(), "host.name=a, x=1, os.type=linux");
    assert_eq!(detected.schema_url, SCHEMA_URL);
}

#[test]
fn resources_are_overridden_or_filled_in() {
    let mut detected = Detected::default();
    detected.add(own(&[("host.name", "a"), ("x", "1")]), SCHEMA_URL);
    let base = payload(&[("host.name", "own"), ("service.name", "cart")]);
    for (overrides, want) in [
        (
            true,
            &[("service.name", "cart"), ("host.name", "a"), ("x", "1")],
        ),
        (
            false,
            &[("host.name", "own"), ("service.name", "cart"), ("x", "1")],
        ),
    ] {
        let merged = detected.merge(&base, overrides, &mut Edits::default());
        assert_eq!(
            merged.as_deref().map(texts),
            Some(want.to_vec()),
            "{overrides}"
        );
    }
    let all = payload(&[("host.name", ""), ("x", "2")]);
    assert_eq!(detected.merge(&all, false, &mut Edits::default()), None);
    assert_eq!(
        Detected::default().merge(&all, true, &mut Edits::default()),
        None
    );
}

#[test]
fn a_schema_is_told_where_there_is_none() {
    let mut detected = Detected::default();
    detected.add(own(&[("x", "1")]), SCHEMA_URL);
    let mut processor = ResourceDetection::new(detected, false);
    let mut resources = Resources::default();
    let full = payload(&[("x", "own")]);
    for (schema, want) in [("", SCHEMA_URL), ("https://own", "https://own")] {
        let id = resources.intern(&full, schema.as_bytes(), b"rest");
        let merged = processor.merged(id, &mut resources);
        let header = resources.get(merged);
        assert_eq!(header.schema_url, want.as_bytes());
        assert_eq!((&header.payload, &header.rest[..]), (&full, &b"rest"[..]));
        assert_eq!(merged == id, schema == want);
    }
}
