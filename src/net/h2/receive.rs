/*!
What comes from the peer, frame by frame (RFC 9113, 6).
*/

use super::{
    connection::{ALIVE, Block, H2Connection, H2Event, H2Phase, LEAVING, Leaving, STREAM_WINDOW},
    error::{ErrorCode, FrameFault, fatal},
    flow::{Inflow, Outflow},
    frame::{self, FrameHead, HEAD, MAX_31, MAX_PAYLOAD, flag, kind, setting},
    hpack::{self, BlockFault},
    stream::{Absent, Stream},
};

/// Frames that one header block may come in. Blocks are as large as one frame
/// at most where `max_header_bytes` is what it is by default.
const MAX_PIECES: u32 = 64;

/// Tokens of the allowance for idle frames that a complete request earns.
const EARNED: u32 = 8;

/// Tokens of it that a head over the limit costs: the tenth such head ends a
/// connection. One that carries the requests of several senders, as a proxy's
/// does, earns them by the others' requests.
const TOO_LARGE_COSTS: u32 = 100;
const TOO_LARGE: &str = "header lists over SETTINGS_MAX_HEADER_LIST_SIZE";

type Outcome<'i> = Result<Option<H2Event<'i>>, FrameFault>;

impl H2Connection {
    /// Takes the frame with this head off `input`. Err(None): it is not there yet.
    pub(super) fn frame<'i>(
        &mut self,
        head: FrameHead,
        input: &mut &'i [u8],
    ) -> Result<Option<H2Event<'i>>, Option<FrameFault>> {
        if head.length > MAX_PAYLOAD {
            let why = "a frame that is longer than SETTINGS_MAX_FRAME_SIZE";
            return Err(Some(fatal(ErrorCode::FrameSize, why)));
        }
        let Some((whole, rest)) = input.split_at_checked(HEAD + head.length) else {
            return Err(None);
        };
        *input = rest;
        let payload = whole.get(HEAD..).unwrap_or_default();
        self.whole(head, payload, input).map_err(Some)
    }

    fn whole<'i>(
        &mut self,
        head: FrameHead,
        payload: &'i [u8],
        rest: &mut &'i [u8],
    ) -> Outcome<'i> {
        if self.phase == H2Phase::Settings && (head.kind != kind::SETTINGS || head.has(flag::ACK)) {
            let why = "the first frame is not SETTINGS";
            return Err(fatal(ErrorCode::Protocol, why));
        }
        if let Some(block) = &self.block
            && (head.kind != kind::CONTINUATION || head.stream != block.stream)
        {
            let why = "a header block was interrupted by another frame";
            return Err(fatal(ErrorCode::Protocol, why));
        }
        match head.kind {
            kind::DATA => self.data(head, payload, rest),
            kind::HEADERS => self.headers(head, payload),
            kind::CONTINUATION => self.continuation(head, payload),
            kind::RST_STREAM => self.rst_stream(head, payload),
            kind::WINDOW_UPDATE => self.window_update(head, payload),
            kind::SETTINGS => self.settings(head, payload),
            kind::PING => self.ping_frame(head, payload),
            kind::PRIORITY => self.priority(head, payload),
            kind::GOAWAY => self.goaway(head, payload),
            kind::PUSH_PROMISE => {
                let why = "PUSH_PROMISE from a client";
                Err(fatal(ErrorCode::Protocol, why))
            }
            // RFC 9113, 4.1: unknown types are ignored.
            _ => self.idle_frame(),
        }
    }

    /// A frame that leads to nothing.
    fn idle_frame<'i>(&mut self) -> Outcome<'i> {
        match self.idle.spend(1) {
            true => Ok(None),
            false => Err(fatal(
                ErrorCode::EnhanceYourCalm,
                "too many frames that lead to nothing",
            )),
        }
    }

    fn data<'i>(&mut self, head: FrameHead, payload: &'i [u8], rest: &mut &'i [u8]) -> Outcome<'i> {
        let stream = head.stream;
        if self.is_idle(stream) {
            return Err(fatal(ErrorCode::Protocol, "DATA on an idle stream"));
        }
        // Padding counts (RFC 9113, 6.9.1).
        if !self.inflow.take(payload.len()) {
            let why = "more DATA than the connection's window";
            return Err(fatal(ErrorCode::FlowControl, why));
        }
        if let Some(more) = self.inflow.top_up() {
            frame::put_window(&mut self.out, 0, more);
        }
        let bytes = frame::unpadded(head, payload)?;
        let Some(known) = self.streams.get(stream).filter(|known| known.is_open) else {
            return match self.is_ignored(stream) {
                // What a refused sender had on its way may be much.
                true if !bytes.is_empty() => Ok(None),
                true => self.idle_frame(),
                false => Err(FrameFault::Stream(stream, ErrorCode::StreamClosed)),
            };
        };
        if !known.inflow.take(payload.len()) {
            return Err(FrameFault::Stream(stream, ErrorCode::FlowControl));
        }
        if let Some(missing) = &mut known.missing {
            *missing = missing
                .checked_sub(bytes.len() as u64)
                .ok_or(FrameFault::Stream(stream, ErrorCode::Protocol))?;
        }
        // Many clients end a body with an empty frame of its own. Where it is
        // there, both are one, and the body can be used where it lies.
        let end = end_of(stream);
        let ended = head.has(flag::END_STREAM)
            || rest.strip_prefix(&end).is_some_and(|after| {
                *rest = after;
                true
            });
        if ended {
            self.ended(stream)?;
        } else if bytes.is_empty() {
            self.idle_frame()?;
        } else if let Some(more) = known.inflow.top_up() {
            frame::put_window(&mut self.out, stream, more);
        }
        Ok(Some(H2Event::Data {
            stream,
            bytes,
            ended,
        }))
    }

    /// Notes that a request is complete.
    fn ended(&mut self, stream: u32) -> Result<(), FrameFault> {
        let Some(known) = self.streams.get(stream) else {
            return Ok(());
        };
        known.is_open = false;
        // RFC 9113, 8.1.1
        if known.missing.is_some_and(|missing| missing > 0) {
            return Err(FrameFault::Stream(stream, ErrorCode::Protocol));
        }
        self.idle.earn(EARNED);
        Ok(())
    }

    fn headers<'i>(&mut self, head: FrameHead, payload: &[u8]) -> Outcome<'i> {
        if head.stream.is_multiple_of(2) {
            let why = "HEADERS on a stream that no client can open";
            return Err(fatal(ErrorCode::Protocol, why));
        }
        let mut fragment = frame::unpadded(head, payload)?;
        let mut depends_on_itself = false;
        if head.has(flag::PRIORITY) {
            let (priority, rest) = fragment.split_first_chunk::<5>().ok_or(fatal(
                ErrorCode::FrameSize,
                "HEADERS too short for its priority",
            ))?;
            depends_on_itself = frame::number(priority) == Some(head.stream);
            fragment = rest;
        }
        let mut block = Block {
            stream: head.stream,
            ends_stream: head.has(flag::END_STREAM),
            depends_on_itself,
            bytes: Vec::new(),
            pieces: 1,
        };
        if head.has(flag::END_HEADERS) {
            return self.block(&block, fragment);
        }
        block.bytes.extend_from_slice(fragment);
        self.block = Some(Box::new(block));
        Ok(None)
    }

    fn continuation<'i>(&mut self, head: FrameHead, payload: &[u8]) -> Outcome<'i> {
        let most = (self.limits.header_bytes as usize).saturating_add(MAX_PAYLOAD);
        let Some(mut block) = self.block.take() else {
            let why = "CONTINUATION of nothing";
            return Err(fatal(ErrorCode::Protocol, why));
        };
        block.pieces += 1;
        block.bytes.extend_from_slice(payload);
        if block.pieces > MAX_PIECES || block.bytes.len() > most {
            let why = "a header block that does not end";
            return Err(fatal(ErrorCode::EnhanceYourCalm, why));
        }
        if head.has(flag::END_HEADERS) {
            return self.block(&block, &block.bytes);
        }
        self.block = Some(block);
        Ok(None)
    }

    /// A whole header block. It is decoded whatever becomes of its stream, since
    /// those that follow build on it.
    fn block<'i>(&mut self, block: &Block, bytes: &[u8]) -> Outcome<'i> {
        let stream = block.stream;
        let head = &mut self.head;
        head.clear();
        self.decoder
            .decode(bytes, |entry| head.add(entry))
            .map_err(|fault| match fault {
                BlockFault::Broken(why) => fatal(ErrorCode::Compression, why),
                BlockFault::Endless => fatal(ErrorCode::EnhanceYourCalm, TOO_LARGE),
            })?;
        if let Some(known) = self.streams.get(stream) {
            if !known.is_open {
                return Err(FrameFault::Stream(stream, ErrorCode::StreamClosed));
            }
            if !block.ends_stream || !self.head.is_trailers() {
                return Err(FrameFault::Stream(stream, ErrorCode::Protocol));
            }
            self.ended(stream)?;
            return Ok(Some(H2Event::Ended { stream }));
        }
        match self.streams.absent(stream) {
            _ if self.is_ignored(stream) => self.idle_frame(),
            Absent::Idle => self.begin(block),
            Absent::Closed | Absent::Refused => {
                let why = "HEADERS on a stream that is over";
                Err(fatal(ErrorCode::StreamClosed, why))
            }
            Absent::Unknown => {
                let why = "a new stream's identifier is not higher than those before";
                Err(fatal(ErrorCode::Protocol, why))
            }
        }
    }

    /// A new stream.
    fn begin<'i>(&mut self, block: &Block) -> Outcome<'i> {
        let stream = block.stream;
        self.streams.note(stream);
        if self.head.is_too_large() {
            self.too_large(block);
            return match self.idle.spend(TOO_LARGE_COSTS) {
                true => Ok(None),
                false => Err(fatal(ErrorCode::EnhanceYourCalm, TOO_LARGE)),
            };
        }
        if block.depends_on_itself || !self.head.is_request() {
            return Err(FrameFault::Stream(stream, ErrorCode::Protocol));
        }
        let missing = self.head.length();
        if block.ends_stream && missing.is_some_and(|missing| missing > 0) {
            return Err(FrameFault::Stream(stream, ErrorCode::Protocol));
        }
        if self.streams.len() >= self.limits.streams as usize {
            return Err(FrameFault::Stream(stream, ErrorCode::RefusedStream));
        }
        if block.ends_stream {
            self.idle.earn(EARNED);
        }
        self.streams.add(Stream {
            id: stream,
            is_open: !block.ends_stream,
            missing,
            inflow: Inflow::new(STREAM_WINDOW),
            outflow: Outflow::new(self.peer_window),
            outgoing: None,
        });
        Ok(Some(H2Event::Head {
            stream,
            ended: block.ends_stream,
        }))
    }

    /// Answers a request whose head is over the limit (RFC 6585, 5).
    fn too_large(&mut self, block: &Block) {
        self.long_heads += 1;
        let mut status = Vec::new();
        hpack::status(&mut status, 431);
        frame::put_block(&mut self.out, block.stream, true, &status);
        if !block.ends_stream {
            frame::put_reset(&mut self.out, block.stream, ErrorCode::None);
        }
        self.streams.remove(block.stream, block.ends_stream);
    }

    fn rst_stream<'i>(&mut self, head: FrameHead, payload: &[u8]) -> Outcome<'i> {
        let stream = head.stream;
        if payload.len() != 4 {
            return Err(fatal(ErrorCode::FrameSize, "RST_STREAM is of four octets"));
        }
        if self.is_idle(stream) {
            return Err(fatal(ErrorCode::Protocol, "RST_STREAM on an idle stream"));
        }
        if self.streams.get(stream).is_none() {
            return self.idle_frame();
        }
        if !self.resets.spend(1) {
            return Err(fatal(
                ErrorCode::EnhanceYourCalm,
                "too many streams were reset",
            ));
        }
        self.forget(stream, true);
        Ok(Some(H2Event::Gone { stream }))
    }

    fn window_update<'i>(&mut self, head: FrameHead, payload: &[u8]) -> Outcome<'i> {
        let stream = head.stream;
        let more = match frame::number(payload) {
            Some(more) if payload.len() == 4 => more,
            _ => {
                return Err(fatal(
                    ErrorCode::FrameSize,
                    "WINDOW_UPDATE is of four octets",
                ));
            }
        };
        if stream == 0 {
            if more == 0 {
                return Err(fatal(ErrorCode::Protocol, "WINDOW_UPDATE by nothing"));
            }
            if !self.outflow.change(i64::from(more)) {
                let why = "the connection's window is larger than windows may be";
                return Err(fatal(ErrorCode::FlowControl, why));
            }
        } else if let Some(known) = self.streams.get(stream) {
            if more == 0 {
                return Err(FrameFault::Stream(stream, ErrorCode::Protocol));
            }
            if !known.outflow.change(i64::from(more)) {
                return Err(FrameFault::Stream(stream, ErrorCode::FlowControl));
            }
        } else if self.is_idle(stream) {
            return Err(fatal(
                ErrorCode::Protocol,
                "WINDOW_UPDATE on an idle stream",
            ));
        }
        self.send_waiting();
        self.idle_frame()
    }

    fn settings<'i>(&mut self, head: FrameHead, payload: &[u8]) -> Outcome<'i> {
        if head.stream != 0 {
            return Err(fatal(ErrorCode::Protocol, "SETTINGS on a stream"));
        }
        if head.has(flag::ACK) {
            if !payload.is_empty() {
                return Err(fatal(
                    ErrorCode::FrameSize,
                    "SETTINGS with ACK and a payload",
                ));
            }
            if !std::mem::replace(&mut self.is_acknowledged, true) {
                return Ok(None);
            }
            return self.idle_frame();
        }
        let (settings, []) = payload.as_chunks::<6>() else {
            return Err(fatal(
                ErrorCode::FrameSize,
                "SETTINGS are of six octets each",
            ));
        };
        for [a, b, value @ ..] in settings {
            self.setting(u16::from_be_bytes([*a, *b]), u32::from_be_bytes(*value))?;
        }
        frame::put(&mut self.out, kind::SETTINGS, flag::ACK, 0, &[]);
        self.phase = H2Phase::Open;
        self.send_waiting();
        self.idle_frame()
    }

    fn setting(&mut self, name: u16, value: u32) -> Result<(), FrameFault> {
        match name {
            setting::ENABLE_PUSH if value > 1 => {
                Err(fatal(ErrorCode::Protocol, "SETTINGS_ENABLE_PUSH is 0 or 1"))
            }
            setting::MAX_FRAME_SIZE if !(MAX_PAYLOAD..1 << 24).contains(&(value as usize)) => {
                let why = "SETTINGS_MAX_FRAME_SIZE is between 2^14 and 2^24 - 1";
                Err(fatal(ErrorCode::Protocol, why))
            }
            setting::INITIAL_WINDOW_SIZE => {
                let why = "a window that is larger than windows may be";
                if value > MAX_31 {
                    return Err(fatal(ErrorCode::FlowControl, why));
                }
                let by = i64::from(value) - i64::from(self.peer_window);
                self.peer_window = value;
                let mut all = self.streams.iter_mut();
                match all.all(|stream| stream.outflow.change(by)) {
                    true => Ok(()),
                    false => Err(fatal(ErrorCode::FlowControl, why)),
                }
            }
            // The size of tables, pushes and header lists concern what we do not
            // use; frames are never longer than every peer takes.
            _ => Ok(()),
        }
    }

    fn ping_frame<'i>(&mut self, head: FrameHead, payload: &[u8]) -> Outcome<'i> {
        if head.stream != 0 {
            return Err(fatal(ErrorCode::Protocol, "PING on a stream"));
        }
        if payload.len() != 8 {
            return Err(fatal(ErrorCode::FrameSize, "PING is of eight octets"));
        }
        if !head.has(flag::ACK) {
            frame::put(&mut self.out, kind::PING, flag::ACK, 0, payload);
        } else if payload == LEAVING && self.leaving == Leaving::Told {
            self.is_pinged = false;
            let last = self.streams.last();
            self.leaving = Leaving::Last(last);
            frame::put_goaway(&mut self.out, last, ErrorCode::None, "");
        } else if payload == ALIVE {
            self.is_pinged = false;
        }
        self.idle_frame()
    }

    fn priority<'i>(&mut self, head: FrameHead, payload: &[u8]) -> Outcome<'i> {
        let stream = head.stream;
        if stream == 0 {
            return Err(fatal(ErrorCode::Protocol, "PRIORITY on the connection"));
        }
        if payload.len() != 5 {
            return Err(match self.streams.get(stream) {
                Some(_) => FrameFault::Stream(stream, ErrorCode::FrameSize),
                None => fatal(ErrorCode::FrameSize, "PRIORITY is of five octets"),
            });
        }
        if frame::number(payload) == Some(stream) {
            let why = "a stream that depends on itself";
            return Err(fatal(ErrorCode::Protocol, why));
        }
        self.idle_frame()
    }

    fn goaway<'i>(&mut self, head: FrameHead, payload: &[u8]) -> Outcome<'i> {
        if head.stream != 0 {
            return Err(fatal(ErrorCode::Protocol, "GOAWAY on a stream"));
        }
        if payload.len() < 8 {
            return Err(fatal(
                ErrorCode::FrameSize,
                "GOAWAY is of eight octets or more",
            ));
        }
        // It concerns streams that we open, and we open none.
        self.idle_frame()
    }
}

/// An empty DATA frame that ends a stream.
fn end_of(stream: u32) -> [u8; HEAD] {
    let [a, b, c, d] = stream.to_be_bytes();
    [0, 0, 0, kind::DATA, flag::END_STREAM, a, b, c, d]
}
