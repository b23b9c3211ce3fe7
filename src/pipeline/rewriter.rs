/*!
What a rewriter is: a processor that writes requests anew.

A [`Processor`](super::Processor) decides about one item and can change little of it, which the engine
then writes once. That is the cheap way, and the one to take where it is enough. A [`Rewriter`] may do anything:
drop items, change any field of an item, scope or resource. It reads a whole
request and writes the one that goes on; the engine indexes that again, so
that the processors behind it see what it wrote. Before a rewriter runs, what the
processors in front of it decided is written, so that it sees that too.

A request that is long comes in pieces, each a request of its own: a resource may be in
several.
*/

use crate::pdata::Index;
use std::net::IpAddr;

/// A request as rewriters see it: canonical bytes, and where things are.
#[derive(Clone, Copy, Debug)]
pub struct IndexedRequest<'a> {
    /// The whole canonical request.
    pub request: &'a [u8],
    /// What the walk found in it.
    pub index: &'a Index,
    /// So many bytes may be written. A rewriter that has written more stops soon, with
    /// [`RewriteError::TooLong`].
    pub most: usize,
}

/// What a rewriter did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewritten {
    /// Nothing: the request goes on as it is, whatever was written.
    Unchanged,
    /// What was written goes on. It may be empty.
    Changed,
}

/// Why a rewriter does not let a request pass, which is refused whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// It cannot be done now, and may be sent again; the reason, for the sender and the log.
    #[error("{0}")]
    Refused(String),
    /// More than [`IndexedRequest::most`] would be written. What was written may lack items.
    #[error("more would be written than may be for this request")]
    TooLong,
}

/// One configured processor that writes requests anew, one instance per shard and
/// pipeline.
pub trait Rewriter {
    /// Prepares for one request. `peer` is who sent it, where that is known.
    fn begin(&mut self, peer: Option<IpAddr>) {
        let _ = peer;
    }

    /// Appends to `out`, which is empty, the request that goes on in place of this
    /// one. Items with a fault of their own
    /// ([`ItemEntry::fault`](crate::pdata::ItemEntry::fault)) are not among those that it is given.
    ///
    /// # Errors
    ///
    /// When the request must be refused.
    fn rewrite(
        &mut self,
        request: &IndexedRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Rewritten, RewriteError>;

    /// Ends a request: the moment to publish counts.
    fn end(&mut self) {}

    /// Ends a rehearsal: what was counted since [`Rewriter::begin`] did not happen.
    fn discard(&mut self) {}
}
