/*! Views read what prost decodes. */

use crate::odd::{Oddities, odd};
use crate::oracle::{keys, same_attributes};
use crate::{Request, cases, fixtures, generate};
use proptest::prelude::*;
use prost::Message as _;
use wayspan::pdata::{
    Index, Signal, SpanView, admit,
    view::{ScopeView, resource_attributes, resource_dropped_attributes_count},
};

fn check(bytes: &[u8]) {
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, bytes, &keys().0, &mut index).unwrap();
    let bytes = &*admitted.bytes;
    let model = Request::decode(bytes).unwrap();
    let (mut scopes, mut spans) = (index.scopes.iter(), index.items.iter());
    for (entry, theirs) in index.resources.iter().zip(&model.resource_spans) {
        let (ours, theirs_resource) = (
            entry.resource.of(bytes),
            theirs.resource.clone().unwrap_or_default(),
        );
        assert!(same_attributes(
            resource_attributes(ours),
            &theirs_resource.attributes
        ));
        assert_eq!(
            resource_dropped_attributes_count(ours),
            theirs_resource.dropped_attributes_count
        );
        for theirs in &theirs.scope_spans {
            let ours = ScopeView::new(scopes.next().unwrap().scope.of(bytes));
            let scope = theirs.scope.clone().unwrap_or_default();
            assert_eq!(
                (ours.name(), ours.version()),
                (&*scope.name, &*scope.version)
            );
            assert!(same_attributes(ours.attributes(), &scope.attributes));
            assert_eq!(
                ours.dropped_attributes_count(),
                scope.dropped_attributes_count
            );
            for theirs in &theirs.spans {
                let ours = SpanView::new(spans.next().unwrap().bytes.of(bytes));
                check_span(ours, theirs);
            }
        }
    }
}

fn check_span(ours: SpanView<'_>, theirs: &opentelemetry_proto::tonic::trace::v1::Span) {
    assert_eq!(ours.trace_id(), theirs.trace_id);
    assert_eq!(ours.span_id(), theirs.span_id);
    assert_eq!(ours.parent_span_id(), theirs.parent_span_id);
    assert_eq!(ours.trace_state(), theirs.trace_state);
    assert_eq!(ours.name(), theirs.name);
    assert_eq!(ours.kind(), theirs.kind);
    assert_eq!(ours.start_time_unix_nano(), theirs.start_time_unix_nano);
    assert_eq!(ours.end_time_unix_nano(), theirs.end_time_unix_nano);
    assert_eq!(ours.flags(), theirs.flags);
    assert_eq!(
        ours.dropped_attributes_count(),
        theirs.dropped_attributes_count
    );
    assert_eq!(ours.dropped_events_count(), theirs.dropped_events_count);
    assert_eq!(ours.dropped_links_count(), theirs.dropped_links_count);
    assert_eq!(
        ours.status(),
        theirs.status.as_ref().map(|s| (s.code, &*s.message))
    );
    assert!(same_attributes(ours.attributes(), &theirs.attributes));
    assert_eq!(ours.events().count(), theirs.events.len());
    for (ours, theirs) in ours.events().zip(&theirs.events) {
        assert_eq!(
            (ours.time_unix_nano(), ours.name()),
            (theirs.time_unix_nano, &*theirs.name)
        );
        assert!(same_attributes(ours.attributes(), &theirs.attributes));
        assert_eq!(
            ours.dropped_attributes_count(),
            theirs.dropped_attributes_count
        );
    }
    assert_eq!(ours.links().count(), theirs.links.len());
    for (ours, theirs) in ours.links().zip(&theirs.links) {
        assert_eq!(
            (ours.trace_id(), ours.span_id()),
            (&*theirs.trace_id, &*theirs.span_id)
        );
        assert_eq!(
            (ours.trace_state(), ours.flags()),
            (&*theirs.trace_state, theirs.flags)
        );
        assert!(same_attributes(ours.attributes(), &theirs.attributes));
        assert_eq!(
            ours.dropped_attributes_count(),
            theirs.dropped_attributes_count
        );
    }
}

#[test]
fn fixtures_read_the_same() {
    for body in fixtures() {
        check(&body);
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn generated(model in generate::request(), seed in any::<u64>()) {
        let bytes = model.encode_to_vec();
        check(&bytes);
        check(&odd(&bytes, Oddities::VALID, seed));
        check(&odd(&bytes, Oddities::CANONICAL, seed));
    }
}
