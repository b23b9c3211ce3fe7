/*! How a pipeline batches. */

use crate::config::Id;
use std::time::Duration;

/// When a batch is sealed. The default is that of the `batch` processor, which
/// holds for a pipeline without one too: items are always batched, since one batch
/// per request would undo the design.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchSettings {
    /// The id of the processor, as metrics show it.
    pub id: Id,
    /// `send_batch_size`: seal at this many items. Default 8192.
    pub items: usize,
    /// Seal at this many bytes. Default 3 MiB: Jaeger's gRPC receiver takes 4 MiB
    /// by default, and headers need room.
    pub bytes: usize,
    /// `timeout`: seal at this age. Default 200 ms.
    pub timeout: Duration,
    /// `send_batch_max_size`: never more items than this in one batch. 0: no limit.
    pub max_items: usize,
    /// `max_expansion`: how many times the bytes of a request may go out for it. A
    /// resource is written again for each scope, name and batch, so without a
    /// limit 14 kB on the wire made 3.8 GiB.
    pub max_expansion: u32,
}

impl BatchSettings {
    /// Returns how many items make a batch full: the lower of the two that is set.
    pub(super) fn most_items(&self) -> usize {
        let sizes = [self.items, self.max_items];
        let least = sizes.into_iter().filter(|n| *n > 0).min();
        least.unwrap_or(usize::MAX)
    }
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            id: Id::of("batch"),
            items: 8192,
            bytes: 3 << 20,
            timeout: Duration::from_millis(200),
            max_items: 0,
            max_expansion: 8,
        }
    }
}
