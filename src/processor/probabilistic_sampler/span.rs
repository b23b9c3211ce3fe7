/*! Spans: what they carry is in their trace state. */

use super::{
    Sampling,
    mode::{Carrier, Mode, Outcome, Policy, Sources},
};
use crate::pdata::{
    AnyValue, KeyValue, groups,
    number::parse_float,
    sampling::{Randomness, Threshold, TraceState},
    wire::{WireFields, put_bytes, put_message},
};

/// The fields of a span that matter here.
const TRACE_ID: u32 = 1;
const TRACE_STATE: u32 = 3;
const ATTRIBUTES: u32 = 9;
/// The field of a scope group that holds a span.
const SPAN: u32 = 2;

impl Carrier for TraceState<'_> {
    fn is_wrong(&self) -> bool {
        self.is_wrong
    }

    fn randomness(&self) -> Option<Randomness> {
        TraceState::randomness(self)
    }

    fn set_randomness(&mut self, randomness: Randomness) {
        TraceState::set_randomness(self, randomness);
    }

    fn threshold(&self) -> Option<Threshold> {
        TraceState::threshold(self)
    }

    fn raise_threshold(&mut self, threshold: Threshold) {
        TraceState::raise_threshold(self, threshold);
    }

    fn clear_threshold(&mut self) {
        TraceState::clear_threshold(self);
    }
}

/// Appends a span, a payload, if it is kept. `text` is scratch.
pub(super) fn put(
    sampling: &Sampling,
    span: &[u8],
    text: &mut String,
    out: &mut Vec<u8>,
) -> Outcome {
    let (mut id, mut state, mut priority) = (None, "", None);
    let mut has_priority = false;
    for field in WireFields::new(span) {
        match (field.number, field.bytes()) {
            (TRACE_ID, Some(bytes)) => id = bytes.first_chunk::<16>().copied(),
            (TRACE_STATE, Some(bytes)) => state = std::str::from_utf8(bytes).unwrap_or_default(),
            (ATTRIBUTES, Some(pair)) if !has_priority => {
                let pair = KeyValue::new(pair);
                if pair.key == "sampling.priority" {
                    has_priority = true;
                    priority = threshold(pair.value);
                }
            }
            _ => {}
        }
    }
    let id = id.filter(|id| *id != [0; 16]);
    let seed = match sampling.mode {
        Mode::Hash { seed, .. } => Some(seed),
        _ => None,
    };
    let hash = id.zip(seed);
    let sources = Sources {
        hash: hash.map(|(id, seed)| (Randomness::of_hash(&id, seed), Policy::TraceIdHash)),
        trace_id: id.map(Randomness::of_trace_id),
        keeps_missing: false,
    };
    let mut carrier = TraceState::parse(state);
    let outcome = sampling
        .mode
        .decide(&mut carrier, &sources, priority, sampling.fails_closed);
    if !outcome.is_kept {
        return outcome;
    }
    if !outcome.writes {
        groups::put_item(span, out);
        return outcome;
    }
    text.clear();
    carrier.write(text);
    put_message(SPAN, out, |out| {
        let mut is_written = false;
        for field in WireFields::new(span) {
            if !is_written && field.number >= TRACE_STATE {
                put_bytes(TRACE_STATE, text.as_bytes(), out);
                is_written = true;
            }
            if field.number != TRACE_STATE {
                out.extend_from_slice(field.raw);
            }
        }
        if !is_written {
            put_bytes(TRACE_STATE, text.as_bytes(), out);
        }
    });
    outcome
}

/// What OpenTracing's `sampling.priority` asks for: 0 drops, more keeps.
fn threshold(priority: AnyValue<'_>) -> Option<Threshold> {
    let priority = match priority {
        AnyValue::Int(value) => value as f64,
        AnyValue::Double(value) => value,
        AnyValue::String(text) => parse_float(text)?,
        _ => return None,
    };
    if priority == 0.0 {
        Some(Threshold::NEVER)
    } else if priority > 0.0 {
        Some(Threshold::ALWAYS)
    } else {
        None
    }
}
