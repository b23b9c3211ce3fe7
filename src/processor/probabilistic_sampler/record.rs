/*! Log records: what they carry is in attributes. */

use super::{
    Sampling,
    mode::{Carrier, Mode, Outcome, Policy, Sources},
};
use crate::{
    pdata::{
        AnyValue, AttributeList, AttributeScratch, groups,
        sampling::{Randomness, Threshold},
        text::put_text,
        view::messages,
        wire::put_message,
    },
    processor::items::OF_RECORD,
};
use std::fmt::Write;

const THRESHOLD: &str = "sampling.threshold";
const RANDOMNESS: &str = "sampling.randomness";
/// The field of a log record that holds its trace id.
const TRACE_ID: u32 = 9;
/// The field of a scope group that holds a log record.
const RECORD: u32 = 2;

/// The attributes of a record, and what of them is about sampling.
struct RecordCarrier<'l, 'a> {
    list: &'l mut AttributeList<'a>,
    randomness: Option<Randomness>,
    threshold: Option<Threshold>,
    is_wrong: bool,
    /// Text of what is put.
    text: &'l mut String,
}

impl<'l, 'a> RecordCarrier<'l, 'a> {
    fn new(list: &'l mut AttributeList<'a>, text: &'l mut String) -> Self {
        let read = |key| match list.find(key).map(|at| list.value(at)) {
            Some(AnyValue::String(text)) => text,
            _ => "",
        };
        let (threshold, randomness) = (read(THRESHOLD), read(RANDOMNESS));
        let is_threshold = !threshold.is_empty();
        let is_randomness = !randomness.is_empty();
        let threshold = Threshold::parse(threshold);
        let randomness = Randomness::parse(randomness);
        let is_wrong = is_threshold && threshold.is_none() || is_randomness && randomness.is_none();
        Self {
            list,
            randomness,
            threshold,
            is_wrong,
            text,
        }
    }

    fn put(&mut self, key: &str, value: &dyn std::fmt::Display) {
        self.text.clear();
        // Writing to a String does not fail.
        let _ = write!(self.text, "{value}");
        let value = self.list.text(self.text);
        self.list.put(key, value);
    }
}

impl Carrier for RecordCarrier<'_, '_> {
    fn is_wrong(&self) -> bool {
        self.is_wrong
    }

    fn randomness(&self) -> Option<Randomness> {
        self.randomness
    }

    fn set_randomness(&mut self, randomness: Randomness) {
        self.randomness = Some(randomness);
        self.put(RANDOMNESS, &randomness);
    }

    fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    fn raise_threshold(&mut self, threshold: Threshold) {
        if self.threshold.is_none_or(|before| before <= threshold) {
            self.put(THRESHOLD, &threshold);
        }
    }

    fn clear_threshold(&mut self) {
        self.threshold = None;
        self.list.remove(THRESHOLD);
    }
}

/// Appends a log record, a payload, if it is kept. `scratch` and `text` are scratch.
pub(super) fn put(
    sampling: &Sampling,
    record: &[u8],
    scratch: &mut AttributeScratch,
    text: &mut String,
    out: &mut Vec<u8>,
) -> Outcome {
    let mut list = AttributeList::read(record, OF_RECORD, scratch);
    let id = messages(record, TRACE_ID)
        .last()
        .and_then(|id| id.first_chunk::<16>().copied());
    let id = id.filter(|id| *id != [0; 16]);
    let sources = Sources {
        hash: hash(sampling, id, &list, text),
        trace_id: id.map(Randomness::of_trace_id),
        keeps_missing: true,
    };
    let priority = priority(sampling, &list);
    let mut carrier = RecordCarrier::new(&mut list, text);
    let mut outcome = sampling
        .mode
        .decide(&mut carrier, &sources, priority, sampling.fails_closed);
    // What was put stands in the list, whatever came of it then.
    outcome.writes = outcome.is_kept && list.is_changed();
    if outcome.writes {
        put_message(RECORD, out, |out| list.write(out));
    } else if outcome.is_kept {
        groups::put_item(record, out);
    }
    outcome
}

/// The hash of the trace id, or of the attribute that the file names.
fn hash(
    sampling: &Sampling,
    id: Option<[u8; 16]>,
    list: &AttributeList<'_>,
    text: &mut String,
) -> Option<(Randomness, Policy)> {
    let Mode::Hash { seed, .. } = sampling.mode else {
        return None;
    };
    if let Some(id) = id.filter(|_| sampling.by_trace_id) {
        return Some((Randomness::of_hash(&id, seed), Policy::TraceIdHash));
    }
    if sampling.from_attribute.is_empty() {
        return None;
    }
    let bytes = match list.value(list.find(&sampling.from_attribute)?) {
        AnyValue::Bytes(bytes) => bytes,
        value => {
            text.clear();
            put_text(value, text);
            text.as_bytes()
        }
    };
    (!bytes.is_empty()).then(|| (Randomness::of_hash(bytes, seed), Policy::Attribute))
}

/// The threshold of the percentage that the record asks for itself.
fn priority(sampling: &Sampling, list: &AttributeList<'_>) -> Option<Threshold> {
    if sampling.priority.is_empty() {
        return None;
    }
    let percentage = match list.value(list.find(&sampling.priority)?) {
        AnyValue::Double(value) => value,
        AnyValue::Int(value) => value as f64,
        _ => return None,
    };
    Threshold::of_probability(percentage / 100.0, sampling.precision)
}
