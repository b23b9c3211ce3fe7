/*!
What the peer really speaks, from the first bytes it sends.

A gRPC client pointed at a TLS port, or at an HTTP/1.1 port, only ever sees a
"frame size error": the bytes `HTTP/1.1 400 …` or a TLS alert, read as a frame.
So each new connection's first bytes are looked at once, before HTTP parses
them, and an error can then say which port this is. [`Sniffing`] wraps a
connector and does that; it changes nothing on the wire.
*/

use http::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
};
use tower_service::Service;

/// A protocol recognised by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Nothing was read, or nothing known.
    Unknown,
    /// `HTTP/1.x …`.
    Http1,
    /// A SETTINGS frame.
    Http2,
    /// A TLS record.
    Tls,
}

impl Speaks {
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

/// What the latest connection's peer spoke.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<AtomicU8>);

impl Seen {
    /// The latest finding.
    pub fn get(&self) -> Speaks {
        match self.0.load(Ordering::Relaxed) {
            1 => Speaks::Http1,
            2 => Speaks::Http2,
            3 => Speaks::Tls,
            _ => Speaks::Unknown,
        }
    }

    fn set(&self, speaks: Speaks) {
        let code = match speaks {
            Speaks::Unknown => 0,
            Speaks::Http1 => 1,
            Speaks::Http2 => 2,
            Speaks::Tls => 3,
        };
        self.0.store(code, Ordering::Relaxed);
    }
}

/// A connector whose connections note their first bytes in [`Seen`].
#[derive(Clone, Debug)]
pub struct Sniffing<C> {
    connector: C,
    seen: Seen,
}

impl<C> Sniffing<C> {
    /// Wraps `connector`.
    pub fn new(connector: C, seen: Seen) -> Self {
        Self { connector, seen }
    }
}

impl<C> Service<Uri> for Sniffing<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
{
    type Response = Sniffed<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.connector.call(uri);
        let seen = self.seen.clone();
        Box::pin(async move {
            seen.set(Speaks::Unknown);
            Ok(Sniffed {
                io: connecting.await?,
                seen: Some(seen),
                broken: false,
            })
        })
    }
}

/// A connection whose first read is looked at and whose end is found by reading.
#[derive(Debug)]
pub struct Sniffed<T> {
    io: T,
    /// None once the first bytes are read.
    seen: Option<Seen>,
    /// A write has failed.
    broken: bool,
}

impl<T> Sniffed<T> {
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

impl<T: Read + Unpin> Read for Sniffed<T> {
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
        seen.set(Speaks::of(buffer.filled()));
        into.put_slice(buffer.filled());
        this.seen = None;
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for Sniffed<T> {
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

impl<T: Connection> Connection for Sniffed<T> {
    fn connected(&self) -> Connected {
        self.io.connected()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_bytes() {
        assert_eq!(Speaks::of(b"HTTP/1.1 400 Bad Request\r\n"), Speaks::Http1);
        assert_eq!(Speaks::of(&[0x15, 3, 1, 0, 2, 2, 0x46]), Speaks::Tls);
        assert_eq!(Speaks::of(&[0, 0, 18, 4, 0, 0, 0, 0, 0]), Speaks::Http2);
        assert_eq!(Speaks::of(b"SSH-2.0"), Speaks::Unknown);
        assert_eq!(Speaks::of(b""), Speaks::Unknown);
    }
}
