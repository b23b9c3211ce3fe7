/*!
A message under edit: its fields, and its attributes as a map.

The message is copied once into a buffer, and indexed; what is set is appended to that buffer. A message that was not changed is
written as it came. Attributes keep the order and the rules of the Collector's map: the first of a key counts, a
removed one gives its place to the last.
*/

use crate::pdata::{
    Runs, key_value,
    wire::{self, WireFields, WireType, WireValue, put_bytes, put_message, put_tag},
};
use std::ops::Range;

/// Memory that a record keeps from message to message.
const KEPT: usize = 1 << 20;

/// Which message it is, as far as it matters here: the number of its `attributes` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Resource = 1,
    Scope = 3,
    Span = 9,
}

impl Shape {
    /// An event of a span has its attributes where a scope has them.
    pub(crate) const EVENT: Self = Self::Scope;
    /// A `KeyValueList`.
    pub(crate) const MAP: Self = Self::Resource;
}

/// A field other than the attributes.
#[derive(Clone, Debug)]
struct Field {
    number: u32,
    /// Key and value.
    raw: Range<usize>,
}

/// An attribute: places in the buffer.
#[derive(Clone, Debug)]
struct Attribute {
    key: Range<usize>,
    /// Payload of its `AnyValue`.
    value: Range<usize>,
    /// The whole field as it came; empty when it was set anew.
    raw: Range<usize>,
}

/// A message under edit.
#[derive(Debug)]
pub(crate) struct Record {
    shape: Shape,
    bytes: Vec<u8>,
    /// So many bytes are the message as it came.
    base: usize,
    fields: Vec<Field>,
    attributes: Vec<Attribute>,
    is_changed: bool,
}

impl Record {
    /// Makes an empty message.
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            shape,
            bytes: Vec::new(),
            base: 0,
            fields: Vec::new(),
            attributes: Vec::new(),
            is_changed: false,
        }
    }

    /// Takes up a message in place of the one before.
    pub(crate) fn load(&mut self, payload: &[u8]) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.bytes.extend_from_slice(payload);
        self.base = payload.len();
        self.is_changed = false;
        self.fields.clear();
        self.attributes.clear();
        for field in WireFields::new(payload) {
            let raw = field.at..field.end();
            match field.value {
                WireValue::Len(pair) if field.number == self.shape as u32 => {
                    let start = raw.end - pair.len();
                    let (key, value) = key_value(pair);
                    self.attributes.push(Attribute {
                        key: start + key.start..start + key.end,
                        value: start + value.start..start + value.end,
                        raw,
                    });
                }
                _ => self.fields.push(Field {
                    number: field.number,
                    raw,
                }),
            }
        }
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Bytes that it holds: what it grew to.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    fn at(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// The values of the fields with this number.
    pub(crate) fn fields(&self, number: u32) -> impl Iterator<Item = WireValue<'_>> {
        let fields = self.fields.iter().filter(move |f| f.number == number);
        fields.filter_map(|field| Some(WireFields::new(self.at(&field.raw)).next()?.value))
    }

    /// The bytes of a field; empty where it is absent.
    pub(super) fn bytes(&self, number: u32) -> &[u8] {
        match self.fields(number).next() {
            Some(WireValue::Len(bytes)) => bytes,
            _ => &[],
        }
    }

    /// The number in a field; 0 where it is absent.
    pub(super) fn number(&self, number: u32) -> u64 {
        match self.fields(number).next() {
            Some(WireValue::Varint(n) | WireValue::Fixed64(n)) => n,
            Some(WireValue::Fixed32(n)) => u64::from(n),
            _ => 0,
        }
    }

    fn set(&mut self, number: u32, is_default: bool, write: impl FnOnce(&mut Vec<u8>)) {
        self.is_changed = true;
        self.fields.retain(|field| field.number != number);
        if !is_default {
            let start = self.bytes.len();
            write(&mut self.bytes);
            let raw = start..self.bytes.len();
            self.fields.push(Field { number, raw });
        }
    }

    pub(super) fn set_bytes(&mut self, number: u32, bytes: &[u8]) {
        self.set(number, bytes.is_empty(), |out| {
            put_bytes(number, bytes, out)
        });
    }

    pub(super) fn set_varint(&mut self, number: u32, value: u64) {
        self.set(number, value == 0, |out| {
            wire::put_number(number, value, out);
        });
    }

    pub(super) fn set_fixed64(&mut self, number: u32, value: u64) {
        self.set(number, value == 0, |out| {
            wire::put_fixed64(number, value, out);
        });
    }

    pub(super) fn set_fixed32(&mut self, number: u32, value: u32) {
        self.set(number, value == 0, |out| {
            put_tag(number, WireType::Fixed32, out);
            out.extend_from_slice(&value.to_le_bytes());
        });
    }

    /// The first field with this number at `position` or behind it: where it is, and its payload.
    pub(crate) fn message_from(&self, number: u32, position: usize) -> Option<(usize, &[u8])> {
        let mut fields = self.fields.iter().enumerate().skip(position);
        let (at, field) = fields.find(|(_, field)| field.number == number)?;
        let field = WireFields::new(self.at(&field.raw)).next();
        Some((
            at,
            field.and_then(|field| field.bytes()).unwrap_or_default(),
        ))
    }

    /// Replaces the field at a position by a message whose payload `write` appends.
    pub(crate) fn replace_message(&mut self, position: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(field) = self.fields.get_mut(position) {
            let start = self.bytes.len();
            put_message(field.number, &mut self.bytes, write);
            field.raw = start..self.bytes.len();
            self.is_changed = true;
        }
    }

    /// Takes the field at a position away; others keep their positions.
    pub(crate) fn take_message(&mut self, position: usize) {
        if let Some(field) = self.fields.get_mut(position) {
            // No number of a field, and nothing to write.
            *field = Field {
                number: 0,
                raw: 0..0,
            };
            self.is_changed = true;
        }
    }

    /// How many attributes it has.
    pub(super) fn len(&self) -> usize {
        self.attributes.len()
    }

    /// Keys and payloads of values.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let attributes = self.attributes.iter();
        attributes.map(|attribute| (self.at(&attribute.key), self.at(&attribute.value)))
    }

    /// The payload of the value at a position.
    pub(super) fn value_at(&self, position: usize) -> Option<&[u8]> {
        Some(self.at(&self.attributes.get(position)?.value))
    }

    /// Where the first attribute with a key is.
    pub(super) fn position(&self, key: &[u8]) -> Option<usize> {
        let mut attributes = self.attributes.iter();
        attributes.position(|attribute| self.at(&attribute.key) == key)
    }

    /// The payload of the value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        let attribute = self.attributes.get(self.position(key.as_bytes())?)?;
        Some(self.at(&attribute.value))
    }

    /// Sets a key to a value, of which `write` appends the payload.
    pub(super) fn put<E>(
        &mut self,
        key: &str,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.is_changed = true;
        match self.position(key.as_bytes()) {
            Some(position) => self.put_at(position, write),
            None => self.push(key, write),
        }
    }

    /// Adds a key that is not there yet. It is added without a value where that fails.
    pub(super) fn push<E>(
        &mut self,
        key: &str,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.is_changed = true;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key.as_bytes());
        self.attributes.push(Attribute {
            key: start..start + key.len(),
            value: 0..0,
            raw: 0..0,
        });
        self.put_at(self.attributes.len() - 1, write)
    }

    /// Sets the value at a position. Where that fails, the value is left as it was.
    pub(super) fn put_at<E>(
        &mut self,
        position: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        let written = write(&mut self.bytes);
        if written.is_err() {
            self.bytes.truncate(start);
            return written;
        }
        let end = self.bytes.len();
        if let Some(attribute) = self.attributes.get_mut(position) {
            attribute.value = start..end;
            attribute.raw = 0..0;
            self.is_changed = true;
        }
        Ok(())
    }

    /// Removes the first attribute with a key; the last takes its place.
    pub(super) fn remove(&mut self, key: &str) {
        if let Some(position) = self.position(key.as_bytes()) {
            self.attributes.swap_remove(position);
            self.is_changed = true;
        }
    }

    /// Keeps the attributes of which `keeps` is true, in order.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(&[u8], &[u8]) -> bool) {
        let before = self.attributes.len();
        let bytes = &self.bytes;
        let at = |range: &Range<usize>| bytes.get(range.clone()).unwrap_or_default();
        self.attributes.retain(|a| keeps(at(&a.key), at(&a.value)));
        self.is_changed |= self.attributes.len() != before;
    }

    /// Removes all attributes.
    pub(super) fn clear_attributes(&mut self) {
        self.is_changed |= !self.attributes.is_empty();
        self.attributes.clear();
    }

    /// Appends the message as it is now.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if !self.is_changed {
            out.extend_from_slice(self.at(&(0..self.base)));
            return;
        }
        let mut runs = Runs::new(&self.bytes);
        for field in &self.fields {
            runs.push(field.raw.clone(), out);
        }
        runs.flush(out);
        self.write_attributes(self.shape as u32, out);
    }

    /// Appends the attributes as the fields `number`.
    pub(super) fn write_attributes(&self, number: u32, out: &mut Vec<u8>) {
        let mut runs = Runs::new(&self.bytes);
        for attribute in &self.attributes {
            if !attribute.raw.is_empty() && number == self.shape as u32 {
                runs.push(attribute.raw.clone(), out);
                continue;
            }
            runs.flush(out);
            put_message(number, out, |out| {
                put_bytes(1, self.at(&attribute.key), out);
                put_bytes(2, self.at(&attribute.value), out);
            });
        }
        runs.flush(out);
    }
}
