/*!
Spans that somebody looks at as they pass.

As a rule nobody looks, and then a request pays for one load of a word that nobody writes.
While the tap is open, a shard copies each span as it was written, with the resources it came
and went under, into a queue that is bounded in entries and bytes; what finds no room is
counted and not shown. So spans are never delayed by who looks at them.
*/

use crossbeam_queue::ArrayQueue;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// The most spans that wait to be looked at.
const WAITING: usize = 1024;
/// The most bytes of one: a longer one is not shown.
const MOST_BYTES: usize = 16 << 10;

/// Says what the spans of a pipeline mean, to those who look at them.
pub trait SpanReader: fmt::Debug + Send + Sync {
    /// Reads a span that has passed; None: it cannot be read.
    fn read(&self, span: &PassedSpan) -> Option<SpanMeaning>;
}

/// What a span means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanMeaning {
    /// The kind of hop that emitted it.
    pub(crate) hop: &'static str,
    /// Where it went, if it says so.
    pub(crate) destination: Option<String>,
    /// What finds it by its name.
    pub(crate) pages: Vec<String>,
}

/// A span that has passed.
#[derive(Debug)]
pub struct PassedSpan {
    /// The pipeline's id.
    pub(crate) pipeline: Arc<str>,
    /// The payload of the resource that it came under.
    pub(crate) came_under: Vec<u8>,
    /// The payload of the resource that it went under.
    pub(crate) resource: Vec<u8>,
    /// Its field in the request that goes out.
    pub(crate) span: Vec<u8>,
    /// What decided its name; empty where nothing did.
    pub(crate) why: &'static str,
}

/// Where shards put spans for those who look.
#[derive(Debug)]
pub(crate) struct Tap {
    is_open: AtomicBool,
    passed: ArrayQueue<PassedSpan>,
    missed: AtomicU64,
}

impl Default for Tap {
    fn default() -> Self {
        Self {
            is_open: AtomicBool::new(false),
            passed: ArrayQueue::new(WAITING),
            missed: AtomicU64::new(0),
        }
    }
}

impl Tap {
    /// Whether somebody looks.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Begins to look.
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// Ends it, and forgets what nobody has looked at.
    pub(crate) fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
        while self.passed.pop().is_some() {}
    }

    /// Takes what has passed, the oldest first.
    pub(crate) fn next(&self) -> Option<PassedSpan> {
        self.passed.pop()
    }

    /// How many spans found no room since the process began.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Puts a span in, made only where there is room for it.
    fn pass(&self, bytes: usize, span: impl FnOnce() -> PassedSpan) {
        let fits = bytes <= MOST_BYTES && !self.passed.is_full();
        if !fits || self.passed.push(span()).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A pipeline's part of the tap on one shard.
#[derive(Clone, Debug)]
pub(crate) struct PipelineTap {
    pub(crate) tap: Arc<Tap>,
    /// The pipeline's id.
    pub(crate) pipeline: Arc<str>,
}

impl PipelineTap {
    /// Shows a span that was written, if there is room.
    pub(crate) fn pass(
        &self,
        written: &[u8],
        came_under: &[u8],
        resource: &[u8],
        why: &'static str,
    ) {
        let bytes = written.len() + came_under.len() + resource.len();
        self.tap.pass(bytes, || PassedSpan {
            pipeline: Arc::clone(&self.pipeline),
            came_under: came_under.to_vec(),
            resource: resource.to_vec(),
            span: written.to_vec(),
            why,
        });
    }
}
