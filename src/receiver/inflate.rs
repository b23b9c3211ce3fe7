/*!
Codings of requests, with a hard limit on what comes out.

The decoders are driven through `Read::take`, so a compression bomb costs the
limit and no more, whatever its headers promise. A block of Snappy says first how
long it is, which is held against the limit.
*/

use http::HeaderValue;
use std::io::Read;

/// The codings that requests may use, as `grpc-accept-encoding` and
/// `Accept-Encoding` list them.
pub(crate) const ACCEPTED: HeaderValue =
    HeaderValue::from_static("identity,gzip,zstd,snappy,deflate");

/// The same, for people.
pub(crate) const NAMES: &str = "identity, gzip, zstd, snappy or deflate";

/// log2 of the largest zstd window accepted, 32 MiB: the stock encoders of the
/// OpenTelemetry SDKs and Collector use at most that, and the decoder allocates
/// it as soon as a frame's header asks for it.
const ZSTD_WINDOW_LOG: u32 = 25;

/// The same where no more than 1 MiB comes out: 2 MiB, which level 3 uses.
const SMALL_ZSTD_WINDOW_LOG: u32 = 21;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As is.
    Identity,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// What HTTP calls deflate: the zlib format (RFC 9110, 8.4.1.2).
    Zlib,
    /// Snappy, as a block or framed: Collectors send the one or the other under the
    /// same name, depending on their version.
    Snappy,
}

/// What framed Snappy begins with.
const SNAPPY_FRAMES: &[u8] = b"\xff\x06\x00\x00sNaPpY";

impl Coding {
    /// The coding that a header names (absent or empty: identity); the header's
    /// text when it is none of ours.
    pub(crate) fn parse(header: Option<&[u8]>) -> Result<Self, String> {
        let Some(value) = header else {
            return Ok(Coding::Identity);
        };
        let name = value.trim_ascii();
        for (known, coding) in [
            ("", Coding::Identity),
            ("identity", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("zstd", Coding::Zstd),
            ("deflate", Coding::Zlib),
            ("zlib", Coding::Zlib),
            ("snappy", Coding::Snappy),
            ("x-snappy-framed", Coding::Snappy),
        ] {
            if name.eq_ignore_ascii_case(known.as_bytes()) {
                return Ok(coding);
            }
        }
        Err(String::from_utf8_lossy(name).chars().take(64).collect())
    }

    /// Its registered name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
            Coding::Zlib => "deflate",
            Coding::Snappy => "snappy",
        }
    }
}

/// Why a body could not be inflated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InflateError {
    /// More than the limit comes out.
    TooLarge,
    /// The data are not what the coding says.
    Corrupt(String),
}

/// Returns `input` inflated to at most `limit` bytes: `out`, which is empty, or
/// `input` itself if it is not compressed.
pub(crate) fn inflate<'b>(
    coding: Coding,
    input: &'b [u8],
    limit: usize,
    out: &'b mut Vec<u8>,
) -> Result<&'b [u8], InflateError> {
    if coding != Coding::Identity {
        read_all(coding, input, limit, out)?;
        return Ok(out);
    }
    match input.len() > limit {
        true => Err(InflateError::TooLarge),
        false => Ok(input),
    }
}

fn read_all(
    coding: Coding,
    input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), InflateError> {
    let most = (limit as u64).saturating_add(1);
    let read = match coding {
        Coding::Identity => input.take(most).read_to_end(out),
        // RFC 1952: a file may consist of several members.
        Coding::Gzip => flate2::bufread::MultiGzDecoder::new(input)
            .take(most)
            .read_to_end(out),
        Coding::Zstd => zstd::stream::read::Decoder::with_buffer(input).and_then(|mut decoder| {
            decoder.window_log_max(match limit > 1 << 20 {
                true => ZSTD_WINDOW_LOG,
                false => SMALL_ZSTD_WINDOW_LOG,
            })?;
            decoder.take(most).read_to_end(out)
        }),
        Coding::Zlib => flate2::bufread::ZlibDecoder::new(input)
            .take(most)
            .read_to_end(out),
        Coding::Snappy if input.starts_with(SNAPPY_FRAMES) => snap::read::FrameDecoder::new(input)
            .take(most)
            .read_to_end(out),
        Coding::Snappy => return read_block(input, limit, out),
    };
    match read {
        Ok(_) if out.len() > limit => Err(InflateError::TooLarge),
        Ok(_) => Ok(()),
        Err(error) => Err(InflateError::Corrupt(error.to_string())),
    }
}

/// Reads a block of Snappy.
fn read_block(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
    let corrupt = |error: snap::Error| InflateError::Corrupt(error.to_string());
    if input.is_empty() {
        return Ok(());
    }
    let length = snap::raw::decompress_len(input).map_err(corrupt)?;
    if length > limit {
        return Err(InflateError::TooLarge);
    }
    out.resize(length, 0);
    let mut decoder = snap::raw::Decoder::new();
    let read = decoder.decompress(input, out).map_err(corrupt)?;
    out.truncate(read);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    const ALL: [Coding; 4] = [Coding::Gzip, Coding::Zstd, Coding::Zlib, Coding::Snappy];

    fn framed(data: &[u8]) -> Vec<u8> {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(data).unwrap();
        encoder.into_inner().unwrap()
    }

    fn pack(coding: Coding, data: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Identity => data.to_vec(),
            Coding::Gzip => gzip(data),
            Coding::Zstd => zstd::encode_all(data, 1).unwrap(),
            Coding::Zlib => {
                let level = flate2::Compression::fast();
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Snappy => snap::raw::Encoder::new().compress_vec(data).unwrap(),
        }
    }

    fn unpack(coding: Coding, data: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
        inflate(coding, data, limit, &mut Vec::new()).map(<[u8]>::to_vec)
    }

    #[test]
    fn reads_header_names() {
        let parse = |text: &str| Coding::parse(Some(text.as_bytes()));
        assert_eq!(Coding::parse(None), Ok(Coding::Identity));
        assert_eq!(parse("GZip"), Ok(Coding::Gzip));
        assert_eq!(parse(" zstd"), Ok(Coding::Zstd));
        assert_eq!(parse("deflate"), Ok(Coding::Zlib));
        assert_eq!(parse("snappy"), Ok(Coding::Snappy));
        assert_eq!(parse("br"), Err("br".to_owned()));
        assert_eq!(parse("gzip, gzip"), Err("gzip, gzip".to_owned()));
    }

    #[test]
    fn several_members_are_one_body() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let two = [pack(coding, b"ab"), pack(coding, b"cd")].concat();
            assert_eq!(unpack(coding, &two, 10).unwrap(), b"abcd");
        }
    }

    #[test]
    fn a_bomb_costs_the_limit() {
        for coding in ALL {
            let bomb = pack(coding, &vec![0; 8 << 20]);
            assert!(bomb.len() < 500_000);
            let mut out = Vec::new();
            assert_eq!(
                inflate(coding, &bomb, 1000, &mut out),
                Err(InflateError::TooLarge)
            );
            assert!(out.capacity() < 50_000, "{}", out.capacity());
            assert_eq!(unpack(coding, &bomb, 8 << 20).unwrap().len(), 8 << 20);
        }
        let bomb = framed(&vec![0; 8 << 20]);
        assert_eq!(
            unpack(Coding::Snappy, &bomb, 1000),
            Err(InflateError::TooLarge)
        );
        assert_eq!(
            unpack(Coding::Identity, b"abc", 2),
            Err(InflateError::TooLarge)
        );
    }

    #[test]
    fn a_zstd_frame_cannot_ask_for_a_huge_window() {
        // Magic, descriptor without content size, window descriptor 2^31, an empty raw block.
        let frame = [0x28, 0xB5, 0x2F, 0xFD, 0x00, (21 << 3), 0x01, 0x00, 0x00];
        assert!(matches!(
            unpack(Coding::Zstd, &frame, 1000),
            Err(InflateError::Corrupt(_))
        ));
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(data: Vec<u8>, coding in prop::sample::select(&ALL)) {
            prop_assert_eq!(&unpack(coding, &pack(coding, &data), data.len()).unwrap(), &data);
            prop_assert_eq!(unpack(Coding::Snappy, &framed(&data), data.len()).unwrap(), data);
        }

        #[test]
        fn a_cut_is_noticed(data in prop::collection::vec(any::<u8>(), 1..200), coding in prop::sample::select(&ALL), at: prop::sample::Index) {
            let packed = pack(coding, &data);
            let cut = &packed[..1 + at.index(packed.len() - 1)];
            prop_assume!(cut.len() < packed.len());
            prop_assert!(matches!(unpack(coding, cut, 1000), Err(InflateError::Corrupt(_))));
        }

        #[test]
        fn noise_does_no_harm(noise: Vec<u8>, coding in prop::sample::select(&ALL)) {
            if let Ok(out) = unpack(coding, &noise, 1000) {
                prop_assert!(out.len() <= 1000);
            }
        }
    }
}
