//! What stands around messages on the wire: gRPC's prefix, HTTP/2's frames,
//! compression.

use flate2::{
    Compression,
    read::{MultiGzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};
use std::io::{self, Read, Write};

/// The bytes before a gRPC message: a flag and the length.
pub const PREFIX: usize = 5;

/// A gRPC message with its prefix; the flag is 1 where it is compressed.
pub fn grpc(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut framed = vec![0; PREFIX];
    framed.extend_from_slice(message);
    fill_prefix(flag, &mut framed);
    framed
}

/// Writes the prefix of a message that stands behind the room for it.
pub fn fill_prefix(flag: u8, framed: &mut [u8]) {
    let length = u32::try_from(framed.len() - PREFIX).expect("less than 4 GiB");
    framed[0] = flag;
    framed[1..PREFIX].copy_from_slice(&length.to_be_bytes());
}

/// An HTTP/2 frame (RFC 9113, 4.1).
pub fn http2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// The zlib format, which HTTP calls deflate.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A block of Snappy.
pub fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

/// Framed Snappy, which Collectors send over gRPC.
pub fn snappy_framed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.into_inner().unwrap()
}

pub fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut out)?;
    Ok(out)
}

/// What [`deflate`] makes, read back.
pub fn inflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    ZlibDecoder::new(bytes).read_to_end(&mut out)?;
    Ok(out)
}

/// What [`snappy`] makes, read back.
pub fn unsnap(bytes: &[u8]) -> io::Result<Vec<u8>> {
    Ok(snap::raw::Decoder::new().decompress_vec(bytes)?)
}

/// What [`snappy_framed`] makes, read back.
pub fn unsnap_framed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    snap::read::FrameDecoder::new(bytes).read_to_end(&mut out)?;
    Ok(out)
}
