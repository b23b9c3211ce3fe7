/*!
What a connection is doing right now, and the orders its supervisor gives it.

Both are cells shared by the tasks of one connection on one thread. They exist
so that the connection's hot loop polls neither a timer nor the process-wide
shutdown channel: the supervisor waits on those and wakes the connection only
when it has an order.
*/

use hyper::rt::{Read, ReadBufCursor, Write};
use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};
use tokio::time::Instant;

/// What the supervisor asks of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Go on.
    Serve,
    /// Answer what is in flight and take nothing new (GOAWAY / close).
    Finish,
    /// Stop now.
    Close,
}

/// State of one connection.
#[derive(Debug)]
pub(crate) struct Activity {
    in_flight: Cell<u32>,
    quiet_since: Cell<Instant>,
    head_since: Cell<Option<Instant>>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
    /// Is true when anybody asks for [`Activity::quiet_since`]: a clock is not
    /// read for each request for nothing.
    has_idle_limit: bool,
}

impl Activity {
    /// A connection that has just been accepted.
    pub(crate) fn new(has_idle_limit: bool) -> Self {
        Self {
            has_idle_limit,
            in_flight: Cell::new(0),
            quiet_since: Cell::new(Instant::now()),
            head_since: Cell::new(None),
            order: Cell::new(Order::Serve),
            waker: RefCell::new(None),
        }
    }

    /// Notes that a request's head is complete; the guard notes its answer.
    pub(crate) fn request(self: &Rc<Self>) -> InFlight {
        self.head_since.set(None);
        self.in_flight.set(self.in_flight.get().saturating_add(1));
        InFlight(Rc::clone(self))
    }

    /// The same for a connection that keeps its own requests: tells whether there are any
    /// after a turn in which `came` says whether something of one came.
    pub(crate) fn turn(&self, has_requests: bool, came: bool) {
        let had = self.in_flight.replace(u32::from(has_requests)) > 0;
        if self.has_idle_limit && !has_requests && (had || came) {
            self.quiet_since.set(Instant::now());
        }
    }

    /// Since when there has been no request in flight; None while there is.
    pub(crate) fn quiet_since(&self) -> Option<Instant> {
        (self.in_flight.get() == 0).then(|| self.quiet_since.get())
    }

    /// Since when a head has been arriving that is not complete.
    pub(crate) fn head_since(&self) -> Option<Instant> {
        self.head_since.get()
    }

    /// The order in force.
    pub(crate) fn order(&self) -> Order {
        self.order.get()
    }

    /// Gives an order and wakes the connection.
    pub(crate) fn give(&self, order: Order) {
        self.order.set(order);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Remembers whom [`Activity::give`] must wake.
    pub(crate) fn listen(&self, waker: &Waker) {
        let mut held = self.waker.borrow_mut();
        if !held.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *held = Some(waker.clone());
        }
    }

    fn received(&self) {
        if self.in_flight.get() == 0 && self.head_since.get().is_none() {
            self.head_since.set(Some(Instant::now()));
        }
    }
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct InFlight(Rc<Activity>);

impl InFlight {
    /// Returns true if the connection ends after the answers that are due.
    pub(crate) fn is_last(&self) -> bool {
        self.0.order() != Order::Serve
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let left = self.0.in_flight.get().saturating_sub(1);
        self.0.in_flight.set(left);
        if left == 0 && self.0.has_idle_limit {
            self.0.quiet_since.set(Instant::now());
        }
    }
}

/// An HTTP/1.1 stream that tells its [`Activity`] when bytes of a new head
/// arrive. hyper's own header timeout also runs while a kept-alive connection
/// rests between two requests, and would close it under a slow sender.
pub(crate) struct Watched<T> {
    inner: T,
    activity: Rc<Activity>,
}

impl<T> Watched<T> {
    /// Watches `inner`.
    pub(crate) fn new(inner: T, activity: Rc<Activity>) -> Self {
        Self { inner, activity }
    }
}

impl<T: Read + Unpin> Read for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = read {
            self.activity.received();
        }
        read
    }
}

impl<T: Write + Unpin> Write for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
}
