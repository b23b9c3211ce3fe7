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

/// `sending_queue.batch` of an exporter. A pipeline makes the same batches for all of its
/// exporters, so that it is part of how the pipeline batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueBatch {
    /// `flush_timeout`: seal at this age.
    pub timeout: Duration,
    /// `min_size`: seal at so much.
    pub min: usize,
    /// `max_size`: never more than this. 0: no limit.
    pub max: usize,
    /// Sizes are in bytes, and else in items.
    pub in_bytes: bool,
}

impl BatchSettings {
    /// Seals as the exporters' queues ask: the earliest of them decides. With
    /// `has_processor` a batch processor has decided, and only upper limits count.
    pub(crate) fn for_queues<'a>(
        mut self,
        queues: impl IntoIterator<Item = &'a QueueBatch>,
        has_processor: bool,
    ) -> Self {
        let queues: Vec<_> = queues.into_iter().collect();
        let least = |size: fn(&QueueBatch) -> usize, in_bytes: bool| {
            let sizes = queues.iter().filter(|queue| queue.in_bytes == in_bytes);
            sizes
                .map(|queue| size(queue))
                .filter(|size| *size > 0)
                .min()
        };
        if !has_processor && let Some(timeout) = queues.iter().map(|queue| queue.timeout).min() {
            self.timeout = timeout;
            self.items = least(|queue| queue.min, false).unwrap_or(usize::MAX);
            self.bytes =
                least(|queue| queue.min, true).map_or(self.bytes, |min| min.min(self.bytes));
            // Nothing waits for company: what comes in a request goes out.
            if queues.iter().any(|queue| queue.min == 0) {
                self.timeout = Duration::ZERO;
            }
        }
        if let Some(max) = least(|queue| queue.max, false) {
            self.max_items = match self.max_items {
                0 => max,
                own => own.min(max),
            };
        }
        if let Some(max) = least(|queue| queue.max, true) {
            self.bytes = self.bytes.min(max);
        }
        self
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(min: usize, max: usize, in_bytes: bool) -> QueueBatch {
        QueueBatch {
            timeout: Duration::from_secs(1),
            min,
            max,
            in_bytes,
        }
    }

    #[test]
    fn queues_decide_where_no_processor_does() {
        let default = BatchSettings::default();
        let of = |queues: &[QueueBatch], has_processor| {
            let batch = BatchSettings::default().for_queues(queues, has_processor);
            (batch.items, batch.max_items, batch.bytes, batch.timeout)
        };
        let (ms, s) = (default.timeout, Duration::from_secs(1));
        let (items, bytes) = (default.items, default.bytes);
        assert_eq!(of(&[], false), (items, 0, bytes, ms));
        assert_eq!(of(&[queue(100, 300, false)], false), (100, 300, bytes, s));
        assert_eq!(of(&[queue(100, 300, false)], true), (items, 300, bytes, ms));
        assert_eq!(
            of(&[queue(5000, 9000, true)], false),
            (usize::MAX, 0, 5000, s)
        );
        assert_eq!(of(&[queue(5000, 9000, true)], true), (items, 0, 9000, ms));
        let (any, now) = (usize::MAX, Duration::ZERO);
        assert_eq!(of(&[queue(0, 0, false)], false), (any, 0, bytes, now));
        let both = [
            queue(100, 300, false),
            queue(50, 0, false),
            queue(7000, 0, true),
        ];
        assert_eq!(of(&both, false), (50, 300, 7000, s));
    }
}
