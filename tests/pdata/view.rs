/*! Views read what prost decodes. */

use crate::odd::{Oddities, odd};
use crate::oracle::{keys, same_attributes};
use crate::signals::inside;
use crate::{Request, cases, fixtures, generate};
use proptest::prelude::*;
use prost::Message as _;
use wayspan::pdata::{Index, KeyValue, Signal, SpanView, admit, view::resource_attributes};

fn check(bytes: &[u8]) {
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, bytes, &keys().0, &mut index).unwrap();
    let bytes = &*admitted.bytes;
    let model = Request::decode(bytes).unwrap();
    let (mut scopes, mut spans) = (index.scopes.iter(), index.items.iter());
    for (entry, theirs) in index.resources.iter().zip(&model.resource_spans) {
        let resource = theirs.resource.clone().unwrap_or_default();
        assert!(same_attributes(
            resource_attributes(entry.resource.of(bytes)),
            &resource.attributes
        ));
        for theirs in &theirs.scope_spans {
            let scope = theirs.scope.clone().unwrap_or_default();
            let ours = inside(scopes.next().unwrap().scope.of(bytes), 3);
            assert!(same_attributes(ours.map(KeyValue::new), &scope.attributes));
            for theirs in &theirs.spans {
                let payload = spans.next().unwrap().bytes.of(bytes);
                let ours = SpanView::new(payload);
                assert_eq!(ours.trace_id(), theirs.trace_id);
                assert_eq!(ours.span_id(), theirs.span_id);
                assert_eq!(ours.parent_span_id(), theirs.parent_span_id);
                let ours = inside(payload, 9).map(KeyValue::new);
                assert!(same_attributes(ours, &theirs.attributes));
            }
        }
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
