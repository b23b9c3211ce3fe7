/*!
A client's side of a conversation with an HTTP/2 connection: its octets are fed in
pieces, and its requests are answered, as a script says.

What the connection must keep to is checked at every event and every frame that it
writes: a stream is opened once and only grows, has data while its request is open,
and nothing after its end; and at most so many are open at once.
*/

use super::frames::{HEAD, MAX_PAYLOAD, PREFACE, head};
use std::collections::{BTreeMap, BTreeSet};
use wayspan::net::h2::{ErrorCode, H2Connection, H2Event, H2Failure, H2Limits, ReplyEnd};

/// Streams that may be open at once.
const STREAMS: u32 = 4;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Decisions, read from bytes round and round.
pub struct Script<'s> {
    bytes: &'s [u8],
    at: usize,
}

impl<'s> Script<'s> {
    pub fn new(bytes: &'s [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at % self.bytes.len().max(1));
        self.at += 1;
        let round = self.at / self.bytes.len().max(1);
        // What comes round again is something else.
        byte.map_or(0, |byte| byte.wrapping_add(round as u8))
    }

    /// The length of the next piece.
    pub fn piece(&mut self) -> usize {
        match self.byte() % 8 {
            0 => 1,
            1 => 9,
            2 | 3 => 1 + usize::from(self.byte()),
            4 | 5 => 16 * (1 + usize::from(self.byte())),
            _ => usize::MAX,
        }
    }

    /// Octets of an answer: mostly few, now and then more than a frame or a window holds.
    fn body(&mut self) -> &'static [u8] {
        static BODY: [u8; 70_000] = [7; 70_000];
        let length = match self.byte() {
            0..8 => BODY.len(),
            8..24 => MAX_PAYLOAD + 1,
            24..128 => 0,
            other => usize::from(other),
        };
        &BODY[..length]
    }

    fn end(&mut self) -> ReplyEnd {
        match self.byte() % 4 {
            0 => ReplyEnd::Stream,
            1 => ReplyEnd::Open,
            _ => ReplyEnd::Trailers(b"\x00\x0bgrpc-status\x010"),
        }
    }
}

fn limits() -> H2Limits {
    H2Limits {
        streams: STREAMS,
        header_bytes: 2000,
        credentials: Some(http::HeaderName::from_static("authorization")),
    }
}

/// What is known of a stream that is not over.
#[derive(Debug, Default)]
struct Stream {
    /// Its request is complete.
    is_ended: bool,
    /// Its answer has begun, and has ended.
    answer: Option<ReplyEnd>,
}

pub struct Conversation<'s> {
    h2: H2Connection,
    script: Script<'s>,
    /// Received, and not yet a whole frame.
    rest: Vec<u8>,
    /// Octets of what is to be written that were looked at.
    seen: usize,
    open: BTreeMap<u32, Stream>,
    over: BTreeSet<u32>,
    /// Octets of answers.
    pub answered: usize,
}

impl<'s> Conversation<'s> {
    pub fn new(script: Script<'s>) -> Self {
        Self {
            h2: H2Connection::new(limits()),
            script,
            rest: Vec::new(),
            seen: 0,
            open: BTreeMap::new(),
            over: BTreeSet::new(),
            answered: 0,
        }
    }

    /// Lets the connection read all of `octets`, and answers as the script says.
    pub fn hold(&mut self, mut octets: &[u8]) {
        self.read_out();
        loop {
            let (piece, rest) = octets.split_at(octets.len().min(self.script.piece()));
            octets = rest;
            self.feed(piece);
            match self.script.byte() {
                0 => self.h2.leave(),
                1..4 => self.h2.ping(),
                4..32 => self.go_on(),
                _ => {}
            }
            self.read_out();
            // Now and then the peer does not read.
            if self.h2.is_clogged() || self.script.byte() > 32 {
                self.write();
            }
            if octets.is_empty() {
                break;
            }
        }
        // What was not read, because there was too much to write.
        self.write();
        self.feed(&[]);
        while self.h2.is_clogged() {
            self.write();
            self.feed(&[]);
        }
        self.check_end();
    }

    fn feed(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        let rest = std::mem::take(&mut self.rest);
        let mut input = &rest[..];
        while let Some(event) = self.h2.next(&mut input) {
            let stream = self.event(&event);
            self.act(stream);
            assert!(self.open.len() <= STREAMS as usize, "too many streams");
        }
        self.read_out();
        self.rest = input.to_vec();
    }

    /// Takes note of an event; the stream that it is about.
    fn event(&mut self, event: &H2Event<'_>) -> u32 {
        self.read_out();
        match *event {
            H2Event::Head { stream, ended } => {
                let last = self.over.last().max(self.open.keys().last());
                assert!(stream % 2 == 1 && last.is_none_or(|last| stream > *last));
                self.open.entry(stream).or_default().is_ended = ended;
                stream
            }
            H2Event::Data { stream, ended, .. } => {
                self.piece_of(stream, ended);
                stream
            }
            H2Event::Ended { stream } => {
                self.piece_of(stream, true);
                stream
            }
            H2Event::Gone { stream } => {
                assert!(self.open.contains_key(&stream), "{stream} was not there");
                self.finish(stream);
                stream
            }
        }
    }

    fn piece_of(&mut self, stream: u32, ended: bool) {
        let known = self.open.get_mut(&stream);
        let known = known.unwrap_or_else(|| panic!("data of {stream}, which is not open"));
        assert!(!known.is_ended, "data of {stream}, which has ended");
        known.is_ended = ended;
    }

    fn finish(&mut self, stream: u32) {
        self.open.remove(&stream);
        self.over.insert(stream);
    }

    /// Does with a stream what the script says.
    fn act(&mut self, stream: u32) {
        let Some(known) = self.open.get_mut(&stream) else {
            return;
        };
        let is_early = !known.is_ended && self.script.byte() > 16;
        if is_early || known.answer.is_some() {
            return;
        }
        if self.script.byte() < 12 {
            assert!(self.h2.reset(stream, ErrorCode::Protocol));
            self.finish(stream);
        } else {
            let (body, end) = (self.script.body(), self.script.end());
            known.answer = Some(end);
            self.answered += body.len();
            self.h2.answer(stream, b"\x88", body, end);
        }
        self.read_out();
    }

    /// Goes on with the answers that were left open.
    fn go_on(&mut self) {
        let is_open = |stream: &Stream| stream.answer == Some(ReplyEnd::Open);
        let all = self.open.iter().filter(|(_, stream)| is_open(stream));
        for stream in all.map(|(id, _)| *id).collect::<Vec<_>>() {
            let (body, end) = (self.script.body(), self.script.end());
            self.answered += body.len();
            self.h2.go_on(stream, body, end);
            if let Some(known) = self.open.get_mut(&stream) {
                known.answer = Some(end);
            }
            self.read_out();
        }
    }

    /// Reads the frames that are to be written, which are whole.
    fn read_out(&mut self) {
        while let Some(frame) = self.h2.out.get(self.seen..).filter(|out| !out.is_empty()) {
            let (length, kind, flags, stream) = head(frame).expect("a frame is written whole");
            assert!(frame.len() >= HEAD + length && length <= MAX_PAYLOAD);
            self.seen += HEAD + length;
            match kind {
                // Only a head that was never announced is answered without us.
                HEADERS => {
                    let answer = self.open.get(&stream).map(|known| known.answer.is_some());
                    assert!(answer.unwrap_or(!self.over.contains(&stream)));
                    assert!(flags & END_HEADERS != 0);
                }
                DATA => {
                    let known = self.open.get(&stream);
                    assert!(known.is_some_and(|known| known.answer.is_some()));
                }
                RST_STREAM | SETTINGS | PING | WINDOW_UPDATE | GOAWAY => continue,
                other => panic!("a frame of kind {other} is written"),
            }
            if flags & END_STREAM != 0 {
                self.finish(stream);
            }
        }
    }

    /// The peer takes what is to be written.
    fn write(&mut self) {
        self.h2.out.clear();
        self.seen = 0;
    }

    /// It has ended by a failure, or waits for more of a frame.
    fn check_end(&mut self) {
        if self.h2.failure().is_some() {
            assert!(self.rest.is_empty());
            let mut more = PREFACE;
            assert_eq!((self.h2.next(&mut more), more), (None, &[][..]));
            return;
        }
        let missing = match head(&self.rest) {
            Some((length, ..)) => length <= MAX_PAYLOAD && self.rest.len() < HEAD + length,
            None => true,
        };
        assert!(
            missing || PREFACE.starts_with(&self.rest),
            "it stands still"
        );
        let answers = || self.open.values().filter_map(|known| known.answer);
        let is_held_up = self.h2.waits().is_held_up;
        assert!(
            is_held_up || answers().all(|end| end == ReplyEnd::Open),
            "no end"
        );
        assert!(
            !is_held_up || answers().next().is_some(),
            "nothing is held up"
        );
    }
}

/// What became of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    body: Vec<u8>,
    is_ended: bool,
    is_gone: bool,
}

/// What becomes of the requests in `octets`, read in such pieces and answered as soon
/// as they are complete; and why the connection failed, if it did.
pub fn outcomes(
    octets: &[u8],
    mut piece: impl FnMut() -> usize,
) -> (BTreeMap<u32, Outcome>, Option<H2Failure>) {
    let mut h2 = H2Connection::new(limits());
    let mut outcomes = BTreeMap::<u32, Outcome>::new();
    let (mut from, mut to) = (0, 0);
    while to < octets.len() {
        to = octets.len().min(to.saturating_add(piece()));
        let mut input = &octets[from..to];
        while let Some(event) = h2.next(&mut input) {
            let (stream, bytes, ended) = match event {
                H2Event::Head { stream, ended } => (stream, &[][..], ended),
                H2Event::Data {
                    stream,
                    bytes,
                    ended,
                } => (stream, bytes, ended),
                H2Event::Ended { stream } => (stream, &[][..], true),
                H2Event::Gone { stream } => {
                    // How much of it came depends on where it was cut.
                    let gone = Outcome {
                        is_gone: true,
                        ..Outcome::default()
                    };
                    outcomes.insert(stream, gone);
                    continue;
                }
            };
            let outcome = outcomes.entry(stream).or_default();
            outcome.body.extend_from_slice(bytes);
            outcome.is_ended |= ended;
            if ended {
                h2.answer(stream, b"\x88", b"", ReplyEnd::Stream);
            }
            h2.out.clear();
        }
        h2.out.clear();
        from = to - input.len();
        if h2.failure().is_some() {
            break;
        }
    }
    (outcomes, h2.failure())
}
