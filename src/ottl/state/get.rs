/*! Reading fields. */

use super::{
    State,
    fields::{dropped_attributes, id, kind, name_field, span, status},
    trace_state,
};
use crate::ottl::{
    Arena, EvalError,
    paths::{Field, Owner},
    value::{Index, Time, Value, text_of},
};

impl State {
    /// Reads a field that is not a map, or a map whole.
    pub(in crate::ottl) fn get<'v>(
        &'v self,
        field: Field,
        index: Option<Index<'_>>,
        arena: &'v Arena,
    ) -> Result<Value<'v>, EvalError> {
        let record = self.record(field.owner());
        let text = |number| Value::Str(text_of(record.bytes(number)));
        let int = |number| Value::Int(record.number(number) as i64);
        Ok(match field {
            Field::Attributes(_) | Field::Cache => Value::Attributes(record),
            Field::DroppedAttributes(owner) => int(dropped_attributes(owner)),
            Field::SchemaUrl(Owner::Resource) => Value::Str(text_of(&self.resource_url.url)),
            Field::SchemaUrl(_) => Value::Str(text_of(&self.scope_url.url)),
            Field::TraceId => Value::TraceId(id(record.bytes(span::TRACE_ID))),
            Field::SpanId => Value::SpanId(id(record.bytes(span::SPAN_ID))),
            Field::ParentSpanId => Value::SpanId(id(record.bytes(span::PARENT_SPAN_ID))),
            Field::TraceIdString => Value::Str(arena.hex(&id::<16>(record.bytes(span::TRACE_ID)))?),
            Field::SpanIdString => Value::Str(arena.hex(&id::<8>(record.bytes(span::SPAN_ID)))?),
            Field::ParentSpanIdString => {
                Value::Str(arena.hex(&id::<8>(record.bytes(span::PARENT_SPAN_ID)))?)
            }
            Field::TraceState => match index {
                None => text(span::TRACE_STATE),
                Some(Index::Str(key)) => {
                    match trace_state::get(text_of(record.bytes(span::TRACE_STATE)), key) {
                        Some(value) => Value::Str(value),
                        None => Value::Nil,
                    }
                }
                Some(Index::Int(_)) => {
                    return Err(EvalError::new("the index of trace_state must be a string"));
                }
            },
            Field::Name(owner) => text(name_field(owner)),
            Field::Version => text(2),
            Field::Kind => Value::Int(i64::from(record.number(span::KIND) as i32)),
            Field::KindString => {
                Value::Str(kind(record.number(span::KIND)).map_or("", |kind| kind.0))
            }
            Field::KindDeprecatedString => {
                Value::Str(kind(record.number(span::KIND)).map_or("", |kind| kind.1))
            }
            Field::StartNanos => int(span::START),
            Field::EndNanos => int(span::END),
            Field::StartTime => Value::Time(Time::utc(record.number(span::START) as i64)),
            Field::EndTime => Value::Time(Time::utc(record.number(span::END) as i64)),
            Field::EventNanos => int(1),
            Field::EventTime => Value::Time(Time::utc(record.number(1) as i64)),
            // Neither `filter` nor `transform` of the Collector 0.155 tells its statements the number.
            Field::EventIndex => return Err(EvalError::new("event_index is not known here")),
            Field::Events => Value::Messages(record, span::EVENTS),
            Field::Links => Value::Messages(record, span::LINKS),
            Field::DroppedEvents => int(span::DROPPED_EVENTS),
            Field::DroppedLinks => int(span::DROPPED_LINKS),
            Field::Status => Value::Status(record.bytes(span::STATUS)),
            Field::StatusCode => Value::Int(i64::from(status(record).0)),
            Field::StatusMessage => Value::Str(text_of(status(record).1)),
            Field::Flags => int(span::FLAGS),
        })
    }
}
