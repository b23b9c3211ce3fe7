/*! stub */
/// Splits a valid request in two with half of its spans each (order kept);
/// `None` when it has fewer than two spans.
pub fn halve(_request: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    todo!()
}
/// Number of spans in a valid request.
pub fn count_spans(_request: &[u8]) -> usize {
    todo!()
}
