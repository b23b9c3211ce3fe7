//! Compressed bodies that are odd: parts without content, and large windows.

use crate::{
    attack::{Attack, Prepared},
    requests::{Carrier, Coding, FOUR, PROTOBUF, Requests, Way},
};
use std::io::Write;
use testkit::frames;

pub fn all() -> Vec<Attack> {
    vec![
        packed(
            "10000 empty gzip members",
            Carrier::Grpc,
            Coding::Gzip,
            || frames::gzip(&[]).repeat(10_000),
        ),
        packed(
            "20000 empty zstd frames",
            Carrier::Grpc,
            Coding::Zstd,
            || EMPTY_FRAME.repeat(20_000),
        ),
        packed("zstd windows of 32 MiB", Carrier::Grpc, Coding::Zstd, wide),
        packed(
            "10000 empty gzip members, HTTP",
            Carrier::Http1,
            Coding::Gzip,
            || frames::gzip(&[]).repeat(10_000),
        )
        .long(),
        packed(
            "zstd windows of 32 MiB, HTTP",
            Carrier::Http1,
            Coding::Zstd,
            wide,
        )
        .long(),
    ]
}

/// A frame of a single segment, whose size is 0, with a last block of nothing (RFC
/// 8878).
const EMPTY_FRAME: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00];

/// An empty request's bytes after a window that holds them many times.
fn wide() -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(25).unwrap();
    encoder.write_all(&[0x9a, 0x06, 0x00]).unwrap();
    encoder.finish().unwrap()
}

/// Sends what is compressed already.
fn packed(
    name: &str,
    carrier: Carrier,
    coding: Coding,
    body: impl Fn() -> Vec<u8> + 'static,
) -> Attack {
    let way = Way::new(carrier, coding);
    Attack::new(name, move || {
        let (body, headers) = way.frame(&body(), PROTOBUF);
        let requests = Requests {
            carrier,
            crowd: FOUR,
            body,
            headers,
        };
        Prepared::new(requests.body.len(), |target| requests.send(target))
    })
}
