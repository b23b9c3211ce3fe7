/*! Parts of a request hold its spans, each once, under the same headers. */

use crate::odd::{Oddities, odd};
use crate::oracle::unknown;
use crate::{Request, cases, fixtures, generate};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message as _;
use wayspan::pdata::{Signal, schema::SchemaMessage as Message, split, wire::WireFields};

/// Each span with everything that stands around it.
fn spans(request: &Request) -> Vec<(Request, Span)> {
    let mut all = Vec::new();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let mut around = resource.clone();
                around.scope_spans = vec![scope.clone()];
                around.scope_spans[0].spans = Vec::new();
                all.push((
                    Request {
                        resource_spans: vec![around],
                    },
                    span.clone(),
                ));
            }
        }
    }
    all
}

/// Payload of the span that is number `at` in order.
fn span_at(request: &[u8], at: usize) -> Option<&[u8]> {
    let inside = |message, number| {
        let fields = WireFields::new(message).filter(move |field| field.number == number);
        fields.filter_map(|field| field.bytes())
    };
    let scopes = inside(request, 1).flat_map(|group| inside(group, 2));
    scopes.flat_map(|group| inside(group, 2)).nth(at)
}

fn check(bytes: &[u8]) {
    let model = Request::decode(bytes).unwrap();
    let all = spans(&model);
    assert_eq!(split::count(Signal::Traces, bytes), all.len());
    for (at, (around, span)) in all.iter().enumerate() {
        assert_eq!(&Span::decode(span_at(bytes, at).unwrap()).unwrap(), span);
        let one = split::select(Signal::Traces, bytes, at..at + 1);
        let one = spans(&Request::decode(&*one).unwrap());
        assert_eq!(one, [(around.clone(), span.clone())]);
    }
    assert_eq!(span_at(bytes, all.len()), None);
    assert_eq!(
        Request::decode(&*split::select(Signal::Traces, bytes, 0..all.len()))
            .unwrap()
            .resource_spans
            .is_empty(),
        all.is_empty() || model.resource_spans.is_empty()
    );
    let Some((first, second)) = split::halve(Signal::Traces, bytes) else {
        assert!(all.len() < 2);
        return;
    };
    let (a, b) = (
        Request::decode(&*first).unwrap(),
        Request::decode(&*second).unwrap(),
    );
    let (a_spans, b_spans) = (spans(&a), spans(&b));
    assert_eq!(a_spans.len(), all.len() / 2);
    assert_eq!([a_spans, b_spans].concat(), all);
    // Groups without spans are in one half, the others in one or both.
    for group in &model.resource_spans {
        let same = |g: &&opentelemetry_proto::tonic::trace::v1::ResourceSpans| {
            g.resource == group.resource && g.schema_url == group.schema_url
        };
        assert!(
            a.resource_spans
                .iter()
                .chain(&b.resource_spans)
                .any(|g| same(&g))
        );
    }
    let own = |bytes: &[u8]| {
        let mut found = unknown(Message::TracesRequest, bytes);
        found.retain(|(path, _)| path == Message::TracesRequest.name());
        found
    };
    assert_eq!(own(&first), own(bytes));
    assert_eq!(own(&second), []);
    let mut parts = [
        unknown(Message::TracesRequest, &first),
        unknown(Message::TracesRequest, &second),
    ]
    .concat();
    parts.sort();
    parts.dedup();
    let mut whole = unknown(Message::TracesRequest, bytes);
    whole.dedup();
    assert_eq!(parts, whole);
}

#[test]
fn fixtures_split() {
    for body in fixtures() {
        check(&body);
    }
}

#[test]
fn the_requests_own_unknown_fields_are_not_repeated() {
    let unknown = b"\x7a\x03new";
    let fixture = fixtures()
        .into_iter()
        .find(|body| split::count(Signal::Traces, body) > 3);
    let body = [unknown, &*fixture.unwrap(), unknown].concat();
    check(&body);
    let (first, second) = split::halve(Signal::Traces, &body).unwrap();
    let has = |part: &[u8]| part.windows(unknown.len()).filter(|w| w == unknown).count();
    assert_eq!((has(&first), has(&second)), (2, 0));
    let (first, second) = split::halve(Signal::Traces, &first).unwrap();
    assert_eq!((has(&first), has(&second)), (2, 0));
}

#[test]
fn nothing_to_split() {
    assert_eq!(split::halve(Signal::Traces, &[]), None);
    assert_eq!(split::count(Signal::Traces, &[]), 0);
    assert!(split::select(Signal::Traces, &[0x0a, 0], 0..0).is_empty());
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn generated(model in generate::request(), seed in any::<u64>()) {
        let bytes = model.encode_to_vec();
        check(&bytes);
        check(&odd(&bytes, Oddities { repeat: false, ..Oddities::VALID }, seed));
    }
}
