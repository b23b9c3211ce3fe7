/*! The way to the spans of a request, top level only. */

use wayspan::pdata::wire::Fields;

/// Length-delimited fields with this number.
fn inside(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields::new(message)
        .filter(move |field| field.number == number)
        .filter_map(|field| field.bytes())
}

/// The `ResourceSpans` of a request.
pub fn resource_spans(request: &[u8]) -> impl Iterator<Item = &[u8]> {
    inside(request, 1)
}

/// The `ScopeSpans` of a `ResourceSpans`.
pub fn scope_spans(resource_spans: &[u8]) -> impl Iterator<Item = &[u8]> {
    inside(resource_spans, 2)
}

/// The payloads of the spans of a `ScopeSpans`.
pub fn spans(scope_spans: &[u8]) -> impl Iterator<Item = &[u8]> {
    inside(scope_spans, 2)
}

/// All spans of a request.
pub fn all_spans(request: &[u8]) -> impl Iterator<Item = &[u8]> {
    resource_spans(request)
        .flat_map(scope_spans)
        .flat_map(spans)
}

/// A span's id.
pub fn span_id(span: &[u8]) -> &[u8] {
    inside(span, 2).next().unwrap_or_default()
}

/// A span's trace id.
pub fn trace_id(span: &[u8]) -> &[u8] {
    inside(span, 1).next().unwrap_or_default()
}
