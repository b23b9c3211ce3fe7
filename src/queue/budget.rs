/*! Bytes held between sealing and delivery, counted once per batch. */

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A process-wide count of bytes held, with a limit.
#[derive(Clone, Debug)]
pub struct Budget {
    held: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            held: Arc::default(),
            limit,
        }
    }

    /// Counts `bytes` as held until the lease is dropped. Never refuses: what
    /// is sealed was accepted. Ask [`Budget::is_over`] before accepting.
    pub fn lease(&self, bytes: usize) -> Lease {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Lease {
            held: Arc::clone(&self.held),
            bytes,
        }
    }

    /// Whether as much as the limit is held.
    pub fn is_over(&self) -> bool {
        self.held() >= self.limit
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// Bytes counted against a [`Budget`] for as long as this lives.
#[derive(Debug)]
pub struct Lease {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
