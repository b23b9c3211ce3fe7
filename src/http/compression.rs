/*!
Compression of requests: what there is, by the Collector's names, and its level.

Snappy has two formats. Collectors mean the block by `snappy` over HTTP, and the frames
over gRPC, where the name is the same.
*/

use crate::config::Word;
use bytes::Bytes;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::{
    io::{self, Write},
    ops::RangeInclusive,
};

/// Level of what has levels: the network inside a cluster is cheaper than CPU.
const LEVEL: u32 = 1;

/// Compression of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Identity.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// The zlib format by its own name.
    Zlib,
    /// The same by the name that it has in HTTP.
    Deflate,
    /// A block of Snappy.
    Snappy,
    /// Snappy in frames.
    SnappyFramed,
    /// zstd.
    Zstd,
}

impl Word for Compression {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("gzip", Self::Gzip),
        ("zlib", Self::Zlib),
        ("deflate", Self::Deflate),
        ("snappy", Self::Snappy),
        ("x-snappy-framed", Self::SnappyFramed),
        ("zstd", Self::Zstd),
        ("", Self::None),
    ];
}

impl Compression {
    /// Returns the value of `content-encoding`.
    pub(crate) fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zlib => Some("zlib"),
            Self::Deflate => Some("deflate"),
            Self::Snappy => Some("snappy"),
            Self::SnappyFramed => Some("x-snappy-framed"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// Returns the same for gRPC, with the value of `grpc-encoding`. None: gRPC has no
    /// such compression.
    pub(crate) fn of_grpc(self) -> Option<(Self, Option<&'static str>)> {
        match self {
            Self::None | Self::Gzip | Self::Zstd => Some((self, self.content_encoding())),
            Self::Snappy | Self::SnappyFramed => Some((Self::SnappyFramed, Some("snappy"))),
            Self::Zlib | Self::Deflate => None,
        }
    }

    /// Returns the levels that it has.
    pub(crate) fn levels(self) -> Option<RangeInclusive<u32>> {
        match self {
            Self::None | Self::Snappy | Self::SnappyFramed => None,
            Self::Gzip | Self::Zlib | Self::Deflate => Some(0..=9),
            // Those above take hundreds of megabytes.
            Self::Zstd => Some(1..=19),
        }
    }
}

/// A compression at a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compressor {
    pub(super) compression: Compression,
    level: u32,
}

impl Compressor {
    /// None: the fastest level.
    pub(crate) fn new(compression: Compression, level: Option<u32>) -> Self {
        Self {
            compression,
            level: level.unwrap_or(LEVEL),
        }
    }

    /// Compresses the pieces to one; without compression they stay as they are.
    pub(super) fn compress(self, chunks: &[Bytes]) -> io::Result<Vec<Bytes>> {
        // A guess that avoids most of the growing: attributes repeat a lot.
        let room = chunks.iter().map(Bytes::len).sum::<usize>() / 4;
        let buffer = Vec::with_capacity(room);
        let level = flate2::Compression::new(self.level);
        let compressed = match self.compression {
            Compression::None => return Ok(chunks.to_vec()),
            Compression::Gzip => write_all(chunks, GzEncoder::new(buffer, level))?.finish()?,
            Compression::Zlib | Compression::Deflate => {
                write_all(chunks, ZlibEncoder::new(buffer, level))?.finish()?
            }
            Compression::Snappy => {
                let mut encoder = snap::raw::Encoder::new();
                encoder.compress_vec(&super::joined(chunks))?
            }
            Compression::SnappyFramed => {
                let encoder = write_all(chunks, snap::write::FrameEncoder::new(buffer))?;
                encoder
                    .into_inner()
                    .map_err(snap::write::IntoInnerError::into_error)?
            }
            Compression::Zstd => {
                let level = i32::try_from(self.level).unwrap_or_default();
                write_all(chunks, zstd::Encoder::new(buffer, level)?)?.finish()?
            }
        };
        Ok(vec![compressed.into()])
    }
}

impl From<Compression> for Compressor {
    fn from(compression: Compression) -> Self {
        Self::new(compression, None)
    }
}

fn write_all<W: Write>(chunks: &[Bytes], mut encoder: W) -> io::Result<W> {
    for chunk in chunks {
        encoder.write_all(chunk)?;
    }
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::io::Read;

    fn inflate(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match compression {
            Compression::None => out.extend(bytes),
            Compression::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut out)),
            Compression::Zlib | Compression::Deflate => {
                drop(flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut out));
            }
            Compression::Snappy => out = snap::raw::Decoder::new().decompress_vec(bytes).unwrap(),
            Compression::SnappyFramed => {
                drop(snap::read::FrameDecoder::new(bytes).read_to_end(&mut out));
            }
            Compression::Zstd => out = zstd::decode_all(bytes).unwrap(),
        }
        out
    }

    #[test]
    fn all_come_back_as_they_were_at_any_level() {
        // Words in an order without a period, so that levels differ.
        let mut state = 1_u32;
        let mut word = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("attribute-{} ", (state >> 16) % 97)
        };
        let text: String = (0..5000).map(|_| word()).collect();
        let whole = Bytes::from(text);
        let chunks = [whole.slice(..10), whole.slice(10..10), whole.slice(10..)];
        for (name, compression) in Compression::WORDS {
            let size = |level| {
                let made = Compressor::new(*compression, level)
                    .compress(&chunks)
                    .unwrap();
                assert_eq!(
                    inflate(*compression, &super::super::joined(&made)),
                    whole,
                    "{name}"
                );
                made.iter().map(Bytes::len).sum::<usize>()
            };
            let fast = size(None);
            let Some(levels) = compression.levels() else {
                continue;
            };
            assert_ne!(size(Some(9)), fast, "{name}: the level counts");
            assert_eq!(size(Some(1)), fast, "{name}");
            size(Some(*levels.start()));
        }
    }

    #[test]
    fn grpc_has_its_own_names() {
        let of = Compression::of_grpc;
        assert_eq!(
            of(Compression::Snappy),
            Some((Compression::SnappyFramed, Some("snappy")))
        );
        assert_eq!(of(Compression::None), Some((Compression::None, None)));
        assert_eq!(
            of(Compression::Zstd),
            Some((Compression::Zstd, Some("zstd")))
        );
        assert_eq!(of(Compression::Deflate), None);
    }
}
