/*!
One HTTP/2 connection of the gRPC port: the socket on one side, its calls on the
other.

Everything happens in turns of one task: what is there is read into a buffer
that all connections of the shard share, and answered; then all answers are
written at once. Between turns a connection holds what is left of a frame, and
what the peer does not take. A turn ends when it has read [`READS`] times or
handed on [`TURN_WORK`] bytes, so that a connection cannot keep the others
waiting.
*/

use super::{
    call::Calls,
    deadlines::{Deadlines, Overdue, SocketWaits},
};
use crate::{
    net::{
        activity::{Activity, Order},
        h2::{ErrorCode, FRAME_HEAD, H2Connection, H2Event, H2Failure, H2Limits, MAX_PAYLOAD},
    },
    receiver::{endpoint::ConnectionContext, notice::PeerFault, otlp::GrpcServer},
};
use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{self, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, timeout},
};

/// Octets read at once, beside what is left of the last frame.
const READ: usize = 64 << 10;

/// Reads in one turn.
const READS: usize = 4;

/// Bytes of messages, inflated, that are given to the pipelines in one turn.
const TURN_WORK: usize = 256 << 10;

/// How long a turn may last, and at how many events it looks at the clock: where
/// work takes longer than expected it ends by that.
const TURN_TIME: Duration = Duration::from_millis(5);
const EVENTS: u32 = 16;

/// What an event of the connection costs beside them: 14 octets make a request that
/// is refused.
const EVENT_WORK: usize = 512;

/// How long closing may take, and how often a peer may still send meanwhile.
/// Closing with octets unread would take back what the peer has not read.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const CLOSE_READS: usize = 1024;

/// Why a connection ended before its time.
#[derive(Debug)]
pub(crate) enum ConnectionError {
    /// The socket failed.
    Io(io::Error),
    /// The peer broke the protocol, or asked too much.
    Protocol(H2Failure),
    /// The peer did not read, or did not answer a PING.
    Silent(&'static str),
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Protocol(failure) => failure.fmt(f),
            Self::Silent(what) => f.write_str(what),
        }
    }
}

impl ConnectionError {
    /// What the peer did, where it is its fault.
    fn fault(&self) -> Option<PeerFault> {
        match self {
            Self::Io(_) => None,
            Self::Protocol(failure) if failure.reason == ErrorCode::EnhanceYourCalm => {
                Some(PeerFault::Flood)
            }
            Self::Protocol(_) => Some(PeerFault::Protocol),
            Self::Silent(_) => Some(PeerFault::Silent),
        }
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve<S>(
    context: Rc<ConnectionContext>,
    settings: &GrpcServer,
    activity: &Activity,
    stream: S,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let peer = context.peer;
    let noted = Rc::clone(&context);
    if let Err(error) = GrpcConnection::new(context, settings, stream)
        .run(activity)
        .await
    {
        tracing::debug!(%peer, %error, "connection ended");
        if let Some(fault) = error.fault() {
            noted.note_ended(fault);
        }
    }
}

/// How a connection is closed.
enum Ending {
    /// At once.
    Abort,
    /// After what is to be written has been.
    Close,
}

struct GrpcConnection<S> {
    stream: S,
    h2: H2Connection,
    calls: Calls,
    deadlines: Deadlines,
    context: Rc<ConnectionContext>,
    /// When it was accepted.
    since: std::time::Instant,
    /// Read, and not yet a whole frame.
    rest: Vec<u8>,
    /// There are whole frames in it, because there was too much to write or to do.
    is_paused: bool,
    /// How much of what is to be written has been.
    written: usize,
    is_flushed: bool,
    /// The peer has closed its side.
    is_ended: bool,
    /// How many bytes of messages may still be handed on in this turn.
    work_left: usize,
    /// Events of this turn, and when the first of [`EVENTS`] of them had come.
    events: u32,
    busy_since: Option<std::time::Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GrpcConnection<S> {
    fn new(context: Rc<ConnectionContext>, settings: &GrpcServer, stream: S) -> Self {
        let admission = context.endpoint.admission.as_ref();
        let limits = H2Limits {
            streams: settings.max_concurrent_streams,
            header_bytes: settings.max_header_bytes,
            credentials: admission.map(|admission| admission.header().clone()),
        };
        Self {
            stream,
            h2: H2Connection::new(limits),
            calls: Calls::new(Rc::clone(&context), settings.max_message_bytes),
            deadlines: Deadlines::new(settings),
            context,
            since: std::time::Instant::now(),
            rest: Vec::new(),
            is_paused: false,
            written: 0,
            is_flushed: true,
            is_ended: false,
            work_left: TURN_WORK,
            events: 0,
            busy_since: None,
        }
    }

    /// Speaks HTTP/2 to the end of the connection.
    async fn run(mut self, activity: &Activity) -> Result<(), ConnectionError> {
        let ending = poll_fn(|cx| self.poll(cx, activity)).await;
        self.calls.abandon();
        match ending? {
            Ending::Abort => Ok(()),
            Ending::Close => {
                // A peer that does not hear the end has left.
                let _ = timeout(CLOSE_TIMEOUT, self.close()).await;
                match self.h2.failure() {
                    Some(failure) => Err(ConnectionError::Protocol(failure)),
                    None => Ok(()),
                }
            }
        }
    }

    /// Runs one turn.
    fn poll(
        &mut self,
        cx: &mut task::Context<'_>,
        activity: &Activity,
    ) -> Poll<Result<Ending, ConnectionError>> {
        activity.listen(cx.waker());
        match activity.order() {
            Order::Serve => {}
            Order::Finish => self.h2.leave(),
            Order::Close => return Poll::Ready(Ok(Ending::Abort)),
        }
        self.work_left = TURN_WORK;
        (self.events, self.busy_since) = (0, None);
        let is_idle = loop {
            let mut is_idle = self.read_all(cx)?;
            let was_busy = self.calls.is_busy();
            self.calls.poll(&mut self.h2, cx);
            is_idle &= !was_busy || self.calls.is_busy();
            let was_clogged = self.h2.is_clogged();
            let written = self.write(cx)?.is_ready();
            let is_over = self.is_ended || self.h2.failure().is_some();
            if is_over || (written && self.h2.is_done()) {
                return Poll::Ready(Ok(Ending::Close));
            }
            if !was_clogged || !written {
                break is_idle;
            }
        };
        activity.turn(self.h2.has_streams(), self.events > 0);
        if !is_idle {
            cx.waker().wake_by_ref();
        }
        self.wait(cx)
    }

    /// Reads what there is, within limits; false: there may be more.
    fn read_all(&mut self, cx: &mut task::Context<'_>) -> Result<bool, ConnectionError> {
        for _ in 0..READS {
            if self.work_left == 0 {
                break;
            }
            if self.h2.is_clogged() || self.calls.is_busy() {
                return Ok(true);
            }
            if self.is_paused {
                let rest = std::mem::take(&mut self.rest);
                self.take(&rest);
                self.context.endpoint.scratch.bodies.pool().give(rest);
            } else if self.read(cx)?.is_pending() || self.is_ended {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads once and takes what has come.
    fn read(&mut self, cx: &mut task::Context<'_>) -> Result<Poll<()>, ConnectionError> {
        let size = FRAME_HEAD + MAX_PAYLOAD + READ;
        let mut buffer = self.context.endpoint.scratch.take_read_buffer(size);
        let read = self.read_into(cx, &mut buffer);
        self.context.endpoint.scratch.give_read_buffer(buffer);
        read
    }

    fn read_into(
        &mut self,
        cx: &mut task::Context<'_>,
        buffer: &mut [u8],
    ) -> Result<Poll<()>, ConnectionError> {
        let held = self.rest.len();
        let Some((front, back)) = buffer.split_at_mut_checked(held) else {
            // What is left is less than a frame, unless it is paused.
            return Ok(Poll::Pending);
        };
        let mut into = ReadBuf::new(back);
        if Pin::new(&mut self.stream)
            .poll_read(cx, &mut into)?
            .is_pending()
        {
            return Ok(Poll::Pending);
        }
        let read = into.filled().len();
        if read == 0 {
            self.is_ended = true;
            return Ok(Poll::Ready(()));
        }
        front.copy_from_slice(&self.rest);
        let input = buffer.get(..held + read).unwrap_or_default();
        self.take(input);
        Ok(Poll::Ready(()))
    }

    /// Takes whole frames, and keeps what is left.
    fn take(&mut self, mut input: &[u8]) {
        let endpoint = Rc::clone(&self.context.endpoint);
        let all = input.len();
        if self.h2.out.capacity() == 0 {
            self.h2.out = endpoint.scratch.bodies.pool().take();
        }
        while self.work_left > 0
            && !self.calls.is_busy()
            && let Some(event) = self.h2.next(&mut input)
        {
            let is_new = matches!(event, H2Event::Head { .. });
            self.calls.take(&mut self.h2, event);
            let work = self.calls.take_work() + EVENT_WORK;
            self.work_left = self.work_left.saturating_sub(work);
            self.events += 1;
            if self.events.is_multiple_of(EVENTS) {
                let now = std::time::Instant::now();
                let since = *self.busy_since.get_or_insert(now);
                if now - since > TURN_TIME {
                    self.work_left = 0;
                }
            }
            if is_new && !self.h2.is_leaving() && endpoint.closing.take(self.since) {
                self.h2.leave();
            }
        }
        for _ in 0..self.h2.take_long_heads() {
            self.context.note_long_head();
        }
        self.deadlines.heard(input.len() < all);
        let must_wait = self.h2.is_clogged() || self.work_left == 0 || self.calls.is_busy();
        self.is_paused = !input.is_empty() && must_wait;
        if input.is_empty() {
            endpoint
                .scratch
                .bodies
                .pool()
                .give(std::mem::take(&mut self.rest));
            return;
        }
        if self.rest.capacity() == 0 {
            self.rest = endpoint.scratch.bodies.pool().take();
        }
        self.rest.clear();
        self.rest.extend_from_slice(input);
    }

    /// Writes what there is to write.
    fn write(&mut self, cx: &mut task::Context<'_>) -> Result<Poll<()>, ConnectionError> {
        while let Some(rest @ [_, ..]) = self.h2.out.get(self.written..) {
            let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, rest)? else {
                return Ok(Poll::Pending);
            };
            if written == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            self.written += written;
            self.is_flushed = false;
            self.deadlines.wrote();
        }
        self.written = 0;
        let out = std::mem::take(&mut self.h2.out);
        self.context.endpoint.scratch.bodies.pool().give(out);
        if !self.is_flushed {
            if Pin::new(&mut self.stream).poll_flush(cx)?.is_pending() {
                return Ok(Poll::Pending);
            }
            self.is_flushed = true;
        }
        Ok(Poll::Ready(()))
    }

    /// Sees that the task is woken when something is due, and does what is.
    fn wait(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<Ending, ConnectionError>> {
        loop {
            let socket = SocketWaits {
                is_partial: !self.rest.is_empty() && !self.is_paused,
                is_blocked: !self.h2.out.is_empty() || !self.is_flushed,
            };
            let call = match self.calls.has_deadline() {
                true => self.calls.next_deadline(Instant::now()),
                false => None,
            };
            ready!(self.deadlines.poll(cx, self.h2.waits(), socket, call));
            let now = Instant::now();
            let overdue = self.deadlines.check(now, self.h2.waits());
            match overdue.map_err(ConnectionError::Silent)? {
                Some(Overdue::Fail(failure)) => self.h2.fail(failure),
                Some(Overdue::Ping) => self.h2.ping(),
                None => {}
            }
            self.calls.expire(&mut self.h2, now);
            let _ = self.write(cx)?;
            if self.h2.failure().is_some() {
                return Poll::Ready(Ok(Ending::Close));
            }
        }
    }

    /// Writes what is left, and waits until the peer has read it.
    async fn close(&mut self) -> io::Result<()> {
        let rest = self.h2.out.get(self.written..).unwrap_or_default();
        self.stream.write_all(rest).await?;
        self.stream.shutdown().await?;
        // On the heap: what is in here is part of every connection's task.
        let mut unread = vec![0; 1024];
        for _ in 0..CLOSE_READS {
            if self.stream.read(&mut unread).await? == 0 {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
