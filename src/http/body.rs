/*!
Request bodies over a batch's pieces, without joining or copying them.

A [`Payload`] is made once per request and sent as often as needed: every
attempt's [`Body`] refers to the same bytes. Only compression makes a new
buffer. For gRPC the first piece is the five-byte message prefix.
*/

use super::compression::{Compression, Compressor};
use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The bytes of one request, ready to be sent any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pieces: Arc<[Bytes]>,
    bytes: u64,
}

impl Payload {
    /// A plain body: the pieces one after the other, compressed if asked.
    ///
    /// # Errors
    ///
    /// When the compressor fails, which in memory it does not.
    pub(crate) fn http(chunks: &[Bytes], compressor: impl Into<Compressor>) -> io::Result<Self> {
        Ok(Self::new(compressor.into().compress(chunks)?))
    }

    /// A gRPC message: compressed flag, length, message.
    ///
    /// # Errors
    ///
    /// When the message is longer than gRPC can say (4 GiB), or the compressor
    /// fails.
    pub(crate) fn grpc(chunks: &[Bytes], compressor: impl Into<Compressor>) -> io::Result<Self> {
        let compressor = compressor.into();
        let message = compressor.compress(chunks)?;
        let length: usize = message.iter().map(Bytes::len).sum();
        let length = u32::try_from(length)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "message over 4 GiB"))?;
        let mut prefix = BytesMut::with_capacity(5);
        prefix.put_u8(u8::from(compressor.compression != Compression::None));
        prefix.put_u32(length);
        let mut pieces = Vec::with_capacity(message.len() + 1);
        pieces.push(prefix.freeze());
        pieces.extend(message);
        Ok(Self::new(pieces))
    }

    fn new(pieces: Vec<Bytes>) -> Self {
        let pieces: Arc<[Bytes]> = pieces
            .into_iter()
            .filter(|piece| !piece.is_empty())
            .collect();
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, bytes }
    }

    /// A body for one attempt.
    pub(crate) fn body(&self) -> Body {
        Body {
            pieces: Arc::clone(&self.pieces),
            next: 0,
            left: self.bytes,
        }
    }
}

/// One pass over a [`Payload`].
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pieces: Arc<[Bytes]>,
    next: usize,
    left: u64,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.pieces.get(self.next).cloned() else {
            return Poll::Ready(None);
        };
        self.next += 1;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Joins the pieces, where an API needs them so.
pub(crate) fn joined(chunks: &[Bytes]) -> Bytes {
    match chunks {
        [one] => one.clone(),
        _ => {
            let mut all = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
            chunks.iter().for_each(|chunk| all.put_slice(chunk));
            all.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use http_body::Body as _;
    use http_body_util::BodyExt;
    use std::io::Read;

    fn read(payload: &Payload) -> Vec<u8> {
        let collected = futures_util::FutureExt::now_or_never(payload.body().collect());
        collected.unwrap().unwrap().to_bytes().to_vec()
    }

    fn chunks() -> Vec<Bytes> {
        vec![
            Bytes::from_static(b"ab"),
            Bytes::new(),
            Bytes::from(vec![b'c'; 5000]),
        ]
    }

    #[test]
    fn sends_the_same_bytes_every_time_without_copying() {
        let chunks = chunks();
        let payload = Payload::http(&chunks, Compression::None).unwrap();
        assert_eq!(payload.body().size_hint().exact(), Some(5002));
        assert_eq!(read(&payload), joined(&chunks));
        assert_eq!(read(&payload), joined(&chunks));
        assert_eq!(payload.pieces[1].as_ptr(), chunks[2].as_ptr());
    }

    #[test]
    fn an_empty_body_is_at_its_end() {
        let payload = Payload::http(&[], Compression::None).unwrap();
        assert!(payload.body().is_end_stream());
        assert_eq!(
            read(&Payload::grpc(&[], Compression::None).unwrap()),
            [0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn grpc_prefix_says_length_and_compression() {
        let plain = read(&Payload::grpc(&chunks(), Compression::None).unwrap());
        assert_eq!(plain[..5], [0, 0, 0, 0x13, 0x8a]);
        assert_eq!(plain[5..], joined(&chunks()));
        for compression in [Compression::Gzip, Compression::Zstd] {
            let sent = read(&Payload::grpc(&chunks(), compression).unwrap());
            assert_eq!(sent[0], 1);
            let length = u32::from_be_bytes(sent[1..5].try_into().unwrap()) as usize;
            assert_eq!(length, sent.len() - 5);
            let mut back = Vec::new();
            match compression {
                Compression::Gzip => {
                    flate2::read::GzDecoder::new(&sent[5..])
                        .read_to_end(&mut back)
                        .unwrap();
                }
                _ => back = zstd::decode_all(&sent[5..]).unwrap(),
            }
            assert_eq!(back, joined(&chunks()));
        }
    }
}
