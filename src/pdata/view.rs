/*! stub */
use super::{Index, Slot, SpanEntry};
/// An attribute value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AnyValue<'a> {
    /// No value.
    Empty,
    /// string_value
    String(&'a str),
    /// bool_value
    Bool(bool),
    /// int_value
    Int(i64),
    /// double_value
    Double(f64),
    /// array_value, its payload
    Array(&'a [u8]),
    /// kvlist_value, its payload
    KvList(&'a [u8]),
    /// bytes_value
    Bytes(&'a [u8]),
    /// string_value_strindex (profiles only)
    StringIndex(i32),
}
/// A key and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyValue<'a> {
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: AnyValue<'a>,
}
/// A borrowed span payload of canonical bytes.
#[derive(Clone, Copy, Debug)]
pub struct SpanView<'a> {
    bytes: &'a [u8],
}
impl<'a> SpanView<'a> {
    /// Views a span payload.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
    /// Name.
    pub fn name(&self) -> &'a str {
        let _ = self.bytes;
        todo!()
    }
    /// Attributes in wire order.
    pub fn attributes(&self) -> impl Iterator<Item = KeyValue<'a>> {
        std::iter::empty()
    }
}
/// The string value of an indexed attribute as bytes; None if absent or not a string.
pub fn indexed_str<'a>(_request: &'a [u8], _span: &SpanEntry, _slot: Slot) -> Option<&'a [u8]> {
    todo!()
}
/// Attributes of a Resource payload.
pub fn resource_attributes(_resource: &[u8]) -> impl Iterator<Item = KeyValue<'_>> {
    std::iter::empty()
}
#[allow(unused)]
fn _x(_: &Index) {}
