/*! What both directions share: how they refuse, and how deep they go. */

/// Deepest nesting of messages, the request itself not counted. prost takes 100.
pub(super) const MAX_DEPTH: usize = 99;

/// Why OTLP/JSON was refused: `path: reason`, such as
/// `resourceSpans[0].scopeSpans[0].spans[2].traceId: not hexadecimal`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(pub String);
