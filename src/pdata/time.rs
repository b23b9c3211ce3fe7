/*! Times, as OTLP has them. */

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970; 0 for a time before it.
pub(crate) fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
