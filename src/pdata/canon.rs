/*! stub */
/// What [`repair`] made.
#[derive(Debug)]
pub struct Repaired {
    /// Canonical bytes with the same meaning.
    pub bytes: Vec<u8>,
    /// Strings in which invalid UTF-8 was replaced.
    pub utf8_replaced: u64,
}
/// Rewrites valid bytes canonically.
pub fn repair(_request: &[u8]) -> Repaired {
    todo!()
}
