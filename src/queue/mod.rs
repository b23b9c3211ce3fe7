/*!
Sealed batches and their hand-off from shards to exporters.

What crosses threads is a [`SealedBatch`], never a span. Each exporter has one
bounded lock-free [`Queue`]; a batch for several exporters is shared, not
copied. The way from a pipeline to an exporter is a [`Route`]: it keeps the
[`Account`] of what became of every span, and stands before the exporter's part
of the segment [`log`]. Bytes held anywhere are counted against one [`Budget`].
*/

mod account;
mod budget;
mod handoff;
pub mod log;
mod route;
mod shelf;

pub use account::{Account, Balance, Reason, Taken};
pub use budget::{Budget, Lease, purse};
pub use handoff::{Full, Queue};
pub use route::{Logged, Offer, Parcel, Route};
pub use shelf::Shelf;

use bytes::Bytes;
use log::{LaneId, Seq};
use std::ops::Range;

/// An OTLP `ExportTraceServiceRequest`, ready to send.
#[derive(Debug)]
pub struct SealedBatch {
    /// The request's bytes in order, in a few pieces so that large groups are
    /// not copied again to be joined.
    pub chunks: Vec<Bytes>,
    /// Sum of the pieces.
    pub bytes: usize,
    /// Spans inside.
    pub spans: u32,
    /// Returns the bytes to the budget when the last holder lets go.
    pub lease: Lease,
    /// Where the segment log has it; None: the pipeline has no log.
    pub place: Option<Place>,
}

/// Records of a segment log that are one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The lane they stand in.
    pub lane: LaneId,
    /// Their numbers.
    pub records: Range<Seq>,
    /// Some of the batch was never given to the log.
    pub gap: bool,
}
