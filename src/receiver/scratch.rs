/*!
Memory that the requests of one shard use in turn, and what is shared with them:
bodies that have come in part, and the lane of large requests.

Buffers are taken out and given back, never borrowed across a call: pipelines
run in between, and what they call may come here again.
*/

use super::partial::PartialBodies;
use crate::{
    pipeline::LargeLane,
    queue::{Budget, Memory},
};
use std::{cell::RefCell, rc::Rc};

/// An inflated body of up to this size is room kept for the next one.
const KEEP_INFLATED: usize = 1 << 20;

/// What the requests of one shard share.
#[derive(Debug)]
pub struct Scratch {
    /// Bodies that have come in part.
    pub(crate) bodies: Rc<PartialBodies>,
    /// Where requests are read that are too long for one turn.
    pub(crate) lane: LargeLane,
    read: RefCell<Vec<u8>>,
    inflated: RefCell<Vec<u8>>,
}

impl Scratch {
    /// Makes the scratch of one of so many `shards`, which share `bodies` for what
    /// has come in part.
    pub(crate) fn new(bodies: &Budget, shards: usize, lane: LargeLane) -> Self {
        Self {
            bodies: Rc::new(PartialBodies::new(bodies, shards)),
            lane,
            read: RefCell::default(),
            inflated: RefCell::default(),
        }
    }

    /// Makes the scratch of a shard whose memory has no limit, and which waits for
    /// large requests.
    pub fn unlimited() -> Rc<Self> {
        let memory = Memory::new(8 << 30);
        let lane = LargeLane::inline(&memory);
        Rc::new(Self::new(&memory.bodies, 1, lane))
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
