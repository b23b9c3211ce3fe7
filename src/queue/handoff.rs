/*! stub: bounded lock-free queue (crossbeam ArrayQueue) with an async, wake-safe pop. */
use super::SealedBatch;
use std::sync::Arc;
/// The queue had no room; the batch comes back.
#[derive(Debug)]
pub struct Full(pub Arc<SealedBatch>);
/// A bounded queue of sealed batches, many producers, many consumers.
#[derive(Debug)]
pub struct Queue {}
impl Queue {
    /// A queue for `capacity` batches (at least 1).
    pub fn new(_capacity: usize) -> Self {
        todo!()
    }
    /// Adds a batch, or gives it back when full or closed. Never blocks.
    pub fn push(&self, _batch: Arc<SealedBatch>) -> Result<(), Full> {
        todo!()
    }
    /// Next batch in order; waits. None once closed and empty.
    pub async fn pop(&self) -> Option<Arc<SealedBatch>> {
        todo!()
    }
    /// No more batches will come; wakes all consumers.
    pub fn close(&self) {
        todo!()
    }
    /// Batches waiting.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Room in batches.
    pub fn capacity(&self) -> usize {
        todo!()
    }
}
