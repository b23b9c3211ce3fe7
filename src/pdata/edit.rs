/*! stub */
/// Changes to one span (or resource): reusable scratch.
#[derive(Debug, Default)]
pub struct Edits {}
impl Edits {
    /// Forgets all edits and keeps the memory.
    pub fn clear(&mut self) {
        todo!()
    }
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// Sets a string attribute: replaces every attribute with that key.
    pub fn set_str(&mut self, _key: &str, _value: &str) {
        todo!()
    }
    /// Appends encoded `attributes` fields (tag 9, `4A…`) whose keys the caller knows to be absent.
    pub fn append_encoded(&mut self, _fields: &[u8]) {
        todo!()
    }
    /// Deletes every attribute with that key.
    pub fn delete(&mut self, _key: &str) {
        todo!()
    }
    /// Sets the span name.
    pub fn set_name(&mut self, _name: &str) {
        todo!()
    }
    /// Sets the status (code, message).
    pub fn set_status(&mut self, _code: i32, _message: &str) {
        todo!()
    }
}
/// Appends to `out` the field `ScopeSpans.spans` (tag, length, payload) of the edited span.
pub fn write_span(_span: &[u8], _edits: &Edits, _out: &mut Vec<u8>) {
    todo!()
}
/// A Resource payload with `edits` applied to its attributes.
pub fn edit_resource(_resource: &[u8], _edits: &Edits) -> Vec<u8> {
    todo!()
}
/// Encodes one `attributes` field of a span (`4A…`) with a string value onto `out`.
pub fn encode_span_attr(_key: &str, _value: &str, _out: &mut Vec<u8>) {
    todo!()
}
