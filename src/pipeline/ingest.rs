/*!
What a receiver may ask of the pipelines: to take a request, and to say when it
may be answered.

Taking is one synchronous call that answers *taken* or refuses; nobody asks for
room first. A refusal is one value, which the wire turns into its own reply.
*/

use crate::pdata::Signal;
use std::{
    net::IpAddr,
    task::{Context, Poll},
    time::Duration,
};

/// A request that was taken, whole or but for some faulty items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Items that were dropped for a fault of their own and must not be sent
    /// again.
    pub rejected: u64,
    /// What was wrong with the first of them, for the sender's log; else empty.
    pub message: String,
    /// What the answer must wait for; None: nothing.
    pub stored: Option<Ticket>,
}

/// Why a request was refused: nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of fault it is, from which each protocol derives its codes.
    pub kind: RefusalKind,
    /// For the sender's log: what was wrong and what to do.
    pub message: String,
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The data are at fault: INVALID_ARGUMENT, 400. Never to be sent again.
    Malformed,
    /// No room now: RESOURCE_EXHAUSTED with RetryInfo, 429 with Retry-After.
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// The process ends: UNAVAILABLE, 503.
    Unavailable,
    /// A bug showed over it: INTERNAL, 500.
    Failed,
}

impl Refusal {
    /// The data are at fault.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self {
            kind: RefusalKind::Malformed,
            message: message.into(),
        }
    }

    /// No room now.
    pub fn busy(retry_after: Duration, message: impl Into<String>) -> Self {
        Self {
            kind: RefusalKind::Busy { retry_after },
            message: message.into(),
        }
    }

    /// The process is shutting down.
    pub fn unavailable() -> Self {
        Self {
            kind: RefusalKind::Unavailable,
            message: "shutting down; send again to another replica".to_owned(),
        }
    }

    /// A bug of wayspan's own.
    pub fn failed() -> Self {
        Self {
            kind: RefusalKind::Failed,
            message: "wayspan failed over this request, which is a bug; its log has more"
                .to_owned(),
        }
    }
}

/// Where a receiver puts requests: the pipelines of a shard that have it.
pub trait Ingest {
    /// Whether some pipeline wants requests of this signal.
    fn takes(&self, signal: Signal) -> bool {
        signal == Signal::Traces
    }

    /// Takes one OTLP export request in protobuf. Synchronous: it validates,
    /// edits and appends to the open batch. `peer` is who sent it.
    ///
    /// # Errors
    ///
    /// When nothing of the request was taken.
    fn take(&self, signal: Signal, request: &[u8], peer: IpAddr) -> Result<Taken, Refusal>;

    /// Whether what `ticket` stands for is in the segment log, or is held in
    /// memory as far as it ever will be; else wakes the task when it is.
    fn poll_stored(&self, _ticket: Ticket, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// A moment in a shard's life, in order: everything taken before it may be
/// answered once it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);
