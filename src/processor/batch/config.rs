/*! The keys of `batch`. */

use crate::{
    config::{Id, KeyReader},
    pipeline::BatchSettings,
    processor::ProcessorRole,
};
use std::ops::RangeInclusive;

/// Bytes at which a batch may be sealed.
const BYTES: RangeInclusive<u64> = 4096..=64 << 20;

pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let default = BatchSettings::default();
    let size = keys.or(
        "send_batch_size",
        default.items as u32,
        "send at this many items; 0: only time and bytes decide",
    );
    let timeout = keys.or("timeout", default.timeout, "send at this age");
    let max = keys.or(
        "send_batch_max_size",
        0_u32,
        "never more items than this in one batch, and not less than `send_batch_size`; 0: no limit",
    );
    let bytes = keys.or(
        "send_batch_max_bytes",
        default.bytes as u64,
        "send at this many bytes; Jaeger's gRPC limit is 4 MiB (wayspan's own key)",
    );
    let expansion = keys.or(
        "max_expansion",
        default.max_expansion,
        "refuse a request for which more than so many times its bytes, and 256 KiB, would go out: \
         its resources are written again for each name and batch (wayspan's own key)",
    );
    keys.ignored(&["metadata_keys", "metadata_cardinality_limit"]);
    let cx = keys.reading();
    let items = match size.value {
        0 => usize::MAX,
        items => items as usize,
    };
    let max_items = max.value as usize;
    if max_items > 0 && size.value > 0 && max_items < items {
        let message = format!("{max_items} is less than send_batch_size, which is {items}");
        cx.error(max.spot, &message);
    }
    if !BYTES.contains(&bytes.value) {
        let message = format!("{} is not between 4096 bytes and 64 MiB", bytes.value);
        cx.error(bytes.spot, &message);
    }
    Some(ProcessorRole::Batch(BatchSettings {
        id: id.clone(),
        items,
        bytes: usize::try_from(bytes.value).unwrap_or(default.bytes),
        timeout: timeout.value,
        max_items,
        max_expansion: expansion.value.max(1),
    }))
}
