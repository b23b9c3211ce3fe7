/*!
What may be wrong with a connection or a stream, in HTTP/2's words.
*/

use std::fmt;

/// An error code (RFC 9113, 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ErrorCode {
    /// No error.
    None = 0,
    /// The protocol was not kept.
    Protocol = 1,
    /// More was sent than the windows allow.
    FlowControl = 3,
    /// Settings were not acknowledged in time.
    SettingsTimeout = 4,
    /// A frame came for a stream that is over.
    StreamClosed = 5,
    /// A frame has a length that it cannot have.
    FrameSize = 6,
    /// Not processed: may be sent again.
    RefusedStream = 7,
    /// The header compression's state is lost.
    Compression = 9,
    /// Too much that leads to nothing.
    EnhanceYourCalm = 11,
}

/// What ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H2Failure {
    /// Its code.
    pub(crate) reason: ErrorCode,
    /// For people; it travels with GOAWAY.
    pub(crate) why: &'static str,
}

impl fmt::Display for H2Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.reason, self.why)
    }
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameFault {
    /// The connection cannot go on.
    Connection(H2Failure),
    /// The stream cannot.
    Stream(u32, ErrorCode),
}

/// A fault of the connection.
pub(crate) fn fatal(reason: ErrorCode, why: &'static str) -> FrameFault {
    FrameFault::Connection(H2Failure { reason, why })
}
