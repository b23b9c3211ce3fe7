/*!
What statements run over: the resource, scope, span and event at hand, and the cache of the context.

Reading a field gives a [`Value`]; setting one checks the type, as the Collector's setters do.
*/

mod trace_state;

use super::{
    Arena, EvalError,
    paths::{Field, Owner},
    record::{Record, Shape},
    value::{Index, Value, entries, text_of},
};
use crate::pdata::wire::{WireFields, WireType, WireValue, put_bytes, put_tag, put_varint};

/// Field numbers of `Span`.
mod span {
    pub(super) const TRACE_ID: u32 = 1;
    pub(super) const SPAN_ID: u32 = 2;
    pub(super) const TRACE_STATE: u32 = 3;
    pub(super) const PARENT_SPAN_ID: u32 = 4;
    pub(super) const NAME: u32 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const START: u32 = 7;
    pub(super) const END: u32 = 8;
    pub(super) const DROPPED_ATTRIBUTES: u32 = 10;
    pub(super) const EVENTS: u32 = 11;
    pub(super) const DROPPED_EVENTS: u32 = 12;
    pub(super) const LINKS: u32 = 13;
    pub(super) const DROPPED_LINKS: u32 = 14;
    pub(super) const STATUS: u32 = 15;
    pub(super) const FLAGS: u32 = 16;
}

/// Field of a span that holds an event.
pub(crate) const EVENT: u32 = span::EVENTS;

const KINDS: [(&str, &str); 6] = [
    ("Unspecified", "SPAN_KIND_UNSPECIFIED"),
    ("Internal", "SPAN_KIND_INTERNAL"),
    ("Server", "SPAN_KIND_SERVER"),
    ("Client", "SPAN_KIND_CLIENT"),
    ("Producer", "SPAN_KIND_PRODUCER"),
    ("Consumer", "SPAN_KIND_CONSUMER"),
];

/// What statements run over.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) resource: Record,
    pub(crate) scope: Record,
    pub(crate) span: Record,
    pub(crate) event: Record,
    pub(crate) resource_url: SchemaUrl,
    pub(crate) scope_url: SchemaUrl,
    pub(crate) cache: Record,
    /// A map within an attribute, while it is edited.
    pub(super) nested: Record,
}

/// The schema URL of a group.
#[derive(Debug, Default)]
pub(crate) struct SchemaUrl {
    pub(crate) url: Vec<u8>,
    pub(crate) is_changed: bool,
}

impl SchemaUrl {
    pub(crate) fn load(&mut self, url: &[u8]) {
        self.is_changed = false;
        self.url.clear();
        self.url.extend_from_slice(url);
    }

    fn set(&mut self, url: &str) {
        self.load(url.as_bytes());
        self.is_changed = true;
    }
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            resource: Record::new(Shape::Resource),
            scope: Record::new(Shape::Scope),
            span: Record::new(Shape::Span),
            event: Record::new(Shape::EVENT),
            resource_url: SchemaUrl::default(),
            scope_url: SchemaUrl::default(),
            cache: Record::new(Shape::MAP),
            nested: Record::new(Shape::MAP),
        }
    }

    /// Empties the cache: another item comes, or another list of statements.
    pub(crate) fn clear_cache(&mut self) {
        self.cache.load(&[]);
    }

    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        let records = [
            &self.resource,
            &self.scope,
            &self.span,
            &self.event,
            &self.cache,
        ];
        records.iter().map(|record| record.size()).sum()
    }

    pub(super) fn record(&self, owner: Option<Owner>) -> &Record {
        match owner {
            None => &self.cache,
            Some(Owner::Resource) => &self.resource,
            Some(Owner::Scope) => &self.scope,
            Some(Owner::Span) => &self.span,
            Some(Owner::Event) => &self.event,
        }
    }

    pub(super) fn record_mut(&mut self, owner: Option<Owner>) -> &mut Record {
        match owner {
            None => &mut self.cache,
            Some(Owner::Resource) => &mut self.resource,
            Some(Owner::Scope) => &mut self.scope,
            Some(Owner::Span) => &mut self.span,
            Some(Owner::Event) => &mut self.event,
        }
    }

    /// Reads a field that is not a map, or a map whole.
    pub(super) fn get<'v>(
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
            Field::StartTime => Value::Time(record.number(span::START) as i64),
            Field::EndTime => Value::Time(record.number(span::END) as i64),
            Field::EventNanos => int(1),
            Field::EventTime => Value::Time(record.number(1) as i64),
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

    /// Sets a field that is not a map, or a map whole.
    pub(super) fn set(
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

    /// Returns true if the span has no parent.
    pub(super) fn is_root(&self) -> bool {
        id::<8>(self.span.bytes(span::PARENT_SPAN_ID)) == [0; 8]
    }
}

fn dropped_attributes(owner: Owner) -> u32 {
    match owner {
        Owner::Resource => 2,
        Owner::Scope | Owner::Event => 4,
        Owner::Span => span::DROPPED_ATTRIBUTES,
    }
}

fn name_field(owner: Owner) -> u32 {
    match owner {
        Owner::Scope => 1,
        Owner::Event => 2,
        Owner::Resource | Owner::Span => span::NAME,
    }
}

fn id<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

/// Protobuf has no parent where the id is zero.
fn no_zero(id: &[u8]) -> &[u8] {
    match id.iter().all(|byte| *byte == 0) {
        true => &[],
        false => id,
    }
}

/// Reads an id in hex.
pub(super) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], EvalError> {
    let wrong = EvalError::new("an id must be in hex, with two digits for each of its bytes");
    let digits = text.as_bytes();
    let mut id = [0; N];
    if digits.len() != 2 * N {
        return Err(wrong);
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16).ok_or(wrong.clone())?;
            *byte = *byte << 4 | value as u8;
        }
    }
    Ok(id)
}

fn kind(number: u64) -> Option<&'static (&'static str, &'static str)> {
    KINDS.get(usize::try_from(number).ok()?)
}

fn parse_kind(
    text: &str,
    word: impl Fn(&(&'static str, &'static str)) -> &'static str,
) -> Result<u64, EvalError> {
    let position = KINDS.iter().position(|kind| word(kind) == text);
    let position = position.ok_or(EvalError::new("the kind of a span has no such name"))?;
    Ok(position as u64)
}

/// Code and message of the status.
fn status(span: &Record) -> (i32, &[u8]) {
    let (mut code, mut message) = (0, &[][..]);
    for field in WireFields::new(span.bytes(span::STATUS)) {
        match (field.number, field.value) {
            (2, WireValue::Len(text)) => message = text,
            (3, WireValue::Varint(n)) => code = n as i32,
            _ => {}
        }
    }
    (code, message)
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
            put_tag(3, WireType::Varint, out);
            put_varint(i64::from(code) as u64, out);
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
        Value::Time(n) => Ok(n),
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
