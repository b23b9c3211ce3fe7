/*! A child decodes to what was asked for, whatever its span looks like. */

use crate::odd::{Oddities, odd};
use crate::oracle::keys;
use crate::{cases, fixtures, generate};
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
use proptest::prelude::*;
use prost::Message as _;
use wayspan::pdata::{self, Index, Signal, admit, edit, wire, write_child};

fn keeps(key: &[u8]) -> bool {
    key.starts_with(b"istio.") || key == b"k" || key == "ключ".as_bytes()
}

fn check(bytes: &[u8], name: &str) {
    let mut fields = Vec::new();
    wire::put_bytes(5, name.as_bytes(), &mut fields);
    edit::encode_span_attr("made", "true", &mut fields);
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, bytes, &keys().0, &mut index).unwrap();
    let (mut out, mut expected) = (Vec::new(), Vec::new());
    for entry in &index.items {
        let payload = entry.bytes.of(&admitted.bytes);
        write_child(payload, [7; 8], &fields, keeps, &mut out);
        let mut span = Span::decode(payload).unwrap();
        span.attributes.retain(|kv| keeps(kv.key.as_bytes()));
        span.attributes
            .extend(Span::decode(&*fields).unwrap().attributes);
        // A span without an id is no span, and not asked about.
        let has_id = wire::WireFields::new(payload).any(|field| field.number == 2);
        expected.push(Span {
            trace_id: span.trace_id,
            span_id: if has_id { vec![7; 8] } else { Vec::new() },
            trace_state: span.trace_state,
            parent_span_id: span.span_id,
            name: name.to_owned(),
            start_time_unix_nano: span.start_time_unix_nano,
            end_time_unix_nano: span.end_time_unix_nano,
            attributes: span.attributes,
            status: span.status,
            ..Span::default()
        });
    }
    assert_eq!(ScopeSpans::decode(&*out).unwrap().spans, expected);
    let mut request = Vec::new();
    wire::put_message(1, &mut request, |group| wire::put_bytes(2, &out, group));
    pdata::validate(Signal::Traces, &request, &keys().0, &mut index).unwrap();
    assert!(!index.needs_repair);
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn generated(model in generate::request(), name in "[ -~]{0,300}", seed in any::<u64>()) {
        let bytes = model.encode_to_vec();
        check(&bytes, &name);
        check(&odd(&bytes, Oddities::VALID, seed), &name);
    }
}

#[test]
fn captured() {
    for bytes in fixtures() {
        check(&bytes, "reviews.bookinfo.svc.cluster.local");
    }
}
