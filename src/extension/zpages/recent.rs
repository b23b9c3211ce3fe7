/*!
The spans that passed lately, read and cut to what is shown.

Each has a number, so that who asks again gets what came since. There is room for so many;
texts and lists are cut, whatever senders put into them.
*/

use super::AboutService;
use crate::{
    pdata::{
        AnyValue, SpanView,
        number::ShowHex,
        view::{resource_attributes, span_attributes},
        wire::{WireFields, WireValue},
    },
    pipeline::{PassedSpan, SpanMeaning},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    time::{SystemTime, UNIX_EPOCH},
};

/// The most spans that are kept.
const KEPT: usize = 1000;
/// The most characters of a text.
const LONGEST: usize = 200;
/// The most attributes of a span.
const ATTRIBUTES: usize = 32;

/// `STATUS_CODE_ERROR`.
const ERROR: u64 = 2;

/// A span that has passed, as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenSpan {
    /// Counts up from 1.
    pub(crate) number: u64,
    /// When it was looked at, in milliseconds since 1970.
    pub(crate) seen_ms: u64,
    pub(crate) pipeline: String,
    /// The service name that it was emitted with.
    pub(crate) emitted: String,
    /// The service name that it has now.
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// Is true when its status is ERROR.
    pub(crate) error: bool,
    /// What decided its name; empty where nothing did.
    pub(crate) rule: String,
    pub(crate) hop: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) destination: Option<String>,
    /// The pages of Kiali that search for it by its name.
    pub(crate) pages: Vec<String>,
    pub(crate) attributes: Vec<(String, String)>,
}

/// What is answered to a program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SeenSpans<S> {
    /// What to ask for next with `after`.
    pub(crate) last: u64,
    /// How many spans found no room since the process began.
    pub(crate) missed: u64,
    pub(crate) spans: Vec<S>,
}

/// The spans that passed lately.
#[derive(Debug, Default)]
pub(super) struct Recent {
    spans: VecDeque<SeenSpan>,
    last: u64,
}

impl Recent {
    /// Takes in what has passed since the last time.
    pub(super) fn take_in(&mut self, about: &AboutService) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        // Shards may add while this takes out, so it ends after what there was room for.
        for _ in 0..KEPT {
            let Some(passed) = about.tap.next() else {
                break;
            };
            let mut readers = about.readers.iter();
            let reader = readers.find(|(pipeline, _)| **pipeline == *passed.pipeline);
            let meaning = reader.and_then(|(_, reader)| reader.read(&passed));
            let Some(seen) = read(&passed, meaning.unwrap_or_default()) else {
                continue;
            };
            self.last += 1;
            if self.spans.len() >= KEPT {
                self.spans.pop_front();
            }
            self.spans.push_back(SeenSpan {
                number: self.last,
                seen_ms: now,
                ..seen
            });
        }
    }

    /// The number of the newest.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Those with higher numbers, the oldest first.
    pub(super) fn after(&self, number: u64) -> impl DoubleEndedIterator<Item = &SeenSpan> {
        self.spans.iter().filter(move |span| span.number > number)
    }
}

/// Reads a span; None where it is not one.
fn read(passed: &PassedSpan, meaning: SpanMeaning) -> Option<SeenSpan> {
    const SERVICE_NAME: &str = "service.name";
    const ORIGINAL: &str = "wayspan.original_service_name";
    let find = |resource, key: &str| {
        let mut attributes = resource_attributes(resource);
        attributes.find(|kv| kv.key == key).map(|kv| text(kv.value))
    };
    let span = WireFields::new(&passed.span).next()?.bytes()?;
    let view = SpanView::new(span);
    let (mut name, mut error) = (String::new(), false);
    for field in WireFields::new(span) {
        match (field.number, field.value) {
            (5, WireValue::Len(bytes)) => name = cut(&String::from_utf8_lossy(bytes)),
            (15, WireValue::Len(status)) => {
                error = WireFields::new(status).any(|field| {
                    field.number == 3 && matches!(field.value, WireValue::Varint(ERROR))
                });
            }
            _ => {}
        }
    }
    let attributes = span_attributes(span).take(ATTRIBUTES);
    // Before an earlier collector renamed it, if one did.
    let emitted = find(&passed.came_under, ORIGINAL);
    let emitted = emitted.or_else(|| find(&passed.came_under, SERVICE_NAME));
    Some(SeenSpan {
        pipeline: cut(&passed.pipeline),
        emitted: emitted.unwrap_or_default(),
        service: find(&passed.resource, SERVICE_NAME).unwrap_or_default(),
        name,
        trace_id: ShowHex(view.trace_id()).to_string(),
        span_id: ShowHex(view.span_id()).to_string(),
        error,
        rule: passed.why.to_owned(),
        hop: meaning.hop.to_owned(),
        destination: meaning.destination.as_deref().map(cut),
        pages: meaning
            .pages
            .iter()
            .take(ATTRIBUTES)
            .map(|page| cut(page))
            .collect(),
        attributes: attributes.map(|kv| (cut(kv.key), text(kv.value))).collect(),
        ..SeenSpan::default()
    })
}

fn text(value: AnyValue<'_>) -> String {
    match value {
        AnyValue::String(text) => cut(text),
        AnyValue::Bool(value) => value.to_string(),
        AnyValue::Int(value) => value.to_string(),
        AnyValue::Double(value) => value.to_string(),
        AnyValue::Empty => String::new(),
        AnyValue::Array(_) => "[…]".to_owned(),
        AnyValue::KvList(_) => "{…}".to_owned(),
        AnyValue::Bytes(bytes) => format!("{} bytes", bytes.len()),
        AnyValue::StringIndex(index) => index.to_string(),
    }
}

/// Returns the beginning of a text, with a mark where it is cut.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pipeline::tap::PipelineTap;
    use opentelemetry_proto::tonic::{
        common::v1::{AnyValue as Any, KeyValue, any_value::Value},
        resource::v1::Resource,
        trace::v1::{ScopeSpans, Span, Status},
    };
    use prost::Message as _;
    use std::sync::Arc;

    fn attribute(key: &str, text: &str) -> KeyValue {
        let value = Some(Any {
            value: Some(Value::StringValue(text.to_owned())),
        });
        KeyValue {
            key: key.to_owned(),
            value,
            ..KeyValue::default()
        }
    }

    fn resource(name: &str) -> Vec<u8> {
        let attributes = vec![attribute("service.name", name)];
        let resource = Resource {
            attributes,
            ..Resource::default()
        };
        resource.encode_to_vec()
    }

    fn about() -> (AboutService, PipelineTap) {
        let tap = PipelineTap {
            tap: Arc::default(),
            pipeline: "traces".into(),
        };
        let about = AboutService {
            routes: Vec::new(),
            limited: Vec::new(),
            ways: Vec::new(),
            extensions: Vec::new(),
            tap: Arc::clone(&tap.tap),
            readers: Vec::new(),
        };
        (about, tap)
    }

    #[test]
    fn a_span_is_shown_with_both_names_and_cut() {
        let (about, tap) = about();
        let span = Span {
            trace_id: vec![0xab; 16],
            span_id: vec![0xcd; 8],
            name: "n".repeat(LONGEST + 1),
            attributes: vec![attribute("k", "v"); ATTRIBUTES + 1],
            status: Some(Status {
                code: 2,
                ..Status::default()
            }),
            ..Span::default()
        };
        let written = ScopeSpans {
            spans: vec![span],
            ..ScopeSpans::default()
        };
        tap.pass(
            &written.encode_to_vec(),
            &resource("was"),
            &resource("is"),
            "a rule",
        );
        // Not one of these is a span, and a long one is not shown.
        for rubbish in [&b""[..], b"\xff", b"\x0a\x7f", &[0; 20_000]] {
            tap.pass(rubbish, b"\xff\xff", rubbish, "");
        }
        let mut recent = Recent::default();
        recent.take_in(&about);
        let seen: Vec<_> = recent.after(0).collect();
        let [seen] = &seen[..] else {
            panic!("{seen:?}")
        };
        assert_eq!((&*seen.emitted, &*seen.service), ("was", "is"));
        assert_eq!((&*seen.rule, seen.error, seen.number), ("a rule", true, 1));
        assert_eq!(seen.trace_id, "ab".repeat(16));
        assert_eq!(seen.name, format!("{}…", "n".repeat(LONGEST)));
        assert_eq!(seen.attributes.len(), ATTRIBUTES);
        assert_eq!(recent.after(1).count(), 0);
        assert_eq!(about.tap.missed(), 1);
    }

    #[test]
    fn what_is_kept_is_bounded_and_counted_on() {
        let (about, tap) = about();
        let written = ScopeSpans {
            spans: vec![Span::default()],
            ..ScopeSpans::default()
        };
        let written = written.encode_to_vec();
        let mut recent = Recent::default();
        for _ in 0..3 {
            for _ in 0..KEPT {
                tap.pass(&written, b"", b"", "");
            }
            recent.take_in(&about);
        }
        assert_eq!(recent.last(), 3 * KEPT as u64);
        assert_eq!(recent.after(0).count(), KEPT);
        assert_eq!(recent.after(recent.last() - 1).count(), 1);
    }
}
