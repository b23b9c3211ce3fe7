/*!
Changes to a span or a resource, gathered first and written once.

[`Edits`] is scratch that a shard reuses: a list of operations over one arena
of encoded bytes, so that once grown it allocates nothing per span. Processors
add to it in turn, and a later one sees what an earlier one did through
[`Edits::get`].

What writing does:

- attributes that are not named stay where they are, in order;
- a set attribute replaces *every* attribute with its key, and stands, once,
  at the end of the message, in the order of the last sets;
- a set name or status stands at the end too; unknown fields inside the
  replaced status are kept, and its message if only the code was set, as are all unknown fields of the message itself;
- when only [`Edits::append_encoded`] was used, the base is copied whole and
  not even looked at.
*/

use super::view::{AnyValue, KeyValue, messages};
use super::wire::{self, WireFields, WireType, WireValue};
use std::ops::Range;

/// Key byte of `Span.attributes` (field 9).
const SPAN_ATTRIBUTE: u8 = 0x4a;
/// Key byte of `Resource.attributes` (field 1).
const RESOURCE_ATTRIBUTE: u8 = 0x0a;
/// Key byte of `ScopeSpans.spans` (field 2).
const SPAN: u8 = 0x12;
/// Tag and length of `Span.status`, at most.
const STATUS_FRAMING: usize = 6;

/// An operation on attributes; the ranges are places in the arena.
#[derive(Clone, Debug)]
enum Op {
    /// Remove what has the key, and add the encoded field.
    Set {
        key: Range<usize>,
        field: Range<usize>,
    },
    /// Remove what has the key.
    Delete { key: Range<usize> },
    /// Add encoded fields.
    Append { fields: Range<usize> },
}

/// What [`Edits::get`] knows about a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edited<'a> {
    /// Nothing: the base decides.
    Unchanged,
    /// It is gone, whatever the base has.
    Deleted,
    /// It has this value, whatever the base has.
    Set(AnyValue<'a>),
}

/// Changes to one span (or resource): reusable scratch.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    arena: Vec<u8>,
    ops: Vec<Op>,
    /// Encoded `name` field.
    name: Option<Range<usize>>,
    status: Option<NewStatus>,
}

#[derive(Clone, Debug)]
struct NewStatus {
    /// Its encoded payload, as far as it is new.
    payload: Range<usize>,
    /// Whether the base's message stays.
    keeps_message: bool,
}

impl Edits {
    /// Forgets all edits and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.ops.clear();
        self.name = None;
        self.status = None;
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.name.is_none() && self.status.is_none()
    }

    /// At most how many bytes the edits add to a message.
    pub(crate) fn added_bytes(&self) -> usize {
        let status = self.status.as_ref().map_or(0, |_| STATUS_FRAMING);
        self.arena.len() + status
    }

    /// Sets a string attribute: replaces every attribute with that key.
    pub fn set_str(&mut self, key: &str, value: &str) {
        self.forget(key);
        let start = self.arena.len();
        encode_span_attr(key, value, &mut self.arena);
        let field = start..self.arena.len();
        // The key directly precedes the value in the encoding.
        let key_end = field.end - delimited(delimited(value.len()));
        self.ops.push(Op::Set {
            key: key_end - key.len()..key_end,
            field,
        });
    }

    /// Appends encoded `attributes` fields of a span (tag 9, `4A…`, as
    /// [`encode_span_attr`] makes them) whose keys the caller knows to be
    /// absent. For resources too: the tag is changed in writing.
    pub fn append_encoded(&mut self, fields: &[u8]) {
        if fields.is_empty() {
            return;
        }
        let start = self.arena.len();
        self.arena.extend_from_slice(fields);
        // Neighbours become one copy.
        if let Some(Op::Append { fields }) = self.ops.last_mut()
            && fields.end == start
        {
            fields.end = self.arena.len();
            return;
        }
        self.ops.push(Op::Append {
            fields: start..self.arena.len(),
        });
    }

    /// Deletes every attribute with that key.
    pub fn delete(&mut self, key: &str) {
        self.forget(key);
        let start = self.arena.len();
        self.arena.extend_from_slice(key.as_bytes());
        self.ops.push(Op::Delete {
            key: start..self.arena.len(),
        });
    }

    /// Sets the span name.
    pub fn set_name(&mut self, name: &str) {
        let start = self.arena.len();
        wire::put_bytes(5, name.as_bytes(), &mut self.arena);
        self.name = Some(start..self.arena.len());
    }

    /// Sets the status (code, message).
    pub fn set_status(&mut self, code: i32, message: &str) {
        let start = self.arena.len();
        if !message.is_empty() {
            wire::put_bytes(2, message.as_bytes(), &mut self.arena);
        }
        self.put_status_code(code);
        self.status = Some(NewStatus {
            payload: start..self.arena.len(),
            keeps_message: false,
        });
    }

    /// Sets the status code and keeps the message.
    pub fn set_status_code(&mut self, code: i32) {
        if let Some((_, Some(message))) = self.status() {
            let message = message.to_owned();
            return self.set_status(code, &message);
        }
        let start = self.arena.len();
        self.put_status_code(code);
        self.status = Some(NewStatus {
            payload: start..self.arena.len(),
            keeps_message: true,
        });
    }

    fn put_status_code(&mut self, code: i32) {
        if code != 0 {
            wire::put_number(3, i64::from(code) as u64, &mut self.arena);
        }
    }

    /// What the edits so far make of the attribute `key`.
    pub fn get(&self, key: &str) -> Edited<'_> {
        for op in self.ops.iter().rev() {
            match op {
                Op::Set { key: k, field } if self.at(k) == key.as_bytes() => {
                    if let Some(value) = attribute(self.at(field), key) {
                        return Edited::Set(value);
                    }
                }
                Op::Delete { key: k } if self.at(k) == key.as_bytes() => return Edited::Deleted,
                Op::Append { fields } => {
                    if let Some(value) = attribute(self.at(fields), key) {
                        return Edited::Set(value);
                    }
                }
                _ => {}
            }
        }
        Edited::Unchanged
    }

    /// The name, if it was set.
    pub fn name(&self) -> Option<&str> {
        let name = messages(self.at(self.name.as_ref()?), 5).next()?;
        std::str::from_utf8(name).ok()
    }

    /// The status code, if it was set, and the message, if that was too.
    pub fn status(&self) -> Option<(i32, Option<&str>)> {
        let status = self.status.as_ref()?;
        let (mut code, mut message) = (0, "");
        for field in WireFields::new(self.at(&status.payload)) {
            match field.value {
                WireValue::Varint(v) => code = v as i32,
                WireValue::Len(text) => message = std::str::from_utf8(text).unwrap_or_default(),
                _ => {}
            }
        }
        Some((code, (!status.keeps_message).then_some(message)))
    }

    fn at(&self, range: &Range<usize>) -> &[u8] {
        self.arena.get(range.clone()).unwrap_or_default()
    }

    /// Takes back what earlier edits said about `key`.
    fn forget(&mut self, key: &str) {
        let mut at = 0;
        while let Some(op) = self.ops.get(at) {
            match op {
                Op::Set { key: k, .. } | Op::Delete { key: k } => {
                    if self.at(k) == key.as_bytes() {
                        self.ops.remove(at);
                        continue;
                    }
                }
                Op::Append { fields } => {
                    let fields = fields.clone();
                    let found = WireFields::new(self.at(&fields))
                        .find(|f| f.bytes().is_some_and(|kv| has_key(kv, key.as_bytes())));
                    if let Some(found) = found {
                        let (cut, resume) = (fields.start + found.at, fields.start + found.end());
                        self.ops.remove(at);
                        for part in [resume..fields.end, fields.start..cut] {
                            if !part.is_empty() {
                                self.ops.insert(at, Op::Append { fields: part });
                            }
                        }
                        continue;
                    }
                }
            }
            at += 1;
        }
    }

    /// Whether an attribute of the base, a KeyValue payload, must go.
    fn removes(&self, key_value: &[u8]) -> bool {
        self.ops.iter().any(|op| match op {
            Op::Set { key, .. } | Op::Delete { key } => has_key(key_value, self.at(key)),
            Op::Append { .. } => false,
        })
    }

    /// Whether any attribute of the base may have to go.
    fn removes_any(&self) -> bool {
        self.ops.iter().any(|op| !matches!(op, Op::Append { .. }))
    }

    /// Bytes of added attributes.
    fn added(&self) -> usize {
        self.ops
            .iter()
            .map(|op| match op {
                Op::Set { field, .. } => field.len(),
                Op::Append { fields } => fields.len(),
                Op::Delete { .. } => 0,
            })
            .sum()
    }

    /// Appends the added attributes, encoded as fields with the key byte `tag`.
    fn put_added(&self, tag: u8, out: &mut Vec<u8>) {
        for op in &self.ops {
            let (Op::Set { field: fields, .. } | Op::Append { fields }) = op else {
                continue;
            };
            if tag == SPAN_ATTRIBUTE {
                out.extend_from_slice(self.at(fields));
            } else {
                for key_value in messages(self.at(fields), 9) {
                    out.push(tag);
                    wire::put_varint(key_value.len() as u64, out);
                    out.extend_from_slice(key_value);
                }
            }
        }
    }
}

/// Appends to `out` the field `ScopeSpans.spans` (tag, length, payload) of
/// the edited span.
pub fn write_span(span: &[u8], edits: &Edits, out: &mut Vec<u8>) {
    // Exact unless something is taken away or the status replaced, and so
    // nearly always as wide a length as the final one.
    let new_name = edits.name.as_ref().map_or(0, Range::len);
    let new_status = edits
        .status
        .as_ref()
        .map_or(0, |s| s.payload.len() + STATUS_FRAMING);
    let expected = span.len() + edits.added() + new_name + new_status;
    let reserved = wire::varint_len(expected as u64);
    out.reserve(1 + reserved + expected);
    out.push(SPAN);
    let at = out.len();
    out.resize(at + reserved, 0);

    if edits.removes_any() || edits.name.is_some() || edits.status.is_some() {
        let mut old_status = &[][..];
        keep(span, out, |field| match (field.number, field.bytes()) {
            (5, Some(_)) => edits.name.is_none(),
            (9, Some(key_value)) => !edits.removes(key_value),
            (15, Some(status)) if edits.status.is_some() => {
                old_status = status;
                false
            }
            _ => true,
        });
        if let Some(name) = &edits.name {
            out.extend_from_slice(edits.at(name));
        }
        if let Some(status) = &edits.status {
            wire::put_message(15, out, |out| {
                out.extend_from_slice(edits.at(&status.payload));
                let stays = |number| match number {
                    2 => status.keeps_message,
                    other => other != 3,
                };
                for field in WireFields::new(old_status).filter(|f| stays(f.number)) {
                    out.extend_from_slice(field.raw);
                }
            });
        }
    } else {
        out.extend_from_slice(span);
    }
    edits.put_added(SPAN_ATTRIBUTE, out);
    wire::close_len(at, reserved, out);
}

/// A Resource payload with `edits` applied to its attributes. A set name or
/// status does not concern a resource and is ignored.
pub fn edit_resource(resource: &[u8], edits: &Edits) -> Vec<u8> {
    let mut out = Vec::with_capacity(resource.len() + edits.added());
    keep(resource, &mut out, |field| {
        match (field.number, field.bytes()) {
            (1, Some(key_value)) => !edits.removes(key_value),
            _ => true,
        }
    });
    edits.put_added(RESOURCE_ATTRIBUTE, &mut out);
    out
}

/// Encodes one `attributes` field of a span (`4A…`) with a string value onto
/// `out`, as [`Edits::append_encoded`] takes it.
pub fn encode_span_attr(key: &str, value: &str, out: &mut Vec<u8>) {
    out.push(SPAN_ATTRIBUTE);
    let value_len = delimited(value.len());
    wire::put_varint((delimited(key.len()) + delimited(value_len)) as u64, out);
    wire::put_bytes(1, key.as_bytes(), out);
    wire::put_tag(2, WireType::Len, out);
    wire::put_varint(value_len as u64, out);
    wire::put_bytes(1, value.as_bytes(), out);
}

/// Length of a field with `len` bytes and a number below 16.
fn delimited(len: usize) -> usize {
    1 + wire::varint_len(len as u64) + len
}

/// Copies the fields that `wanted` wants, in as few pieces as possible. From
/// the first damage on, if there is any, everything is kept.
fn keep<'a>(
    message: &'a [u8],
    out: &mut Vec<u8>,
    mut wanted: impl FnMut(&wire::WireField<'a>) -> bool,
) {
    let mut from = 0;
    for field in WireFields::new(message) {
        if !wanted(&field) {
            out.extend_from_slice(message.get(from..field.at).unwrap_or_default());
            from = field.end();
        }
    }
    out.extend_from_slice(message.get(from..).unwrap_or_default());
}

fn has_key(key_value: &[u8], key: &[u8]) -> bool {
    // The key is nearly always the first field and short.
    if let Some((&[0x0a, len @ 0..0x80], rest)) = key_value.split_first_chunk() {
        return usize::from(len) == key.len() && rest.starts_with(key);
    }
    messages(key_value, 1).next().unwrap_or_default() == key
}

/// The value of `key` among encoded span attributes.
fn attribute<'a>(fields: &'a [u8], key: &str) -> Option<AnyValue<'a>> {
    messages(fields, 9)
        .find(|kv| has_key(kv, key.as_bytes()))
        .map(|kv| KeyValue::new(kv).value)
}
