/*! Repair keeps the meaning, reaches a fixed point, and loses no unknown field. */

use crate::odd::{Oddities, odd};
use crate::oracle::{keys, unknown};
use crate::{Request, cases, fixtures, generate};
use proptest::prelude::*;
use prost::Message as _;
use wayspan::pdata::{
    Index, RequestLimits, Signal, admit, canon::repair, schema::SchemaMessage as Message, validate,
    wire,
};

fn check(bytes: &[u8]) -> Vec<u8> {
    let (keys, _) = keys();
    let mut index = Index::default();
    validate(Signal::Traces, bytes, &keys, &mut index).unwrap();
    let once = repair(Signal::Traces, bytes, &RequestLimits::MOST).unwrap();
    validate(Signal::Traces, &once.bytes, &keys, &mut index).unwrap();
    assert!(!index.needs_repair, "repaired bytes need repair");
    let twice = repair(Signal::Traces, &once.bytes, &RequestLimits::MOST).unwrap();
    assert_eq!(twice.bytes, once.bytes);
    assert_eq!(twice.utf8_replaced, 0);
    match Request::decode(bytes) {
        Ok(model) => {
            assert_eq!(Request::decode(&*once.bytes).unwrap(), model);
            assert_eq!(once.utf8_replaced, 0);
        }
        Err(error) => assert!(error.to_string().contains("UTF-8"), "{error}"),
    }
    once.bytes
}

#[test]
fn fixtures_keep_their_bytes() {
    for (seed, body) in fixtures().iter().enumerate() {
        assert_eq!(&check(body), body);
        check(&odd(body, Oddities::ALL, seed as u64));
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn odd_encodings(model in generate::request(), seed in any::<u64>()) {
        let bytes = model.encode_to_vec();
        check(&odd(&bytes, Oddities::VALID, seed));
        check(&odd(&bytes, Oddities::ALL, seed));
    }

    #[test]
    fn unknown_fields_are_kept(model in generate::request(), seed in any::<u64>()) {
        // Without replaced variants of a oneof, none may be lost.
        let oddities = Oddities { repeat: false, ..Oddities::ALL };
        let bytes = odd(&model.encode_to_vec(), oddities, seed);
        prop_assert_eq!(unknown(Message::TracesRequest, &check(&bytes)), unknown(Message::TracesRequest, &bytes));
    }

    #[test]
    fn unknown_fields_of_the_index_are_whole(model in generate::request(), seed in any::<u64>()) {
        let bytes = odd(&model.encode_to_vec(), Oddities::VALID, seed);
        let mut index = Index::default();
        let admitted = admit(Signal::Traces, &bytes, &keys().0, &mut index).unwrap();
        let found = unknown(Message::TracesRequest, &admitted.bytes);
        let runs = |path: &str| -> Vec<u8> {
            // Sorted on both sides: the order of groups is not the question.
            let mut all: Vec<_> = found.iter().filter(|(p, _)| p == path).map(|(_, raw)| raw.clone()).collect();
            all.sort();
            all.concat()
        };
        let fields = |ranges: Vec<wayspan::pdata::ByteRange>| -> Vec<u8> {
            let mut all: Vec<_> = ranges.iter()
                .flat_map(|range| wire::WireFields::new(range.of(&admitted.bytes)))
                .map(|f| f.raw.to_vec())
                .collect();
            all.sort();
            all.concat()
        };
        prop_assert_eq!(fields(vec![index.rest]), runs("ExportTraceServiceRequest"));
        prop_assert_eq!(
            fields(index.resources.iter().map(|r| r.rest).collect()),
            runs("ExportTraceServiceRequest/1")
        );
        prop_assert_eq!(
            fields(index.scopes.iter().map(|s| s.rest).collect()),
            runs("ExportTraceServiceRequest/1/2")
        );
    }
}

#[test]
fn bad_utf8_is_replaced_and_counted_per_string() {
    let mut span = Vec::new();
    wire::put_bytes(5, b"a\xff\xfeb", &mut span);
    wire::put_bytes(9, b"\x0a\x02k\xc3\x12\x05\x0a\x03\xe2\x82!", &mut span);
    wire::put_bytes(99, b"\xff", &mut span);
    let mut bytes = span;
    for number in [2, 2, 1] {
        let mut outer = Vec::new();
        wire::put_bytes(number, &bytes, &mut outer);
        bytes = outer;
    }
    let repaired = repair(Signal::Traces, &bytes, &RequestLimits::MOST).unwrap();
    assert_eq!(repaired.utf8_replaced, 3);
    let model = Request::decode(&*repaired.bytes).unwrap();
    let span = &model.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.name, "a\u{fffd}\u{fffd}b");
    assert_eq!(span.attributes[0].key, "k\u{fffd}");
    assert!(
        repaired.bytes.ends_with(b"\x9a\x06\x01\xff"),
        "an unknown field was touched"
    );
}
