//! Requests and pieces of bodies that are as small as can be, and so as many.

use super::preface;
use crate::{
    attack::{Attack, Prepared},
    target::Target,
};
use futures_util::future::join_all;
use testkit::{EXPORT, Protocol, Signal, frames};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

pub fn all() -> Vec<Attack> {
    vec![
        calls("calls without a message", |stream| call(stream, None)),
        calls("calls of nothing", |stream| call(stream, Some(&[]))),
        calls("calls of a broken message", |stream| {
            call(stream, Some(&[0xff]))
        }),
        calls("messages a byte a frame", |stream| pieces(stream, 0)),
        calls("messages a byte a frame, padded", |stream| {
            pieces(stream, 8)
        })
        .long(),
        http1("requests for nothing there", || {
            b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100)
        }),
        http1("chunks of a byte", chunks),
        unread("answers unread"),
    ]
}

/// The head of an Export call, whose fields the peer has in its table.
fn head(stream: u32, flags: u8) -> Vec<u8> {
    frames::http2(
        HEADERS,
        END_HEADERS | flags,
        stream,
        &[0x83, 0x86, 0xc0, 0xbf, 0xbe],
    )
}

/// The head that puts them there.
fn first_head(stream: u32) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (start, text) in [(0x44, EXPORT), (0x5f, "application/grpc")] {
        block.extend([start, text.len() as u8]);
        block.extend(text.as_bytes());
    }
    block.extend(b"\x40\x02te\x08trailers");
    frames::http2(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}

/// One call, with this message or with none.
fn call(stream: u32, message: Option<&[u8]>) -> Vec<u8> {
    match message {
        None => head(stream, END_STREAM),
        Some(message) => {
            let data = frames::http2(DATA, END_STREAM, stream, &frames::grpc(0, message));
            [head(stream, 0), data].concat()
        }
    }
}

/// One call whose message comes a byte at a time, each with so much padding.
fn pieces(stream: u32, padding: u8) -> Vec<u8> {
    let message = frames::grpc(0, &[0x9a, 0x06, 0x00].repeat(100));
    let mut bytes = head(stream, 0);
    for (at, byte) in message.iter().enumerate() {
        let end = if at + 1 == message.len() {
            END_STREAM
        } else {
            0
        };
        let piece = match padding {
            0 => frames::http2(DATA, end, stream, &[*byte]),
            padding => {
                let mut payload = vec![padding, *byte];
                payload.resize(2 + usize::from(padding), 0);
                frames::http2(DATA, PADDED | end, stream, &payload)
            }
        };
        bytes.extend(piece);
    }
    bytes
}

/// What is sent before the calls.
fn hello() -> Vec<u8> {
    [preface(), first_head(1)].concat()
}

/// Calls one after another on each of four connections.
fn calls(name: &str, call: fn(u32) -> Vec<u8>) -> Attack {
    Attack::new(name, move || {
        Prepared::new(call(3).len(), move |target: Target| async move {
            let hello = hello();
            // Many at once, so that a write is not what takes long.
            let some = |n: u32| {
                let first = 2 * n * MANY + 3;
                Some((0..MANY).flat_map(|at| call(first + 2 * at)).collect())
            };
            let conversation = || target.flood(target.grpc, &hello, some);
            join_all((0..4).map(|_| target.insist(conversation))).await;
        })
    })
}

const MANY: u32 = 50;

/// The same bytes again and again over HTTP/1.1.
fn http1(name: &str, bytes: fn() -> Vec<u8>) -> Attack {
    Attack::new(name, move || {
        let bytes = bytes();
        Prepared::new(bytes.len(), move |target: Target| async move {
            let conversation = || target.flood(target.http, b"", |_| Some(bytes.clone()));
            join_all((0..4).map(|_| target.insist(conversation))).await;
        })
    })
}

/// A request whose body comes in many chunks, and which has no span.
fn chunks() -> Vec<u8> {
    let mut bytes = format!(
        "POST {} HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\
         transfer-encoding: chunked\r\n\r\n",
        Protocol::Http.path(Signal::Traces)
    )
    .into_bytes();
    for _ in 0..1000 {
        for byte in [0x9a, 0x06, 0x00] {
            bytes.extend([b'1', b'\r', b'\n', byte, b'\r', b'\n']);
        }
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

/// Calls on many connections, of which no answer is ever read.
fn unread(name: &str) -> Attack {
    Attack::new(name, || {
        Prepared::new(call(3, None).len(), |target: Target| async move {
            let hello = hello();
            let some = |n: u32| {
                let first = 2 * n * MANY + 3;
                Some(
                    (0..MANY)
                        .flat_map(|at| call(first + 2 * at, None))
                        .collect(),
                )
            };
            let conversation = || target.flood_unread(target.grpc, &hello, some);
            join_all((0..40).map(|_| target.insist(conversation))).await;
        })
    })
}
