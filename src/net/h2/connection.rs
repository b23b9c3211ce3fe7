/*!
One connection: its state, and the questions about it.

[`receive`](super::receive) has what comes from the peer, [`send`](super::send)
what goes to it.
*/

use super::{
    allowance::Allowance,
    error::{ErrorCode, FrameFault, H2Failure},
    flow::{INITIAL, Inflow, Outflow},
    frame::{self, PREFACE, setting},
    head::RequestHead,
    hpack::HpackDecoder,
    stream::{Absent, Streams},
};
use http::HeaderName;

/// Requests are small and many, so a stream's window needs to hold little; the
/// connection's is four times that, because equal windows let one stalled stream
/// hold up all others.
pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
pub(crate) const CONNECTION_WINDOW: u32 = 4 << 20;

/// While more than this waits to be written, nothing is read.
const CLOGGED: usize = 128 << 10;

/// What our PINGs carry: whether the peer is there, and whether it has heard
/// that we leave.
pub(super) const ALIVE: [u8; 8] = *b"wayspan?";
pub(super) const LEAVING: [u8; 8] = *b"wayspan!";

/// What peers are held to.
#[derive(Clone, Debug)]
pub struct H2Limits {
    /// Streams at once.
    pub streams: u32,
    /// Octets of a head, as SETTINGS_MAX_HEADER_LIST_SIZE counts them.
    pub header_bytes: u32,
    /// The field that credentials stand in; it is kept of a head.
    pub credentials: Option<HeaderName>,
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub enum H2Event<'i> {
    /// A request begins: see [`H2Connection::head`].
    Head {
        /// Its stream.
        stream: u32,
        /// It has no body.
        ended: bool,
    },
    /// A piece of its body.
    Data {
        /// Its stream.
        stream: u32,
        /// Where it was read to.
        bytes: &'i [u8],
        /// It is the last.
        ended: bool,
    },
    /// It has ended, with trailers.
    Ended {
        /// Its stream.
        stream: u32,
    },
    /// It will not end: the sender has reset it, or broken the protocol.
    Gone {
        /// Its stream.
        stream: u32,
    },
}

/// What the peer has begun and not ended, or owes us.
#[derive(Clone, Copy, Debug)]
pub struct PeerWaits {
    /// Both sides have said and heard their settings.
    pub(crate) is_settled: bool,
    /// A header block has begun and not ended.
    pub(crate) is_in_block: bool,
    /// An answer waits for the peer to open a window.
    pub is_held_up: bool,
    /// A PING of ours has not been answered.
    pub(crate) is_pinged: bool,
    /// Octets of data sent so far, which grow while windows are opened.
    pub(crate) sent: u64,
}

/// How far the connection has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum H2Phase {
    /// The client's preface is due.
    Preface,
    /// Its SETTINGS are due.
    Settings,
    Open,
}

/// How far it has ended (RFC 9113, 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// GOAWAY was sent; what the peer had sent by then is taken.
    Told,
    /// Streams after this one are not taken.
    Last(u32),
}

/// A header block that has not ended.
#[derive(Debug)]
pub(super) struct Block {
    pub(crate) stream: u32,
    pub(crate) ends_stream: bool,
    pub(crate) depends_on_itself: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) pieces: u32,
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct H2Connection {
    pub(super) limits: H2Limits,
    pub(super) phase: H2Phase,
    pub(super) leaving: Leaving,
    pub(super) failure: Option<H2Failure>,
    pub(super) decoder: HpackDecoder,
    pub(super) head: RequestHead,
    pub(super) block: Option<Box<Block>>,
    pub(super) streams: Streams,
    pub(super) inflow: Inflow,
    pub(super) outflow: Outflow,
    /// The window of a new stream towards the peer.
    pub(super) peer_window: u32,
    /// Streams whose answer waits for a window.
    pub(super) waiting: usize,
    /// Octets of data sent.
    pub(super) sent: u64,
    /// Requests with heads over the limit that nobody was told of yet.
    pub(super) long_heads: u32,
    pub(super) resets: Allowance,
    pub(super) idle: Allowance,
    pub(super) is_acknowledged: bool,
    /// A PING of ours is on its way.
    pub(super) is_pinged: bool,
    /// What is to be written.
    pub out: Vec<u8>,
}

impl H2Connection {
    /// A connection just accepted; our SETTINGS are in `out`.
    pub fn new(limits: H2Limits) -> Self {
        let mut out = Vec::new();
        frame::put_settings(
            &mut out,
            &[
                (setting::MAX_CONCURRENT_STREAMS, limits.streams),
                (setting::INITIAL_WINDOW_SIZE, STREAM_WINDOW),
                (setting::MAX_HEADER_LIST_SIZE, limits.header_bytes),
            ],
        );
        frame::put_window(&mut out, 0, CONNECTION_WINDOW - INITIAL);
        Self {
            phase: H2Phase::Preface,
            leaving: Leaving::No,
            failure: None,
            decoder: HpackDecoder::default(),
            head: RequestHead::new(limits.header_bytes as usize, limits.credentials.clone()),
            block: None,
            streams: Streams::default(),
            inflow: Inflow::new(CONNECTION_WINDOW),
            outflow: Outflow::new(INITIAL),
            peer_window: INITIAL,
            waiting: 0,
            sent: 0,
            long_heads: 0,
            resets: Allowance::default(),
            idle: Allowance::default(),
            is_acknowledged: false,
            is_pinged: false,
            out,
            limits,
        }
    }

    /// Reads on: takes whole frames off `input` until something has come. None:
    /// more input is needed, or `out` must be written first, or it is over.
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Option<H2Event<'i>> {
        while self.failure.is_none() && !self.is_clogged() {
            if self.phase == H2Phase::Preface && !self.preface(input) {
                return None;
            }
            let head = frame::FrameHead::parse(input)?;
            let fault = match self.frame(head, input) {
                Ok(Some(event)) => return Some(event),
                Ok(None) => continue,
                Err(None) => return None,
                Err(Some(fault)) => fault,
            };
            match fault {
                FrameFault::Connection(failure) => self.fail(failure),
                FrameFault::Stream(stream, reason) => {
                    if self.reset(stream, reason) {
                        return Some(H2Event::Gone { stream });
                    }
                }
            }
        }
        if self.failure.is_some() {
            *input = &[];
        }
        None
    }

    /// Takes the preface off `input`; false: it is not there yet, or never will be.
    fn preface(&mut self, input: &mut &[u8]) -> bool {
        if let Some(rest) = input.strip_prefix(PREFACE) {
            *input = rest;
            self.phase = H2Phase::Settings;
            return true;
        }
        if !PREFACE.starts_with(input) {
            self.fail(H2Failure {
                reason: ErrorCode::Protocol,
                why: "not the preface of HTTP/2",
            });
        }
        false
    }

    /// The head of the request that came last.
    pub(crate) fn head(&self) -> &RequestHead {
        &self.head
    }

    /// Takes how many requests came with heads over the limit, which are answered.
    pub(crate) fn take_long_heads(&mut self) -> u32 {
        std::mem::take(&mut self.long_heads)
    }

    /// Ends the connection because of `failure`: a GOAWAY that says so is in `out`.
    pub(crate) fn fail(&mut self, failure: H2Failure) {
        if self.failure.is_none() {
            let last = self.last_taken();
            frame::put_goaway(&mut self.out, last, failure.reason, failure.why);
            self.failure = Some(failure);
        }
    }

    /// Begins to leave: GOAWAY asks the peer to send new requests elsewhere.
    pub fn leave(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Told;
            // Requests may be on their way: which is the last is told when the
            // peer has answered the PING, and so has heard.
            frame::put_goaway(&mut self.out, frame::MAX_31, ErrorCode::None, "");
            self.ping_with(LEAVING);
        }
    }

    /// Asks the peer whether it is there.
    pub fn ping(&mut self) {
        self.ping_with(ALIVE);
    }

    fn ping_with(&mut self, payload: [u8; 8]) {
        self.is_pinged = true;
        frame::put(&mut self.out, frame::kind::PING, 0, 0, &payload);
    }

    /// Returns what is waited for from the peer.
    pub fn waits(&self) -> PeerWaits {
        PeerWaits {
            is_settled: self.phase == H2Phase::Open && self.is_acknowledged,
            is_in_block: self.block.is_some(),
            is_held_up: self.waiting > 0,
            is_pinged: self.is_pinged,
            sent: self.sent,
        }
    }

    /// Why nothing more will come, if so.
    pub fn failure(&self) -> Option<H2Failure> {
        self.failure
    }

    /// Returns true if [`Self::leave`] was called.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
    }

    /// Returns true while a request is not answered to its end.
    pub(crate) fn has_streams(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Returns true if it can be closed: all is answered, and the peer knows
    /// that nothing else will be.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.leaving, Leaving::Last(_)) && self.streams.is_empty()
    }

    /// Returns true if too much waits to be written for anything to be read.
    pub fn is_clogged(&self) -> bool {
        self.out.len() > CLOGGED
    }

    /// The last stream that was taken, for GOAWAY.
    pub(super) fn last_taken(&self) -> u32 {
        match self.leaving {
            Leaving::Last(last) => last,
            _ => self.streams.last(),
        }
    }

    /// Returns true if what comes for an absent stream is to be ignored: we
    /// have ended it, or will not take it, and the peer may not have heard.
    pub(super) fn is_ignored(&self, stream: u32) -> bool {
        matches!(self.leaving, Leaving::Last(last) if stream > last)
            || self.streams.absent(stream) == Absent::Refused
    }

    /// Returns true if `stream` is idle (RFC 9113, 5.1): never opened.
    pub(super) fn is_idle(&self, stream: u32) -> bool {
        let is_new = stream > self.streams.last() || stream.is_multiple_of(2);
        is_new && !matches!(self.leaving, Leaving::Last(last) if stream > last)
    }
}
