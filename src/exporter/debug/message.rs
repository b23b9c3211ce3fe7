/*!
Reading a message by field numbers: absent fields read as protobuf's defaults.
*/

use crate::pdata::{
    AnyValue, KeyValue,
    wire::{WireFields, WireValue},
};

/// The payload of a message.
#[derive(Clone, Copy)]
pub(super) struct Message<'a>(pub(super) &'a [u8]);

impl<'a> Message<'a> {
    /// Iterates over the payloads of a nested or repeated field.
    pub(super) fn all(self, number: u32) -> impl Iterator<Item = &'a [u8]> {
        let fields = WireFields::new(self.0).filter(move |field| field.number == number);
        fields.filter_map(|field| field.bytes())
    }

    /// Iterates over nested messages.
    pub(super) fn messages(self, number: u32) -> impl Iterator<Item = Message<'a>> {
        self.all(number).map(Message)
    }

    /// Returns a nested message, empty if there is none.
    pub(super) fn message(self, number: u32) -> Message<'a> {
        Message(self.bytes(number))
    }

    /// Iterates over attributes.
    pub(super) fn attributes(self, number: u32) -> impl Iterator<Item = KeyValue<'a>> {
        self.all(number).map(KeyValue::new)
    }

    /// Returns an attribute value.
    pub(super) fn any(self, number: u32) -> AnyValue<'a> {
        let value = self.all(number).next();
        value.map_or(AnyValue::Empty, AnyValue::new)
    }

    /// Returns bytes.
    pub(super) fn bytes(self, number: u32) -> &'a [u8] {
        self.all(number).next().unwrap_or_default()
    }

    /// Returns text.
    pub(super) fn text(self, number: u32) -> &'a str {
        text_of(self.bytes(number))
    }

    /// Returns a number: a varint or of fixed width.
    pub(super) fn number(self, number: u32) -> u64 {
        let field = WireFields::new(self.0).find(|field| field.number == number);
        match field.map(|field| field.value) {
            Some(WireValue::Varint(value) | WireValue::Fixed64(value)) => value,
            Some(WireValue::Fixed32(value)) => value.into(),
            _ => 0,
        }
    }
}

/// Returns bytes as text, empty if they are not UTF-8.
pub(super) fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
