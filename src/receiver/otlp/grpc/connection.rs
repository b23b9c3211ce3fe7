/*!
One HTTP/2 connection of the gRPC port: the socket on one side, its calls on the
other.

Everything happens in turns of one task: what is there is read into a buffer
that all connections of the thread share, and answered; then all answers are
written at once. Between turns a connection holds what is left of a frame, and
what the peer does not take.
*/

use super::{
    super::Context,
    call::Calls,
    deadlines::{Socket, Vigil},
};
use crate::{
    config::GrpcServer,
    net::{
        activity::{Activity, Order},
        buffers as spare,
        h2::{Connection, Event, FRAME_HEAD, Failure, Limits, MAX_PAYLOAD},
    },
};
use std::{
    cell::RefCell,
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

/// Reads in one turn: others have their turn then.
const READS: usize = 4;

/// How long the last words may take, and how much a peer may still send
/// meanwhile. Closing with octets unread would take back what the peer has not
/// read.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_READS: usize = 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Why a connection ended before its time.
#[derive(Debug)]
pub enum Trouble {
    /// The socket failed.
    Io(io::Error),
    /// The peer broke the protocol, or asked too much.
    Failed(Failure),
    /// The peer did not read, or did not answer a PING.
    Silent(&'static str),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
            Self::Silent(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Speaks HTTP/2 to the end of the connection.
pub async fn converse<S>(
    context: Rc<Context>,
    settings: &GrpcServer,
    activity: &Activity,
    stream: S,
) -> Result<(), Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = Limits {
        streams: settings.max_concurrent_streams,
        header_bytes: settings.max_header_bytes,
        credentials: context
            .endpoint
            .admission
            .as_ref()
            .map(|admission| admission.header().clone()),
    };
    let mut conversation = Conversation {
        stream,
        h2: Connection::new(limits),
        calls: Calls::new(Rc::clone(&context), settings.max_message_bytes),
        vigil: Vigil::new(settings),
        context,
        since: std::time::Instant::now(),
        rest: Vec::new(),
        is_paused: false,
        written: 0,
        is_flushed: true,
        is_ended: false,
    };
    let end = poll_fn(|cx| conversation.poll(cx, activity)).await;
    conversation.calls.abandon();
    match end? {
        End::AtOnce => Ok(()),
        End::Farewell => {
            let failure = conversation.h2.failure();
            // Whoever does not hear it has left.
            let _ = timeout(FAREWELL, conversation.farewell()).await;
            failure.map_or(Ok(()), |failure| Err(Trouble::Failed(failure)))
        }
    }
}

/// How a connection is closed.
enum End {
    AtOnce,
    /// After the last words.
    Farewell,
}

struct Conversation<S> {
    stream: S,
    h2: Connection,
    calls: Calls,
    vigil: Vigil,
    context: Rc<Context>,
    /// When it was accepted.
    since: std::time::Instant,
    /// Read, and not yet a whole frame.
    rest: Vec<u8>,
    /// There are whole frames in it, because there was too much to write.
    is_paused: bool,
    /// How much of what is to be written has been.
    written: usize,
    is_flushed: bool,
    /// The peer has closed its side.
    is_ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    /// One turn.
    fn poll(
        &mut self,
        cx: &mut task::Context<'_>,
        activity: &Activity,
    ) -> Poll<Result<End, Trouble>> {
        activity.listen(cx.waker());
        match activity.order() {
            Order::Serve => {}
            Order::Finish => self.h2.leave(),
            Order::Close => return Poll::Ready(Ok(End::AtOnce)),
        }
        let is_idle = loop {
            let is_idle = self.read_all(cx)?;
            self.calls.poll(&mut self.h2, cx);
            let was_clogged = self.h2.is_clogged();
            let written = self.write(cx)?.is_ready();
            let is_over = self.is_ended || self.h2.failure().is_some();
            if is_over || (written && self.h2.is_done()) {
                return Poll::Ready(Ok(End::Farewell));
            }
            if !was_clogged || !written {
                break is_idle;
            }
        };
        if !is_idle {
            cx.waker().wake_by_ref();
        }
        self.watch(cx)
    }

    /// Reads what there is, within limits; false: there may be more.
    fn read_all(&mut self, cx: &mut task::Context<'_>) -> Result<bool, Trouble> {
        for _ in 0..READS {
            if self.h2.is_clogged() {
                return Ok(true);
            }
            if self.is_paused {
                let rest = std::mem::take(&mut self.rest);
                self.take(&rest);
                spare::give(rest);
            } else if self.read(cx)?.is_pending() || self.is_ended {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads once and takes what has come.
    fn read(&mut self, cx: &mut task::Context<'_>) -> Result<Poll<()>, Trouble> {
        // Taken out, not borrowed: pipelines are foreign code.
        let mut buffer = BUFFER.take();
        let size = FRAME_HEAD + MAX_PAYLOAD + READ;
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        let read = self.read_into(cx, &mut buffer);
        BUFFER.replace(buffer);
        read
    }

    fn read_into(
        &mut self,
        cx: &mut task::Context<'_>,
        buffer: &mut [u8],
    ) -> Result<Poll<()>, Trouble> {
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
        let all = input.len();
        if self.h2.out.capacity() == 0 {
            self.h2.out = spare::take();
        }
        while let Some(event) = self.h2.next(&mut input) {
            let is_new = matches!(event, Event::Head { .. });
            self.calls.take(&mut self.h2, event);
            if is_new && !self.h2.is_leaving() && self.context.endpoint.leaving.claims(self.since) {
                self.h2.leave();
            }
        }
        self.vigil.heard(input.len() < all);
        self.is_paused = self.h2.is_clogged() && !input.is_empty();
        if input.is_empty() {
            spare::give(std::mem::take(&mut self.rest));
            return;
        }
        if self.rest.capacity() == 0 {
            self.rest = spare::take();
        }
        self.rest.clear();
        self.rest.extend_from_slice(input);
    }

    /// Writes what there is to write.
    fn write(&mut self, cx: &mut task::Context<'_>) -> Result<Poll<()>, Trouble> {
        while let Some(rest @ [_, ..]) = self.h2.out.get(self.written..) {
            let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, rest)? else {
                return Ok(Poll::Pending);
            };
            if written == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            self.written += written;
            self.is_flushed = false;
            self.vigil.wrote();
        }
        self.written = 0;
        spare::give(std::mem::take(&mut self.h2.out));
        if !self.is_flushed {
            if Pin::new(&mut self.stream).poll_flush(cx)?.is_pending() {
                return Ok(Poll::Pending);
            }
            self.is_flushed = true;
        }
        Ok(Poll::Ready(()))
    }

    /// Sees that the task is woken when something is due.
    fn watch(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<End, Trouble>> {
        loop {
            let socket = Socket {
                is_partial: !self.rest.is_empty(),
                is_blocked: !self.h2.out.is_empty() || !self.is_flushed,
            };
            let (vigil, h2, calls) = (&mut self.vigil, &mut self.h2, &mut self.calls);
            ready!(vigil.poll(cx, h2, calls, socket));
            let looked = vigil.look(Instant::now(), h2, calls);
            looked.map_err(Trouble::Silent)?;
            let _ = self.write(cx)?;
            if self.h2.failure().is_some() {
                return Poll::Ready(Ok(End::Farewell));
            }
        }
    }

    /// Writes the last words, and waits until the peer has heard them.
    async fn farewell(&mut self) -> io::Result<()> {
        let rest = self.h2.out.get(self.written..).unwrap_or_default();
        self.stream.write_all(rest).await?;
        self.stream.shutdown().await?;
        // On the heap: what is in here is part of every connection's task.
        let mut unheard = vec![0; 1024];
        for _ in 0..FAREWELL_READS {
            if self.stream.read(&mut unheard).await? == 0 {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
