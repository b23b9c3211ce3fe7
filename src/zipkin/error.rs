/*! Why a list of Zipkin spans was refused. */

/// Why a list of Zipkin spans was refused: `place: reason`, such as
/// `[2].localEndpoint.port: invalid value: integer `70000`, expected a port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ZipkinError(pub(super) String);

impl ZipkinError {
    /// Makes the error of the span at `index` of the list.
    pub(super) fn of_span(index: usize, reason: impl std::fmt::Display) -> Self {
        Self(format!("[{index}]{reason}"))
    }
}
