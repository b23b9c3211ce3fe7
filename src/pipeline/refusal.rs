/*!
Why a request is refused.

A refusal is one value, which the wire turns into its own reply, and from whose kind
the codes, the counters and the log line follow.
*/

use crate::pdata::MalformedRequest;
use std::time::Duration;

/// Why a request was refused: nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of fault, from which each protocol derives its codes.
    pub(crate) kind: RefusalKind,
    /// Says what was wrong and what to do, for the sender's log and ours.
    pub(crate) message: String,
}

/// The kinds of refusals. What may be sent again has a time after which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// The data are at fault.
    Malformed,
    /// The request was not framed as its protocol demands.
    Misframed,
    /// A call that takes one message had none or several.
    MessageCount,
    /// The request, or what it inflates to, is over the limit.
    TooLarge,
    /// The request is compressed in a way that is not supported.
    UnsupportedCoding,
    /// The request's content type is not supported.
    UnsupportedContent,
    /// The request has no credentials.
    MissingCredentials,
    /// The request's credentials are not those of a user.
    WrongCredentials,
    /// Nothing is served under this path or method name.
    NotServed,
    /// The path is served, but not with this HTTP method.
    MethodNotAllowed,
    /// Something that the request names does not exist.
    NotFound,
    /// gRPC came over HTTP/1.1.
    GrpcOverHttp1,
    /// Another protocol came to the port of gRPC.
    NotGrpc,
    /// An OTLP/HTTP request came to the port of gRPC.
    HttpOnGrpcPort,
    /// A gRPC request came to a port of plain HTTP.
    GrpcOnHttpPort,
    /// The sender stopped sending in the middle of the request.
    Stalled,
    /// The sender gave the request up.
    Cancelled,
    /// There is no room for the request now.
    Busy {
        /// How long the sender should wait before it tries again.
        retry_after: Duration,
    },
    /// The process is shutting down.
    Unavailable {
        /// How long the sender should wait before it tries another replica.
        retry_after: Duration,
    },
    /// A bug in wayspan showed while it took the request.
    Failed,
}

/// How long a sender should wait before it sends again what was not taken or not delivered.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long a sender should wait that meets a shutdown: long enough for another
/// replica to be found.
const SHUTDOWN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long a sender should wait that meets too many requests under way.
const CROWDED_RETRY_AFTER: Duration = Duration::from_secs(1);

impl RefusalKind {
    /// Returns how long the sender should wait before it sends the request
    /// again; None: it must not.
    pub(crate) fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } | Self::Unavailable { retry_after } => Some(retry_after),
            _ => None,
        }
    }
}

impl Refusal {
    /// Makes a refusal of that kind.
    pub(crate) fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Refuses data that are at fault.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Malformed, message)
    }

    /// Refuses what the walk did not admit: bytes that are wrong, or more of them
    /// than a limit allows.
    pub(crate) fn not_admitted(malformed: MalformedRequest) -> Self {
        match malformed.reason.is_limit() {
            true => Self::new(
                RefusalKind::TooLarge,
                format!(
                    "{malformed}; how much one request may take in memory follows from the limit \
                     of memory_limiter: send fewer items at a time, or raise it"
                ),
            ),
            false => Self::malformed(malformed.to_string()),
        }
    }

    /// Refuses for want of room.
    pub fn busy(retry_after: Duration, message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Busy { retry_after }, message)
    }

    /// Refuses because too many things of a kind are under way; `message` says
    /// which.
    pub(crate) fn crowded(message: &'static str) -> Self {
        Self::busy(CROWDED_RETRY_AFTER, message)
    }

    /// Refuses because the process is shutting down.
    pub fn unavailable() -> Self {
        let retry_after = SHUTDOWN_RETRY_AFTER;
        Self::new(
            RefusalKind::Unavailable { retry_after },
            "shutting down; send again to another replica",
        )
    }

    /// Refuses because of a bug in wayspan.
    pub(crate) fn failed() -> Self {
        Self::new(
            RefusalKind::Failed,
            "wayspan failed over this request, which is a bug; its log has more",
        )
    }
}
