//! A connection without a socket: frames in, events and frames out.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod faults;
mod floods;
mod oracle;
mod splits;

use super::{
    frame::{FrameHead, HEAD, PREFACE, flag, kind, put, put_block, put_settings},
    *,
};

/// An [`H2Event`] that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    RequestHead(u32, bool),
    Data(u32, Vec<u8>, bool),
    Ended(u32),
    Gone(u32),
}

/// A frame: kind, flags, stream, payload.
type Frame = (u8, u8, u32, Vec<u8>);

/// A connection and what it has not read yet.
struct Wire {
    h2: H2Connection,
    rest: Vec<u8>,
}

fn limits() -> H2Limits {
    H2Limits {
        streams: 4,
        header_bytes: 2000,
        credentials: Some(http::HeaderName::from_static("x-token")),
    }
}

impl Wire {
    /// Nothing was said yet.
    fn silent() -> Self {
        let mut h2 = H2Connection::new(limits());
        h2.out.clear();
        Self {
            h2,
            rest: Vec::new(),
        }
    }

    /// Both sides have said and heard their settings.
    fn new() -> Self {
        let mut wire = Self::silent();
        assert_eq!(wire.feed(&greeting()), []);
        assert_eq!(wire.frames(), [(kind::SETTINGS, flag::ACK, 0, vec![])]);
        assert!(wire.h2.waits().is_settled);
        wire
    }

    /// What `bytes` lead to.
    fn feed(&mut self, bytes: &[u8]) -> Vec<Seen> {
        self.rest.extend_from_slice(bytes);
        let mut input = &self.rest[..];
        let mut seen = Vec::new();
        while let Some(event) = self.h2.next(&mut input) {
            seen.push(match event {
                H2Event::Head { stream, ended } => Seen::RequestHead(stream, ended),
                H2Event::Data {
                    stream,
                    bytes,
                    ended,
                } => Seen::Data(stream, bytes.to_vec(), ended),
                H2Event::Ended { stream } => Seen::Ended(stream),
                H2Event::Gone { stream } => Seen::Gone(stream),
            });
        }
        self.rest = input.to_vec();
        seen
    }

    /// The frames written since the last call.
    fn frames(&mut self) -> Vec<Frame> {
        let mut rest = &std::mem::take(&mut self.h2.out)[..];
        let mut frames = Vec::new();
        while let Some(head) = FrameHead::parse(rest) {
            let (frame, after) = rest.split_at(HEAD + head.length);
            frames.push((head.kind, head.flags, head.stream, frame[HEAD..].to_vec()));
            rest = after;
        }
        assert!(rest.is_empty());
        frames
    }

    /// Codes of the RST_STREAM and GOAWAY frames written since the last call.
    fn codes(&mut self) -> Vec<(u8, u32)> {
        let code = |frame: Frame| match frame {
            (kind::RST_STREAM, .., payload) => Some((kind::RST_STREAM, payload[3].into())),
            (kind::GOAWAY, .., payload) => Some((kind::GOAWAY, payload[7].into())),
            _ => None,
        };
        self.frames().into_iter().filter_map(code).collect()
    }
}

/// What a client says first, and its acknowledgement of our settings.
fn greeting() -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    put_settings(&mut bytes, &[]);
    put(&mut bytes, kind::SETTINGS, flag::ACK, 0, &[]);
    bytes
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, kind, flags, stream, payload);
    bytes
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        hpack::field(&mut block, name.as_bytes(), value.as_bytes());
    }
    block
}

const POST: [(&str, &str); 3] = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b")];

/// HEADERS of a request, with more fields.
fn head(stream: u32, ended: bool, more: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_block(
        &mut bytes,
        stream,
        ended,
        &block(&[&POST[..], more].concat()),
    );
    bytes
}

fn data(stream: u32, ended: bool, payload: &[u8]) -> Vec<u8> {
    frame(kind::DATA, u8::from(ended), stream, payload)
}

fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

fn reset(stream: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

fn settings(all: &[(u16, u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_settings(&mut bytes, all);
    bytes
}
