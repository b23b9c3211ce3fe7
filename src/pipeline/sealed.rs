/*! A sealed batch: what crosses threads. */

use super::BatchResult;
use crate::{
    pdata::Signal,
    queue::{
        Lease,
        log::{LaneId, Seq},
    },
};
use bytes::Bytes;
use std::{ops::Range, sync::Arc};

/// An OTLP export request, ready to send.
#[derive(Debug)]
pub struct SealedBatch {
    /// Which request it is.
    pub signal: Signal,
    /// The request's bytes in order, in a few pieces so that large groups are
    /// not copied again to be joined.
    pub chunks: Vec<Bytes>,
    /// Sum of the pieces.
    pub bytes: usize,
    /// Items inside, as [`Signal`] counts them.
    pub items: u32,
    /// Returns the bytes to the budget when the last holder lets go.
    pub lease: Lease,
    /// Where senders hear whether it was delivered; None: none of them waits for that.
    pub result: Option<Arc<BatchResult>>,
    /// Where the segment log has it; None: the pipeline has no log.
    pub position: Option<LogPosition>,
}

/// Records of a segment log that are one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// The lane they stand in.
    pub(crate) lane: LaneId,
    /// Their numbers.
    pub(crate) records: Range<Seq>,
    /// Some of the batch was never given to the log.
    pub(crate) gap: bool,
}
