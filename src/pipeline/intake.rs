/*!
A listener's way in, which outlives the pipelines behind it.

When the configuration is read again, a shard builds new pipelines and each listener
that stays gets an inlet into those. Connections know the [`Intake`] alone, so they go
on. A request goes to its end where it began: the answer to one that waits for the
segment log, and one that was read apart from the shard, find the inlet that took it.
The pipelines behind an inlet are kept until [`Inlet::is_used`] says that none is left.
*/

use super::{
    Ingest, NotTaken, Preparation, PreparedRequest, Refusal, RefusalKind, Taken, Taking, Ticket,
    inlet::Inlet,
};
use crate::pdata::Signal;
use std::{
    cell::RefCell,
    future,
    net::IpAddr,
    pin::Pin,
    rc::{Rc, Weak},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// The way in of one listener on one shard.
pub(crate) struct Intake {
    current: RefCell<Rc<Inlet>>,
    before: RefCell<Vec<Weak<Inlet>>>,
}

impl Intake {
    /// A way in by `inlet`, until another is given.
    pub(crate) fn new(inlet: Rc<Inlet>) -> Self {
        Self {
            current: RefCell::new(inlet),
            before: RefCell::default(),
        }
    }

    /// Lets requests that come from now on in by `inlet`.
    pub(crate) fn replace(&self, inlet: Rc<Inlet>) {
        let before = self.current.replace(inlet);
        let mut all = self.before.borrow_mut();
        all.retain(|inlet| inlet.strong_count() > 0);
        all.push(Rc::downgrade(&before));
    }

    /// The inlet of which this is true.
    fn find(&self, is_it: impl Fn(&Inlet) -> bool) -> Option<Rc<Inlet>> {
        let current = self.current.borrow();
        if is_it(&current) {
            return Some(Rc::clone(&current));
        }
        let before = self.before.borrow();
        let mut before = before.iter().filter_map(Weak::upgrade);
        before.find(|inlet| is_it(inlet))
    }
}

impl Ingest for Intake {
    fn takes(&self, signal: Signal) -> bool {
        self.current.borrow().takes(signal)
    }

    fn take(&self, signal: Signal, request: &[u8], peer: IpAddr) -> Result<Taken, NotTaken> {
        let inlet = self.current.borrow();
        // It was taken when the request's head was judged.
        match inlet.takes(signal) {
            true => inlet.take(signal, request, peer),
            false => Err(not_taken_any_more().into()),
        }
    }

    fn preparation(&self) -> Arc<Preparation> {
        self.current.borrow().preparation()
    }

    fn room(self: Rc<Self>, signal: Signal) -> Pin<Box<dyn Future<Output = ()>>> {
        Rc::clone(&self.current.borrow()).room(signal)
    }

    fn take_prepared(self: Rc<Self>, request: PreparedRequest, peer: IpAddr) -> Taking {
        match self.find(|inlet| inlet.has_prepared(&request)) {
            Some(inlet) => inlet.take_prepared(request, peer),
            None => Box::pin(future::ready(Err(not_taken_any_more()))),
        }
    }

    fn poll_stored(&self, ticket: Ticket, cx: &mut Context<'_>) -> Poll<()> {
        let current = self.current.borrow();
        if current.has_given(ticket) {
            return current.poll_stored(ticket, cx);
        }
        drop(current);
        match self.find(|inlet| inlet.has_given(ticket)) {
            Some(inlet) => inlet.poll_stored(ticket, cx),
            // Its pipelines have ended, and nothing of theirs was undecided then.
            None => Poll::Ready(()),
        }
    }
}

fn not_taken_any_more() -> Refusal {
    let retry_after = Duration::from_secs(1);
    Refusal::new(
        RefusalKind::Unavailable { retry_after },
        "the configuration was read again, and no pipeline has this receiver any more",
    )
}
