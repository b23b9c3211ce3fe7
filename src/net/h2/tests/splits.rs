//! However a valid conversation is cut, it says the same; and noise does no harm.

use super::*;
use proptest::{collection::vec, prelude::*, sample::Index};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
struct Request {
    fields: Vec<(String, String)>,
    /// Where the header block is cut into frames.
    cuts: Vec<Index>,
    /// Pieces of the body, with their padding.
    pieces: Vec<(Vec<u8>, Option<u8>)>,
    has_trailers: bool,
    has_priority: bool,
}

fn request() -> impl Strategy<Value = Request> {
    let field = ("x-[a-z]{1,8}", "[ -~]{0,40}");
    let piece = (vec(any::<u8>(), 0..300), proptest::option::of(any::<u8>()));
    let parts = (
        vec(field, 0..6),
        vec(any::<Index>(), 0..5),
        vec(piece, 0..5),
        any::<bool>(),
        any::<bool>(),
    );
    parts.prop_map(
        |(fields, cuts, pieces, has_trailers, has_priority)| Request {
            fields,
            cuts,
            pieces,
            has_trailers,
            has_priority,
        },
    )
}

fn padded(kind: u8, flags: u8, stream: u32, payload: &[u8], padding: Option<u8>) -> Vec<u8> {
    match padding {
        None => frame(kind, flags, stream, payload),
        Some(padding) => {
            let zeros = vec![0; usize::from(padding)];
            let payload = [&[padding][..], payload, &zeros].concat();
            frame(kind, flags | flag::PADDED, stream, &payload)
        }
    }
}

impl Request {
    fn ends_with_head(&self) -> bool {
        self.pieces.is_empty() && !self.has_trailers
    }

    /// Its frames; what must stay together is one.
    fn frames(&self, stream: u32) -> Vec<Vec<u8>> {
        let mut block = block(&POST);
        for (name, value) in &self.fields {
            // Remembered, so that blocks build on each other.
            let mut literal = Vec::new();
            hpack::field(&mut literal, name.as_bytes(), value.as_bytes());
            literal[0] = 0x40;
            block.extend_from_slice(&literal);
        }
        let mut cuts: Vec<_> = self.cuts.iter().map(|cut| cut.index(block.len())).collect();
        cuts.sort_unstable();
        cuts.push(block.len());
        let (mut head, mut from, last) = (Vec::new(), 0, cuts.len() - 1);
        for (n, to) in cuts.iter().enumerate() {
            let piece = &block[from..*to];
            let mut flags = if n == last { flag::END_HEADERS } else { 0 };
            if n > 0 {
                put(&mut head, kind::CONTINUATION, flags, stream, piece);
            } else {
                flags |= if self.ends_with_head() {
                    flag::END_STREAM
                } else {
                    0
                };
                let mut payload = Vec::new();
                if self.has_priority {
                    flags |= flag::PRIORITY;
                    payload.extend_from_slice(&[0x80, 0, 0, 0, 16]);
                }
                payload.extend_from_slice(piece);
                let padding = self.has_trailers.then_some(7);
                head.extend(padded(kind::HEADERS, flags, stream, &payload, padding));
            }
            from = *to;
        }
        let mut frames = vec![head];
        for (n, (piece, padding)) in self.pieces.iter().enumerate() {
            let is_last = n + 1 == self.pieces.len() && !self.has_trailers;
            frames.push(padded(
                kind::DATA,
                u8::from(is_last),
                stream,
                piece,
                *padding,
            ));
        }
        if self.has_trailers {
            let trailers = super::block(&[("x-a", "b")]);
            let mut bytes = Vec::new();
            put_block(&mut bytes, stream, true, &trailers);
            frames.push(bytes);
        }
        frames
    }
}

/// Requests as one octet string, their frames in turns.
fn woven(requests: &[Request], turns: &[Index]) -> Vec<u8> {
    let mut bytes = greeting();
    for (n, four) in requests.chunks(4).enumerate() {
        let stream = |at: usize| (8 * n + 2 * at + 1) as u32;
        let mut left: Vec<_> = four
            .iter()
            .enumerate()
            .map(|(at, request)| request.frames(stream(at)).into_iter())
            .collect();
        // Heads first: identifiers must grow.
        left.iter_mut()
            .for_each(|frames| bytes.extend(frames.next().unwrap()));
        let mut turns = turns.iter().cycle();
        while left.iter().any(|frames| frames.len() > 0) {
            let at = turns.next().map_or(0, |turn| turn.index(left.len()));
            let ready = (0..left.len()).map(|k| (at + k) % left.len());
            let at = ready.clone().find(|k| left[*k].len() > 0).unwrap();
            bytes.extend(left[at].next().unwrap());
        }
    }
    bytes
}

/// What became of each stream: its body, and whether it ended.
type Outcome = BTreeMap<u32, (Vec<u8>, bool)>;

/// Feeds pieces, answers what has ended, and tells what came.
fn outcome(pieces: impl Iterator<Item = Vec<u8>>) -> (Outcome, Vec<u8>) {
    let mut wire = Wire::silent();
    // All are read before the first is answered.
    wire.h2.limits.streams = 1000;
    let mut outcome = Outcome::new();
    let mut out = Vec::new();
    for piece in pieces {
        for seen in wire.feed(&piece) {
            let (stream, bytes, ended) = match seen {
                Seen::RequestHead(stream, ended) => (stream, vec![], ended),
                Seen::Data(stream, bytes, ended) => (stream, bytes, ended),
                Seen::Ended(stream) => (stream, vec![], true),
                Seen::Gone(stream) => panic!("{stream} is gone"),
            };
            let known = outcome.entry(stream).or_default();
            known.0.extend(bytes);
            known.1 |= ended;
            if ended {
                wire.h2.answer(stream, b"\x88", b"", ReplyEnd::Stream);
            }
        }
        out.append(&mut wire.h2.out);
    }
    assert_eq!(wire.h2.failure(), None);
    assert!(wire.rest.is_empty());
    (outcome, out)
}

/// `bytes` in pieces that end at `cuts`.
fn cut(bytes: &[u8], cuts: &[Index]) -> Vec<Vec<u8>> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
    at.push(bytes.len());
    at.sort_unstable();
    let mut from = 0;
    at.into_iter()
        .map(|to| bytes[std::mem::replace(&mut from, to)..to].to_vec())
        .collect()
}

/// At most one GOAWAY has been sent, and only after a failure; and for each
/// frame received, which takes nine octets, at most two frames beside the
/// greeting.
fn assert_bounded(wire: &mut Wire, received: usize) {
    let failed = wire.h2.failure().is_some();
    let sent = wire.frames();
    let goaways = sent.iter().filter(|frame| frame.0 == kind::GOAWAY).count();
    assert!(goaways <= usize::from(failed), "{goaways} GOAWAYs");
    let most = 4 + 2 * (received / 9 + 1);
    assert!(
        sent.len() <= most,
        "{} frames for {received} octets",
        sent.len()
    );
}

proptest! {
    #[test]
    fn a_conversation_cut_anywhere_says_the_same(
        requests in vec(request(), 1..9),
        turns in vec(any::<Index>(), 1..20),
        cuts in vec(any::<Index>(), 0..40),
    ) {
        let bytes = woven(&requests, &turns);
        let whole = outcome(std::iter::once(bytes.clone()));
        let want: Outcome = (0..).map(|n| 2 * n + 1).zip(&requests).map(|(stream, request)| {
            let body = request.pieces.iter().flat_map(|(piece, _)| piece.clone()).collect();
            (stream, (body, true))
        }).collect();
        prop_assert_eq!(&whole.0, &want);
        prop_assert_eq!(&outcome(cut(&bytes, &cuts).into_iter()).0, &want);
    }

    #[test]
    fn octet_by_octet_too(requests in vec(request(), 1..3), turns in vec(any::<Index>(), 1..5)) {
        let bytes = woven(&requests, &turns);
        let whole = outcome(std::iter::once(bytes.clone()));
        prop_assert_eq!(outcome(bytes.iter().map(|byte| vec![*byte])).0, whole.0);
    }

    /// Frames of any kind with any payload: never a panic, never more than the
    /// streams that may be, and after a failure nothing more.
    #[test]
    fn noise_in_frames_ends_in_goaway_or_nothing(
        frames in vec((0..12_u8, any::<u8>(), 0..8_u32, vec(any::<u8>(), 0..40)), 0..60),
        cuts in vec(any::<Index>(), 0..10),
    ) {
        let mut bytes = greeting();
        for (kind, flags, stream, payload) in &frames {
            put(&mut bytes, *kind, *flags, *stream, payload);
        }
        let mut wire = Wire::silent();
        for piece in cut(&bytes, &cuts) {
            wire.feed(&piece);
        }
        let failed = wire.h2.failure().is_some();
        let goaways = wire.frames().iter().filter(|frame| frame.0 == kind::GOAWAY).count();
        prop_assert_eq!(goaways, usize::from(failed));
        prop_assert_eq!(wire.feed(&head(99, true, &[])).is_empty() || !failed, true);
    }

    #[test]
    fn noise_does_no_harm(noise: Vec<u8>, has_preface: bool) {
        let mut wire = Wire::silent();
        if has_preface {
            wire.feed(PREFACE);
        }
        wire.feed(&noise);
        assert_bounded(&mut wire, noise.len());
    }

    /// Good frames with one octet changed.
    #[test]
    fn damage_does_no_harm(requests in vec(request(), 1..5), at: Index, to: u8) {
        let mut bytes = woven(&requests, &[]);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let mut wire = Wire::silent();
        for seen in wire.feed(&bytes) {
            if let Seen::RequestHead(stream, true) | Seen::Data(stream, _, true) | Seen::Ended(stream) = seen {
                wire.h2.answer(stream, b"\x88", b"", ReplyEnd::Stream);
            }
        }
        assert_bounded(&mut wire, bytes.len());
    }
}
