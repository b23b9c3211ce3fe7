/*!
The deadlines of one gRPC connection: what its peer is late with.

There is one timer a connection. It is set anew only when something is due
earlier than it would fire, and the clock is read only where something is waited
for: a connection whose requests come whole pays for neither.
*/

use crate::{
    net::{
        connection::FIRST_BYTE_TIMEOUT,
        h2::{ErrorCode, H2Failure, PeerWaits},
    },
    receiver::otlp::GrpcServer,
};
use std::{
    future::Future,
    pin::Pin,
    task::{self, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long one HTTP/2 frame, or a header block of several, may take to arrive.
pub(crate) const FRAME_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an HTTP/2 peer may take nothing of its answers.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// A year: intervals are added to the clock, which must not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// How many beats without a word make a connection silent.
const BEATS: u32 = 4;

/// What the socket's side waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketWaits {
    /// A frame has come in part.
    pub(crate) is_partial: bool,
    /// The peer does not read.
    pub(crate) is_blocked: bool,
}

/// What is to be done because something was late.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Overdue {
    /// End the connection and say why.
    Fail(H2Failure),
    /// Ask the peer whether it is there.
    Ping,
}

/// The timer of one connection, and what it is about.
#[derive(Debug)]
pub(crate) struct Deadlines {
    timer: Pin<Box<Sleep>>,
    /// When the timer fires; None: it has fired.
    armed: Option<Instant>,
    settled_by: Instant,
    beat: Duration,
    next_beat: Instant,
    silent_beats: u32,
    pong: Duration,
    pong_by: Option<Instant>,
    /// Since when a frame or a header block has been incomplete.
    partial: Option<Instant>,
    /// Since when nothing could be written.
    blocked: Option<Instant>,
    /// Since when no window was opened, and how much had been sent then.
    held_up: Option<(Instant, u64)>,
    has_heard: bool,
    has_advanced: bool,
    has_written: bool,
}

impl Deadlines {
    /// Starts the deadlines of a connection that begins now.
    pub(crate) fn new(settings: &GrpcServer) -> Self {
        let now = Instant::now();
        let keepalive = &settings.keepalive;
        let beat = (keepalive.time.min(LONGEST) / BEATS).max(Duration::from_millis(1));
        let settled_by = now + FIRST_BYTE_TIMEOUT;
        let next_beat = now + beat;
        let first = settled_by.min(next_beat);
        Self {
            timer: Box::pin(sleep_until(first)),
            armed: Some(first),
            settled_by,
            beat,
            next_beat,
            silent_beats: 0,
            pong: keepalive.timeout.min(LONGEST),
            pong_by: None,
            partial: None,
            blocked: None,
            held_up: None,
            has_heard: false,
            has_advanced: false,
            has_written: false,
        }
    }

    /// Notes that something has come; `advanced`: a whole frame at least.
    pub(crate) fn heard(&mut self, advanced: bool) {
        self.has_heard = true;
        self.has_advanced |= advanced;
    }

    /// Notes that something could be written.
    pub(crate) fn wrote(&mut self) {
        self.has_written = true;
    }

    /// Is ready when something may be due; [`Self::check`] then says what.
    /// `call` is the next deadline of the calls.
    pub(crate) fn poll(
        &mut self,
        cx: &mut task::Context<'_>,
        h2: PeerWaits,
        socket: SocketWaits,
        call: Option<Instant>,
    ) -> Poll<()> {
        let due = self.next_due(h2, socket, call);
        if self.armed.is_none_or(|armed| due < armed) {
            self.timer.as_mut().reset(due);
            self.armed = Some(due);
        }
        let fired = self.timer.as_mut().poll(cx);
        if fired.is_ready() {
            self.armed = None;
        }
        fired
    }

    fn next_due(&mut self, h2: PeerWaits, socket: SocketWaits, call: Option<Instant>) -> Instant {
        let is_partial = socket.is_partial || h2.is_in_block;
        let is_waiting = is_partial
            || socket.is_blocked
            || h2.is_held_up
            || h2.is_pinged
            || !h2.is_settled
            || call.is_some();
        let has_advanced = std::mem::take(&mut self.has_advanced);
        let has_written = std::mem::take(&mut self.has_written);
        if !is_waiting {
            (self.partial, self.blocked) = (None, None);
            (self.held_up, self.pong_by) = (None, None);
            return self.next_beat;
        }
        let now = Instant::now();
        // A block is not done before its last frame.
        let goes_on = self.partial.filter(|_| !has_advanced || h2.is_in_block);
        self.partial = is_partial.then(|| goes_on.unwrap_or(now));
        let still = self.blocked.filter(|_| !has_written);
        self.blocked = socket.is_blocked.then(|| still.unwrap_or(now));
        let still = self.held_up.filter(|(_, sent)| *sent == h2.sent);
        self.held_up = h2.is_held_up.then(|| still.unwrap_or((now, h2.sent)));
        self.pong_by = h2
            .is_pinged
            .then(|| self.pong_by.unwrap_or(now + self.pong));
        let dues = [
            (!h2.is_settled).then_some(self.settled_by),
            self.partial.map(|since| since + FRAME_TIMEOUT),
            self.blocked.map(|since| since + STALL_TIMEOUT),
            self.held_up.map(|(since, _)| since + STALL_TIMEOUT),
            self.pong_by,
            call,
        ];
        dues.into_iter()
            .flatten()
            .fold(self.next_beat, Instant::min)
    }

    /// Returns what is to be done at `now`.
    ///
    /// # Errors
    ///
    /// When the connection is to end at once, and why.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        h2: PeerWaits,
    ) -> Result<Option<Overdue>, &'static str> {
        let over = |since: Option<Instant>, most| since.is_some_and(|since| since + most <= now);
        if over(self.blocked, STALL_TIMEOUT) {
            return Err("the peer does not read its answers");
        }
        if self.pong_by.is_some_and(|by| by <= now) {
            return Err("the peer does not answer a PING");
        }
        let fail = |reason, why| Ok(Some(Overdue::Fail(H2Failure { reason, why })));
        if over(self.partial, FRAME_TIMEOUT) {
            let why = "a frame or header block that does not end";
            return fail(ErrorCode::EnhanceYourCalm, why);
        }
        if over(self.held_up.map(|(since, _)| since), STALL_TIMEOUT) {
            return fail(ErrorCode::EnhanceYourCalm, "windows that stay closed");
        }
        if !h2.is_settled && self.settled_by <= now {
            let why = "settings that were not sent or acknowledged";
            return fail(ErrorCode::SettingsTimeout, why);
        }
        if self.next_beat > now {
            return Ok(None);
        }
        self.next_beat = now + self.beat;
        self.silent_beats = match std::mem::take(&mut self.has_heard) {
            true => 0,
            false => self.silent_beats.saturating_add(1),
        };
        let is_silent = self.silent_beats >= BEATS && !h2.is_pinged;
        Ok(is_silent.then_some(Overdue::Ping))
    }
}
