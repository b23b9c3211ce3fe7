/*! Generated requests, there and back; damaged ones and noise. */

use crate::signals::{Model, same};
use crate::{cases, generate};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
};
use prop::sample;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use wayspan::pdata::{
    Index, Keys, Signal, admit,
    json::{request_from_json, request_to_json},
};

/// What is written is read as the same, by us, after another writer, and by the
/// derives of opentelemetry-proto.
fn there_and_back<M: Model + Serialize + DeserializeOwned>(model: &M) {
    let json = request_to_json(M::SIGNAL, &model.encode_to_vec()).unwrap();
    let read = |json: &[u8]| M::decode(&*request_from_json(M::SIGNAL, json).unwrap()).unwrap();
    same(&read(&json), model);
    // Any JSON writer may put whitespace, order and escapes as it likes.
    let sorted: serde_json::Value = serde_json::from_slice(&json).unwrap();
    same(&read(&serde_json::to_vec_pretty(&sorted).unwrap()), model);
    // The derives do not know `stringValueStrindex`, nor numbers as text.
    let text = std::str::from_utf8(&json).unwrap();
    if ["Strindex", "Infinity"]
        .iter()
        .any(|word| text.contains(word))
    {
        return;
    }
    same(&read(&serde_json::to_vec(model).unwrap()), model);
    // They insist on fields that may be absent; of a metric they then drop the data.
    if M::SIGNAL != Signal::Metrics
        && let Ok(theirs) = serde_json::from_slice::<M>(&json)
    {
        same(&theirs, model);
    }
}

/// One other byte in the text, or its end, does no harm.
fn damaged_text<M: Model>(model: &M, at: &sample::Index, with: u8) {
    let mut json = request_to_json(M::SIGNAL, &model.encode_to_vec()).unwrap();
    let at = at.index(json.len());
    json[at] = with;
    enters::<M>(&json);
    json.truncate(at);
    assert!(request_from_json(M::SIGNAL, &json).is_err());
}

/// What is read can enter. Its text need not be Unicode before it is admitted.
fn enters<M: Model>(json: &[u8]) {
    if let Ok(bytes) = request_from_json(M::SIGNAL, json) {
        let mut index = Index::default();
        let admitted = admit(M::SIGNAL, &bytes, &Keys::default(), &mut index).unwrap();
        M::decode(&*admitted.bytes).unwrap();
    }
}

/// What the writer takes is what prost takes, UTF-8 aside.
fn damaged_bytes<M: Model>(model: &M, at: &sample::Index, with: u8) {
    let mut bytes = model.encode_to_vec();
    if bytes.is_empty() {
        return;
    }
    let at = at.index(bytes.len());
    bytes[at] = with;
    match (M::decode(&*bytes), request_to_json(M::SIGNAL, &bytes)) {
        (Ok(model), Ok(json)) => {
            let again = request_from_json(M::SIGNAL, &json).unwrap();
            let again = M::decode(&*again).unwrap();
            assert_eq!(format!("{again:?}"), format!("{model:?}"));
        }
        (Err(_), Err(_)) => {}
        (Err(error), Ok(_)) => assert!(error.to_string().contains("UTF-8"), "{error}"),
        (Ok(_), Err(error)) => panic!("{error}"),
    }
}

macro_rules! properties {
    ($($signal:ident: $requests:expr;)*) => {
        $(mod $signal {
            use super::*;

            proptest! {
                #![proptest_config(cases(128))]

                #[test]
                fn there_and_back(model in $requests) {
                    super::there_and_back(&model);
                }

                #[test]
                fn damaged_text_does_no_harm(model in $requests, at: sample::Index, with: u8) {
                    super::damaged_text(&model, &at, with);
                }

                #[test]
                fn damaged_bytes_are_refused_where_prost_refuses(
                    model in $requests, at: sample::Index, with: u8,
                ) {
                    super::damaged_bytes(&model, &at, with);
                }
            }
        })*
    };
}

properties! {
    traces: generate::request();
    metrics: generate::metrics::request();
    logs: generate::logs::request();
}

/// Text that is nearly JSON, so that some of it is read.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "null",
        "1",
        "\"1\"",
        "\"\\ud83d\"",
        "\u{7f}",
        "{}",
        "\"resourceSpans\":[",
        "\"resourceLogs\":[",
        "\"resourceMetrics\":[",
        "\"schemaUrl\":",
    ];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        prop::collection::vec(sample::select(WORDS), 0..12)
            .prop_map(|words| words.concat().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn accepted_noise_can_enter_and_written_noise_can_be_read(noise in noise()) {
        enters::<crate::Request>(&noise);
        enters::<ExportMetricsServiceRequest>(&noise);
        enters::<ExportLogsServiceRequest>(&noise);
        for signal in Signal::ALL {
            if let Ok(json) = request_to_json(signal, &noise) {
                prop_assert!(request_from_json(signal, &json).is_ok());
            }
        }
    }
}
