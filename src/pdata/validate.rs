/*! stub */
use super::{Index, Keys};
/// Why a request's framing was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason} at byte {offset}")]
pub struct Malformed {
    /// Byte offset in the request.
    pub offset: usize,
    /// The message or field, such as `ResourceSpans.scope_spans`.
    pub path: &'static str,
    /// What is wrong there.
    pub reason: &'static str,
}
/// Walks `request` and fills `index`.
///
/// # Errors
/// When prost would refuse the bytes.
pub fn validate(_request: &[u8], _keys: &Keys, _index: &mut Index) -> Result<(), Malformed> {
    todo!()
}
