/*!
Buffers that the connections of one shard lend each other.

A connection needs one only while something of it is half read, half received
or half written, which is rarely; so none keeps one, idle connections hold
nothing, and busy ones allocate nothing.
*/

use std::cell::RefCell;

/// Buffers kept, and how large one may be to be kept: 2 MiB a shard at most.
const KEPT: usize = 32;
const LARGEST: usize = 64 << 10;

/// The buffers of one shard that no connection uses.
#[derive(Debug, Default)]
pub(crate) struct BufferPool(RefCell<Vec<Vec<u8>>>);

impl BufferPool {
    /// Returns an empty buffer, of any capacity.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes back a buffer that is no longer used. One that is too large, or one
    /// too many, is dropped.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == 0 || buffer.capacity() > LARGEST {
            return;
        }
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT {
            buffer.clear();
            kept.push(buffer);
        }
    }
}
