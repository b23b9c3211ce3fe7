/*!
Reading a message by field numbers: absent fields read as protobuf's defaults.
*/

use super::{
    view::{AnyValue, KeyValue},
    wire::{WireFields, WireValue},
};

/// The payload of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a>(pub(crate) &'a [u8]);

impl<'a> Message<'a> {
    /// Iterates over the payloads of a nested or repeated field.
    pub(crate) fn all(self, number: u32) -> impl Iterator<Item = &'a [u8]> {
        let fields = WireFields::new(self.0).filter(move |field| field.number == number);
        fields.filter_map(|field| field.bytes())
    }

    /// Iterates over nested messages.
    pub(crate) fn messages(self, number: u32) -> impl Iterator<Item = Message<'a>> {
        self.all(number).map(Message)
    }

    /// Returns a nested message, empty if there is none.
    pub(crate) fn message(self, number: u32) -> Message<'a> {
        Message(self.bytes(number))
    }

    /// Iterates over attributes.
    pub(crate) fn attributes(self, number: u32) -> impl Iterator<Item = KeyValue<'a>> {
        self.all(number).map(KeyValue::new)
    }

    /// Returns an attribute value.
    pub(crate) fn any(self, number: u32) -> AnyValue<'a> {
        let value = self.all(number).next();
        value.map_or(AnyValue::Empty, AnyValue::new)
    }

    /// Returns bytes.
    pub(crate) fn bytes(self, number: u32) -> &'a [u8] {
        self.all(number).next().unwrap_or_default()
    }

    /// Returns text.
    pub(crate) fn text(self, number: u32) -> &'a str {
        text_of(self.bytes(number))
    }

    /// Returns a number: a varint or of fixed width.
    pub(crate) fn number(self, number: u32) -> u64 {
        let field = WireFields::new(self.0).find(|field| field.number == number);
        match field.map(|field| field.value) {
            Some(WireValue::Varint(value) | WireValue::Fixed64(value)) => value,
            Some(WireValue::Fixed32(value)) => value.into(),
            _ => 0,
        }
    }
}

/// Returns bytes as text, empty if they are not UTF-8.
pub(crate) fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
