/*!
Memory that the requests of one shard use in turn, and how much of it bodies
hold that have not come whole.

Buffers are taken out and given back, never borrowed across a call: pipelines
run in between, and what they call may come here again.
*/

use crate::{net::buffers::BufferPool, queue::ShardBudget};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// An inflated body of up to this size is room kept for the next one.
const KEEP_INFLATED: usize = 1 << 20;

/// How many bodies of the largest allowed size may be half-received on one
/// shard at once.
const HALF_RECEIVED: usize = 4;

/// What the requests of one shard share.
#[derive(Debug)]
pub struct Scratch {
    /// Buffers for what is half read, half received or half written.
    pub(crate) pool: BufferPool,
    read: RefCell<Vec<u8>>,
    inflated: RefCell<Vec<u8>>,
    half_received: Cell<usize>,
    budget: Rc<ShardBudget>,
}

impl Scratch {
    /// Makes the scratch of a shard whose bodies count against `budget`.
    pub fn new(budget: Rc<ShardBudget>) -> Self {
        Self {
            pool: BufferPool::default(),
            read: RefCell::default(),
            inflated: RefCell::default(),
            half_received: Cell::new(0),
            budget,
        }
    }

    /// Makes the scratch of a shard whose budget has no limit.
    pub fn unlimited() -> Rc<Self> {
        Rc::new(Self::new(Rc::new(ShardBudget::unlimited())))
    }

    /// Takes the buffer that sockets are read into, at least `size` long.
    pub(crate) fn take_read_buffer(&self, size: usize) -> Vec<u8> {
        let mut buffer = self.read.take();
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        buffer
    }

    /// Gives back the buffer that sockets are read into.
    pub(crate) fn give_read_buffer(&self, buffer: Vec<u8>) {
        self.read.replace(buffer);
    }

    /// Takes the empty buffer that bodies are inflated into.
    pub(crate) fn take_inflate_buffer(&self) -> Vec<u8> {
        self.inflated.take()
    }

    /// Gives back the buffer that bodies are inflated into. One that has grown
    /// large is dropped.
    pub(crate) fn give_inflate_buffer(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= KEEP_INFLATED {
            buffer.clear();
            self.inflated.replace(buffer);
        }
    }
}

/// A share of the shard's budget for half-received bodies, and of what the
/// process may hold at all. Dropping it gives it back.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    bytes: usize,
    scratch: Option<Rc<Scratch>>,
}

impl Charge {
    /// Raises the share to `bytes`, where one body may have `limit`. Returns
    /// false, and changes nothing, if the shard would hold too much.
    #[must_use]
    pub(crate) fn raise_to(&mut self, bytes: usize, limit: usize, scratch: &Rc<Scratch>) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let held = scratch.half_received.get().saturating_add(more);
        if held > limit.saturating_mul(HALF_RECEIVED) || !scratch.budget.hold(more) {
            return false;
        }
        scratch.half_received.set(held);
        self.scratch.get_or_insert_with(|| Rc::clone(scratch));
        self.bytes += more;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(scratch) = &self.scratch {
            let left = scratch.half_received.get().saturating_sub(self.bytes);
            scratch.half_received.set(left);
            scratch.budget.release(self.bytes);
        }
    }
}

/// Makes room in `joined` for `piece` more bytes of a body that may have `most`
/// in all: it doubles, but not past that.
pub(crate) fn grow(joined: &mut Vec<u8>, piece: usize, most: usize) {
    let needed = joined.len().saturating_add(piece);
    if joined.capacity() < needed {
        let target = needed.max(joined.capacity().saturating_mul(2).min(most));
        joined.reserve_exact(target.saturating_sub(joined.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_back() {
        let scratch = Scratch::unlimited();
        let mut charge = Charge::default();
        assert!(charge.raise_to(30, 10, &scratch));
        let mut second = Charge::default();
        assert!(!second.raise_to(11, 10, &scratch));
        assert!(second.raise_to(10, 10, &scratch));
        drop((charge, second));
        assert_eq!(scratch.half_received.get(), 0);
    }

    #[test]
    fn room_doubles_up_to_the_most() {
        let mut joined = vec![0; 10];
        grow(&mut joined, 1, 100);
        assert_eq!(joined.capacity(), 20);
        joined.resize(20, 0);
        grow(&mut joined, 1, 25);
        assert_eq!(joined.capacity(), 25);
    }
}
