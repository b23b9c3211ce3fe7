/*!
What a receiver may ask of the pipelines: to take a request, and to say when it
may be answered.

Taking is one synchronous call that answers *taken* or refuses; nobody asks for
room first. A request that is too long for one turn of the shard is read elsewhere
([`Preparation`]) and taken in pieces.
*/

use super::{AwaitedResult, Preparation, PreparedRequest, Refusal};
use crate::pdata::Signal;
use std::{
    future,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

/// A request that was taken, whole or but for some faulty items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Items that were dropped for a fault of their own and must not be sent
    /// again.
    pub rejected: u64,
    /// What was wrong with the first of them, for the sender's log; else empty.
    pub message: String,
    /// What the answer must wait for; None: nothing.
    pub stored: Option<Ticket>,
    /// What it must wait for besides, which may turn it into a refusal.
    pub results: Vec<AwaitedResult>,
}

/// Why a request was not taken where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is refused.
    Refused(Refusal),
    /// It is too long for one turn, or waits for room: see [`Ingest::take_prepared`] and
    /// [`Ingest::room`].
    Large,
}

impl From<Refusal> for NotTaken {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The end of taking a request piece by piece.
pub(crate) type Taking = Pin<Box<dyn Future<Output = Result<Taken, Refusal>>>>;

/// Where a receiver puts requests: the pipelines of a shard that have it.
pub trait Ingest {
    /// Whether some pipeline wants requests of this signal.
    fn takes(&self, signal: Signal) -> bool {
        signal == Signal::Traces
    }

    /// Takes one OTLP export request in protobuf. Synchronous: it validates,
    /// edits and appends to the open batch. `peer` is who sent it.
    ///
    /// # Errors
    ///
    /// When nothing of the request was taken.
    fn take(&self, signal: Signal, request: &[u8], peer: IpAddr) -> Result<Taken, NotTaken>;

    /// Returns what reads requests that are too long for [`Ingest::take`], on
    /// another thread. By itself it reads none of them.
    fn preparation(&self) -> Arc<Preparation> {
        Arc::default()
    }

    /// Waits for room for a request of this signal, where senders are to wait for that; not
    /// for ever.
    fn room(self: Rc<Self>, _signal: Signal) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(future::ready(()))
    }

    /// Takes such a request piece by piece, between which the shard does other
    /// things; one that was not read, as a whole.
    fn take_prepared(self: Rc<Self>, request: PreparedRequest, peer: IpAddr) -> Taking {
        let taken = self.take(request.signal(), request.raw(), peer);
        let taken = taken.map_err(|not_taken| match not_taken {
            NotTaken::Refused(refusal) => refusal,
            NotTaken::Large => Refusal::failed(),
        });
        Box::pin(future::ready(taken))
    }

    /// Whether what `ticket` stands for is in the segment log, or is held in
    /// memory as far as it ever will be; else wakes the task when it is.
    fn poll_stored(&self, _ticket: Ticket, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// A moment in a shard's life, in order: everything taken before it may be
/// answered once it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u64);

/// How often the configuration has been read anew when a shard's pipelines were built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation(pub(crate) u32);

/// Bits of a ticket that count the turns of one generation.
const TURN_BITS: u32 = 40;

impl Generation {
    /// The first ticket of the generation.
    pub(crate) const fn first_ticket(self) -> Ticket {
        Ticket((self.0 as u64) << TURN_BITS)
    }
}

impl Ticket {
    /// The generation that gave it.
    pub(crate) const fn generation(self) -> Generation {
        Generation((self.0 >> TURN_BITS) as u32)
    }
}
