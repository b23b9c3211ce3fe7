/*!
What the peer really speaks, from the first bytes it sends.

A gRPC client pointed at a TLS port, or at an HTTP/1.1 port, only ever sees a
"frame size error": the bytes `HTTP/1.1 400 …` or a TLS alert, read as a frame.
So each connection's first bytes are looked at once, before HTTP parses them,
and an error can then say which port this is. That they have come at all tells a
server from a proxy that accepts connections for one that is gone. [`SniffedStream`]
changes nothing on the wire.
*/

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::sync::watch;

/// A protocol recognised by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerProtocol {
    /// Nothing was read yet, or nothing that is known.
    Unknown,
    /// `HTTP/1.x …`.
    Http1,
    /// A SETTINGS frame.
    Http2,
    /// A TLS record.
    Tls,
}

impl PeerProtocol {
    fn of(first: &[u8]) -> Self {
        match first {
            [b'H', b'T', b'T', b'P', b'/', ..] => Self::Http1,
            // Alert or handshake, version 3.x.
            [0x15 | 0x16, 0x03, 0..=4, ..] => Self::Tls,
            // Length below 64 KiB, type SETTINGS, no flags.
            [0, _, _, 4, 0, ..] => Self::Http2,
            _ => Self::Unknown,
        }
    }
}

/// What the first bytes of one connection's peer showed.
#[derive(Clone, Debug)]
pub(super) struct FirstBytes(Arc<watch::Sender<Option<PeerProtocol>>>);

impl Default for FirstBytes {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl FirstBytes {
    /// Returns what is known so far.
    pub(super) fn get(&self) -> PeerProtocol {
        self.0.borrow().unwrap_or(PeerProtocol::Unknown)
    }

    /// Waits for the peer's first bytes.
    pub(super) async fn first(&self) -> PeerProtocol {
        let mut first = self.0.subscribe();
        match first.wait_for(Option::is_some).await {
            Ok(speaks) => speaks.unwrap_or(PeerProtocol::Unknown),
            // Its sender is in `self`.
            Err(_) => PeerProtocol::Unknown,
        }
    }
}

/// A connection whose first read is looked at and whose end is found by reading.
#[derive(Debug)]
pub(super) struct SniffedStream<T> {
    io: T,
    /// None once the first bytes are read.
    seen: Option<FirstBytes>,
    /// A write has failed.
    broken: bool,
}

impl<T> SniffedStream<T> {
    /// Wraps a new connection and reports to `seen` what its peer speaks.
    pub(super) fn new(io: T, seen: FirstBytes) -> Self {
        Self {
            io,
            seen: Some(seen),
            broken: false,
        }
    }

    /// Hides a failed write of `length` bytes, and all after it.
    fn hide<R>(&mut self, wrote: Poll<io::Result<R>>, length: R) -> Poll<io::Result<R>> {
        match wrote {
            Poll::Ready(Err(_)) => {
                self.broken = true;
                Poll::Ready(Ok(length))
            }
            wrote => wrote,
        }
    }
}

impl<T: Read + Unpin> Read for SniffedStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(seen) = &this.seen else {
            return Pin::new(&mut this.io).poll_read(cx, into);
        };
        // Only the first read goes through a buffer of our own.
        let mut first = [0; 64];
        let room = into.remaining().min(first.len());
        let mut buffer = ReadBuf::new(first.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(&mut this.io).poll_read(cx, buffer.unfilled()))?;
        if !buffer.filled().is_empty() {
            seen.0.send_replace(Some(PeerProtocol::of(buffer.filled())));
        }
        into.put_slice(buffer.filled());
        this.seen = None;
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for SniffedStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.broken {
            return Poll::Ready(Ok(from.len()));
        }
        let wrote = Pin::new(&mut self.io).poll_write(cx, from);
        self.hide(wrote, from.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.hide(flushed, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = from.iter().map(|slice| slice.len()).sum();
        if self.broken {
            return Poll::Ready(Ok(length));
        }
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, from);
        self.hide(wrote, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_bytes() {
        assert_eq!(
            PeerProtocol::of(b"HTTP/1.1 400 Bad Request\r\n"),
            PeerProtocol::Http1
        );
        assert_eq!(
            PeerProtocol::of(&[0x15, 3, 1, 0, 2, 2, 0x46]),
            PeerProtocol::Tls
        );
        assert_eq!(
            PeerProtocol::of(&[0, 0, 18, 4, 0, 0, 0, 0, 0]),
            PeerProtocol::Http2
        );
        assert_eq!(PeerProtocol::of(b"SSH-2.0"), PeerProtocol::Unknown);
        assert_eq!(PeerProtocol::of(b""), PeerProtocol::Unknown);
    }
}
