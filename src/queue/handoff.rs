/*!
The hand-off from shard threads to an exporter: bounded, lock-free, and awaited
without losing a wake-up or a batch. How, and why that holds, is in `protocol`.
*/

mod protocol;
#[cfg(test)]
mod tests;

pub(crate) use protocol::Full;
pub use protocol::Queue;

/// What the protocols are made of; `tests/loom` has others.
mod parts {
    pub(super) use crossbeam_queue::ArrayQueue;
    pub(super) use std::sync::atomic::{AtomicUsize, Ordering};
    pub(super) use tokio::sync::Notify;
}
