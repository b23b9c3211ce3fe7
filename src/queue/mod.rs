/*!
Sealed batches and their hand-off from shards to exporters.

What crosses threads is a [`SealedBatch`], never a span. Each exporter has one
bounded lock-free [`Queue`]; a batch for several exporters is shared, not
copied. Bytes held anywhere after sealing are counted against one [`Budget`]. What
is to survive the process goes to a [`log`].
*/

mod budget;
mod handoff;
pub mod log;

pub use budget::{Budget, Lease};
pub use handoff::{Full, Queue};

use bytes::Bytes;

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
}
