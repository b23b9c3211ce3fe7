/*! Setting fields. */

use super::{
    State,
    fields::{dropped_attributes, name_field, no_zero, parse_hex, parse_kind, span},
    trace_state,
};
use crate::{
    ottl::{
        Arena, EvalError,
        paths::{Field, Owner},
        record::Record,
        value::{Index, Value, entries, text_of},
    },
    pdata::wire::{WireFields, put_bytes, put_number},
};

impl State {
    /// Sets a field that is not a map, or a map whole.
    pub(in crate::ottl) fn set(
        &mut self,
        field: Field,
        index: Option<Index<'_>>,
        value: Value<'_>,
        arena: &Arena,
    ) -> Result<(), EvalError> {
        let record = self.record_mut(field.owner());
        match field {
            Field::Attributes(_) | Field::Cache => {
                let Value::Map(map) = value else {
                    return Err(EvalError::new("a map can only be set to a map"));
                };
                record.clear_attributes();
                for (key, payload) in entries(map) {
                    record.push(text_of(key), |out| {
                        out.extend_from_slice(payload);
                        Ok::<_, EvalError>(())
                    })?;
                }
            }
            Field::DroppedAttributes(owner) => {
                record.set_varint(dropped_attributes(owner), u64::from(int(value)? as u32));
            }
            Field::DroppedEvents => {
                record.set_varint(span::DROPPED_EVENTS, u64::from(int(value)? as u32))
            }
            Field::DroppedLinks => {
                record.set_varint(span::DROPPED_LINKS, u64::from(int(value)? as u32))
            }
            Field::SchemaUrl(Owner::Resource) => self.resource_url.set(string(value)?),
            Field::SchemaUrl(_) => self.scope_url.set(string(value)?),
            Field::TraceId => match value {
                Value::TraceId(id) => record.set_bytes(span::TRACE_ID, &id),
                _ => {
                    return Err(EvalError::new(
                        "trace_id must be set to a trace id: TraceID(0x…)",
                    ));
                }
            },
            Field::SpanId => record.set_bytes(span::SPAN_ID, &span_id(value)?),
            Field::ParentSpanId => {
                record.set_bytes(span::PARENT_SPAN_ID, no_zero(&span_id(value)?))
            }
            Field::TraceIdString => {
                record.set_bytes(span::TRACE_ID, &parse_hex::<16>(string(value)?)?)
            }
            Field::SpanIdString => {
                record.set_bytes(span::SPAN_ID, &parse_hex::<8>(string(value)?)?)
            }
            Field::ParentSpanIdString => {
                record.set_bytes(
                    span::PARENT_SPAN_ID,
                    no_zero(&parse_hex::<8>(string(value)?)?),
                );
            }
            Field::TraceState => {
                let value = string(value)?;
                match index {
                    None => record.set_bytes(span::TRACE_STATE, value.as_bytes()),
                    Some(Index::Str(key)) => {
                        let old = text_of(record.bytes(span::TRACE_STATE));
                        if let Some(new) = trace_state::insert(old, key, value) {
                            record.set_bytes(span::TRACE_STATE, new.as_bytes());
                        }
                    }
                    Some(Index::Int(_)) => {
                        return Err(EvalError::new("the index of trace_state must be a string"));
                    }
                }
            }
            Field::Name(owner) => record.set_bytes(name_field(owner), string(value)?.as_bytes()),
            Field::Version => record.set_bytes(2, string(value)?.as_bytes()),
            Field::Kind => record.set_varint(span::KIND, i64::from(int(value)? as i32) as u64),
            Field::KindString => {
                record.set_varint(span::KIND, parse_kind(string(value)?, |kind| kind.0)?)
            }
            Field::KindDeprecatedString => {
                record.set_varint(span::KIND, parse_kind(string(value)?, |kind| kind.1)?);
            }
            Field::StartNanos => record.set_fixed64(span::START, int(value)? as u64),
            Field::EndNanos => record.set_fixed64(span::END, int(value)? as u64),
            Field::StartTime => record.set_fixed64(span::START, time(value)? as u64),
            Field::EndTime => record.set_fixed64(span::END, time(value)? as u64),
            Field::EventNanos => record.set_fixed64(1, int(value)? as u64),
            Field::EventTime => record.set_fixed64(1, time(value)? as u64),
            Field::EventIndex => return Err(EvalError::new("event_index cannot be set")),
            Field::Events | Field::Links => {
                return Err(EvalError::new("events and links cannot be set"));
            }
            Field::Status => match value {
                Value::Status(status) => record.set_bytes(span::STATUS, status),
                _ => {
                    return Err(EvalError::new(
                        "status can only be set to a status; set status.code and status.message",
                    ));
                }
            },
            Field::StatusCode => set_status(record, Some(int(value)? as i32), None, arena)?,
            Field::StatusMessage => set_status(record, None, Some(string(value)?), arena)?,
            Field::Flags => {
                let flags = u32::try_from(int(value)?);
                let flags = flags.map_err(|_| EvalError::new("flags have 32 bits"))?;
                record.set_fixed32(span::FLAGS, flags);
            }
        }
        Ok(())
    }
}

/// Sets code or message, and keeps the rest.
fn set_status(
    record: &mut Record,
    code: Option<i32>,
    message: Option<&str>,
    arena: &Arena,
) -> Result<(), EvalError> {
    let status = arena.build(|out| {
        for field in WireFields::new(record.bytes(span::STATUS)) {
            let is_replaced = match field.number {
                2 => message.is_some(),
                3 => code.is_some(),
                _ => false,
            };
            if !is_replaced {
                out.extend_from_slice(field.raw);
            }
        }
        if let Some(message) = message.filter(|message| !message.is_empty()) {
            put_bytes(2, message.as_bytes(), out);
        }
        if let Some(code) = code.filter(|code| *code != 0) {
            put_number(3, i64::from(code) as u64, out);
        }
        Ok(())
    })?;
    record.set_bytes(span::STATUS, status);
    Ok(())
}

fn string(value: Value<'_>) -> Result<&str, EvalError> {
    match value {
        Value::Str(text) => Ok(text),
        _ => Err(EvalError::new("the field must be set to a string")),
    }
}

fn int(value: Value<'_>) -> Result<i64, EvalError> {
    match value {
        Value::Int(n) => Ok(n),
        _ => Err(EvalError::new("the field must be set to an integer")),
    }
}

fn time(value: Value<'_>) -> Result<i64, EvalError> {
    match value {
        Value::Time(time) => Ok(time.nanos),
        _ => Err(EvalError::new("the field must be set to a time")),
    }
}

fn span_id(value: Value<'_>) -> Result<[u8; 8], EvalError> {
    match value {
        Value::SpanId(id) => Ok(id),
        _ => Err(EvalError::new(
            "the id must be set to a span id: SpanID(0x…)",
        )),
    }
}
