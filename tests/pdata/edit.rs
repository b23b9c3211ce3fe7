/*! Generated edits of generated, odd and captured requests. */

use crate::changes::{Change, check, check_resource};
use crate::generate;
use crate::odd::{Oddities, odd};
use crate::oracle::keys;
use crate::{Request, cases, fixtures};
use proptest::{collection::vec, prelude::*};
use prost::Message as _;
use wayspan::pdata::{Index, Signal, admit};

fn change() -> impl Strategy<Value = Change> {
    let status = (prop_oneof![0..3i32, any::<i32>()], "[a-z]{0,150}");
    prop_oneof![
        3 => (generate::key(), "\\PC{0,20}").prop_map(|(k, v)| Change::SetStr(k, v)),
        3 => vec((generate::key(), "\\PC{0,20}".boxed()), 0..4).prop_map(Change::Append),
        2 => generate::key().prop_map(Change::Delete),
        1 => "\\PC{0,140}".prop_map(Change::Name),
        1 => status.prop_map(|(code, message)| Change::Status(code, message)),
        1 => (0..3i32).prop_map(Change::StatusCode),
    ]
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn generated(
        model in generate::request(),
        changes in vec(change(), 0..7),
        seed in any::<u64>(),
    ) {
        let bytes = model.encode_to_vec();
        check(&bytes, &changes);
        check(&odd(&bytes, Oddities::VALID, seed), &changes);
    }

    #[test]
    fn resources(
        model in generate::resource(),
        changes in vec(change(), 0..7),
        seed in any::<u64>(),
    ) {
        check_resource(&model.encode_to_vec(), &changes);
        let request = Request { resource_spans: vec![
            opentelemetry_proto::tonic::trace::v1::ResourceSpans {
                resource: Some(model), ..Default::default()
            },
        ] };
        let bytes = odd(&request.encode_to_vec(), Oddities::VALID, seed);
        let mut index = Index::default();
        let admitted = admit(Signal::Traces, &bytes, &keys().0, &mut index).unwrap();
        check_resource(index.resources[0].resource.of(&admitted.bytes), &changes);
    }

    #[test]
    fn captured(at in 0..100usize, changes in vec(change(), 0..7)) {
        thread_local!(static BODIES: Vec<Vec<u8>> = fixtures());
        BODIES.with(|bodies| check(&bodies[at], &changes));
    }
}
