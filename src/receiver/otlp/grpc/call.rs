/*!
The calls of one HTTP/2 connection of the gRPC port, from a request's head to
its answer.

The common call comes whole in one DATA frame: it is given to the pipelines
where it was read, and answered with constants in the same turn, without a
task and without an allocation. What must wait is held here: messages in pieces,
credentials that take time to check, requests that are taken and not yet stored,
and watchers of the health service.
*/

use super::{
    super::{
        BODY_IDLE_TIMEOUT, BODY_TOTAL_TIMEOUT, Context,
        body::BodyError,
        reply::{self, Reply},
    },
    frame, health,
    joined::Joined,
    judge::{self as grpc, Call, Refused, Verdict},
};
use crate::{
    net::{
        admission::Denied,
        connection::turned_true,
        h2::{Connection, End, Event, hpack},
    },
    pdata::Signal,
    pipeline::{Taken, Ticket},
};
use ::http::Response;
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{self, Poll},
};
use tokio::time::Instant;

/// `:status: 200`, `content-type: application/grpc`: two places in HPACK's
/// static table, and a literal.
const GRPC: &[u8] = b"\x88\x0f\x10\x10application/grpc";

/// `grpc-status: 0`, as literals.
const OK: End = End::Trailers(b"\x00\x0bgrpc-status\x010");

/// An empty `ExportTraceServiceResponse`, framed.
const ACCEPTED: &[u8] = &[0; frame::PREFIX];

/// A refusal waits for the end of a body of this size, because a sender that is
/// answered in the middle of a body may see nothing but its stream reset.
const DROPPED: usize = 64 << 10;

/// A request that has not ended, or waits for its credentials.
struct Open {
    stream: u32,
    state: State,
    joined: Joined,
    ended: bool,
    /// A piece has come since [`Calls::settle`].
    is_fresh: bool,
    begun: Option<Instant>,
    heard: Option<Instant>,
}

enum State {
    Taking(Call),
    /// What becomes of it if the credentials are right.
    Checking(Box<Verdict>),
    /// What it will be told, and how much of its body was dropped.
    Refusing(Box<Refused>, usize),
}

impl State {
    fn refusing(refused: Refused) -> Self {
        Self::Refusing(Box::new(refused), 0)
    }
}

impl From<Verdict> for State {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Call(call) => Self::Taking(call),
            Verdict::Refused(refused) => Self::Refusing(refused, 0),
        }
    }
}

/// A request that was taken, and may not be answered yet.
struct Unanswered {
    stream: u32,
    ticket: Ticket,
    taken: Taken,
}

struct Check {
    stream: u32,
    outcome: Pin<Box<dyn Future<Output = Result<(), Denied>>>>,
}

struct Watcher {
    stream: u32,
    is_known: bool,
}

/// See the [module](self).
pub struct Calls {
    context: Rc<Context>,
    limit: usize,
    /// The oldest first, as streams come.
    open: Vec<Open>,
    unanswered: VecDeque<Unanswered>,
    checks: Vec<Check>,
    watchers: Vec<Watcher>,
    /// The shutdown, for the watchers.
    stop: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Calls {
    /// None so far; messages may have `limit` bytes.
    pub fn new(context: Rc<Context>, limit: usize) -> Self {
        Self {
            context,
            limit,
            open: Vec::new(),
            unanswered: VecDeque::new(),
            checks: Vec::new(),
            watchers: Vec::new(),
            stop: None,
        }
    }

    /// Takes what has come.
    pub fn take(&mut self, h2: &mut Connection, event: Event<'_>) {
        match event {
            Event::Head { stream, ended } => self.begin(h2, stream, ended),
            Event::Data {
                stream,
                bytes,
                ended,
            } => self.piece(h2, stream, bytes, ended),
            Event::Ended { stream } => self.piece(h2, stream, &[], true),
            Event::Gone { stream } => self.gone(stream),
        }
    }

    fn begin(&mut self, h2: &mut Connection, stream: u32, ended: bool) {
        let endpoint = &self.context.endpoint;
        let verdict = grpc::judge(h2.head(), endpoint.ingest.takes(Signal::Logs));
        let admission = endpoint.admission.as_ref();
        let state = match admission.filter(|_| grpc::needs_credentials(h2.head())) {
            None => verdict.into(),
            Some(admission) => match admission.judge(h2.head().credentials()) {
                Some(Ok(())) => verdict.into(),
                // Without credentials one is told no more than that they are wanting.
                Some(Err(denied)) => State::refusing(Refused::denied(denied)),
                None => {
                    let given = h2.head().credentials().unwrap_or_default().to_vec();
                    self.check(stream, given);
                    State::Checking(Box::new(verdict))
                }
            },
        };
        if ended && !matches!(state, State::Checking(_)) {
            return self.finish(h2, stream, state, &[]);
        }
        self.open.push(Open {
            stream,
            state,
            joined: Joined::default(),
            ended,
            is_fresh: true,
            begun: None,
            heard: None,
        });
    }

    /// Begins to check credentials that take time.
    fn check(&mut self, stream: u32, given: Vec<u8>) {
        let endpoint = Rc::clone(&self.context.endpoint);
        let outcome = Box::pin(async move {
            match &endpoint.admission {
                Some(admission) => admission.check(&given).await,
                None => Ok(()),
            }
        });
        self.checks.push(Check { stream, outcome });
    }

    fn position(&self, stream: u32) -> Option<usize> {
        self.open
            .binary_search_by_key(&stream, |open| open.stream)
            .ok()
    }

    fn piece(&mut self, h2: &mut Connection, stream: u32, bytes: &[u8], ended: bool) {
        let Some(at) = self.position(stream) else {
            return;
        };
        let Some(open) = self.open.get_mut(at) else {
            return;
        };
        open.is_fresh = true;
        open.ended = ended;
        let (is_taken, limit) = match &mut open.state {
            State::Taking(call) => (true, call.limit(self.limit)),
            State::Checking(_) => (false, self.limit),
            State::Refusing(_, dropped) => {
                *dropped += bytes.len();
                if ended || *dropped > DROPPED {
                    let state = self.open.remove(at).state;
                    self.finish(h2, stream, state, &[]);
                }
                return;
            }
        };
        let is_complete = ended && is_taken;
        if !is_complete || !open.joined.is_empty() {
            if let Err(error) = open.joined.add(bytes, limit) {
                self.forget(stream);
                return self.refuse(h2, stream, Refused::body(error, limit));
            }
            if !is_complete {
                return;
            }
        }
        let Open { state, joined, .. } = self.open.remove(at);
        // In one piece it is used where it lies.
        let body = if joined.is_empty() { bytes } else { &joined };
        self.finish(h2, stream, state, body);
    }

    /// A request has ended, and nothing is in the way of its answer.
    fn finish(&mut self, h2: &mut Connection, stream: u32, state: State, body: &[u8]) {
        match state {
            State::Taking(call) => self.complete(h2, stream, call, body),
            State::Refusing(refused, _) => self.refuse(h2, stream, *refused),
            // Its credentials are in the way.
            State::Checking(_) => {}
        }
    }

    /// A call's message is here, all of it.
    fn complete(&mut self, h2: &mut Connection, stream: u32, call: Call, body: &[u8]) {
        let (signal, coding) = match call {
            Call::Export { signal, coding } => (signal, coding),
            Call::Health(method) => return self.health(h2, stream, method, body),
        };
        match grpc::export(&self.context, signal, coding, body, self.limit) {
            Err(fault) => self.refuse(h2, stream, Refused::call(fault)),
            Ok(taken) => match taken.stored {
                None => self.answer(h2, stream, taken),
                Some(ticket) => self.unanswered.push_back(Unanswered {
                    stream,
                    ticket,
                    taken,
                }),
            },
        }
    }

    /// Tells what became of a call.
    fn answer(&self, h2: &mut Connection, stream: u32, taken: Taken) {
        self.context.endpoint.stats.requests.add(1);
        if taken.rejected == 0 {
            return h2.answer(stream, GRPC, ACCEPTED, OK);
        }
        let message = frame::encode(&reply::partial(taken.rejected, taken.message));
        h2.answer(stream, GRPC, &message, OK);
    }

    fn refuse(&self, h2: &mut Connection, stream: u32, refused: Refused) {
        respond(h2, stream, refused.tell(&self.context));
    }

    fn health(&mut self, h2: &mut Connection, stream: u32, method: health::Method, body: &[u8]) {
        let is_known = match (grpc::asked(body), method) {
            (Ok(false), health::Method::Check) => Err(health::not_found()),
            (asked, _) => asked,
        };
        let is_known = match is_known {
            Ok(is_known) => is_known,
            // Not counted: health is not OTLP.
            Err(refusal) => return respond(h2, stream, refusal.grpc()),
        };
        let stopping = *self.context.shutdown.borrow();
        let status = match is_known {
            true => health::status(stopping),
            false => health::unknown(),
        };
        // The stream ends with the shutdown, or it would hold the connection open.
        if method == health::Method::Check || stopping {
            return h2.answer(stream, GRPC, &status, OK);
        }
        h2.answer(stream, GRPC, &status, End::Open);
        self.watchers.push(Watcher { stream, is_known });
    }

    /// A stream will not go on.
    fn gone(&mut self, stream: u32) {
        match self.forget(stream).map(|open| open.state) {
            // Not counted: health is not OTLP.
            None | Some(State::Taking(Call::Health(_))) => {}
            Some(State::Refusing(refused, _)) => drop(refused.tell(&self.context)),
            Some(State::Taking(_) | State::Checking(_)) => {
                let why = "reset by the sender, or not as HTTP/2 has it";
                let error = BodyError::Broken(why.to_owned());
                drop(Refused::body(error, self.limit).tell(&self.context));
            }
        }
        self.watchers.retain(|watcher| watcher.stream != stream);
    }

    /// Nothing more will come.
    pub fn abandon(&mut self) {
        while let Some(open) = self.open.last() {
            self.gone(open.stream);
        }
    }

    /// Drops a request that has not ended or waits for its credentials.
    fn forget(&mut self, stream: u32) -> Option<Open> {
        let open = self.open.remove(self.position(stream)?);
        self.checks.retain(|check| check.stream != stream);
        Some(open)
    }

    /// Answers what has waited long enough, and sees that the task is woken
    /// for the rest.
    pub fn poll(&mut self, h2: &mut Connection, cx: &mut task::Context<'_>) {
        while let Some(oldest) = self.unanswered.front() {
            let ingest = &self.context.endpoint.ingest;
            if ingest.poll_stored(oldest.ticket, cx).is_pending() {
                break;
            }
            if let Some(oldest) = self.unanswered.pop_front() {
                self.answer(h2, oldest.stream, oldest.taken);
            }
        }
        if !self.checks.is_empty() {
            self.poll_checks(h2, cx);
        }
        if !self.watchers.is_empty() {
            self.poll_stop(h2, cx);
        }
    }

    fn poll_checks(&mut self, h2: &mut Connection, cx: &mut task::Context<'_>) {
        let mut done = Vec::new();
        self.checks
            .retain_mut(|check| match check.outcome.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(outcome) => {
                    done.push((check.stream, outcome));
                    false
                }
            });
        for (stream, outcome) in done {
            self.checked(h2, stream, outcome);
        }
    }

    /// Goes on with a call whose credentials were checked.
    fn checked(&mut self, h2: &mut Connection, stream: u32, outcome: Result<(), Denied>) {
        let Some(at) = self.position(stream) else {
            return;
        };
        let open = self.open.remove(at);
        let State::Checking(verdict) = open.state else {
            return;
        };
        let state = match outcome {
            Ok(()) => (*verdict).into(),
            Err(denied) => State::refusing(Refused::denied(denied)),
        };
        if open.ended {
            return self.finish(h2, stream, state, &open.joined);
        }
        self.open.insert(at, Open { state, ..open });
    }

    /// Tells watchers that the shutdown has begun.
    fn poll_stop(&mut self, h2: &mut Connection, cx: &mut task::Context<'_>) {
        let shutdown = &self.context.shutdown;
        let stop = self
            .stop
            .get_or_insert_with(|| Box::pin(turned_true(shutdown.clone())));
        if stop.as_mut().poll(cx).is_pending() {
            return;
        }
        self.stop = None;
        for watcher in self.watchers.drain(..) {
            let last = match watcher.is_known {
                true => health::status(true),
                false => bytes::Bytes::new(),
            };
            h2.go_on(watcher.stream, &last, OK);
        }
    }

    /// Notes when pieces came, now that nothing more has; when the first of
    /// the calls will have waited too long for the next.
    pub fn settle(&mut self, now: Instant) -> Option<Instant> {
        let open = self.open.iter_mut().filter(|open| !open.ended);
        open.map(|open| {
            if std::mem::take(&mut open.is_fresh) {
                open.heard = Some(now);
            }
            let heard = *open.heard.get_or_insert(now);
            let begun = *open.begun.get_or_insert(now);
            (heard + BODY_IDLE_TIMEOUT).min(begun + BODY_TOTAL_TIMEOUT)
        })
        .min()
    }

    /// Whether some request has not ended.
    pub fn is_waiting(&self) -> bool {
        self.open.iter().any(|open| !open.ended)
    }

    /// Gives up the calls that have waited too long.
    pub fn expire(&mut self, h2: &mut Connection, now: Instant) {
        let is_over = |open: &Open| {
            let over = |since: Option<Instant>, most| since.is_some_and(|at| at + most <= now);
            let is_idle = !open.is_fresh && over(open.heard, BODY_IDLE_TIMEOUT);
            !open.ended && (is_idle || over(open.begun, BODY_TOTAL_TIMEOUT))
        };
        while let Some(stalled) = self.open.iter().find(|open| is_over(open)) {
            let stream = stalled.stream;
            let refused = match self.forget(stream).map(|open| open.state) {
                Some(State::Refusing(refused, _)) => *refused,
                _ => Refused::body(BodyError::Stalled, self.limit),
            };
            self.refuse(h2, stream, refused);
        }
    }
}

/// Sends a response that is not one of the constants.
fn respond(h2: &mut Connection, stream: u32, response: Response<Reply>) {
    let (head, Reply(body)) = response.into_parts();
    let mut block = Vec::new();
    hpack::status(&mut block, head.status.as_u16());
    for (name, value) in &head.headers {
        hpack::field(&mut block, name.as_str().as_bytes(), value.as_bytes());
    }
    if !body.is_empty() {
        let length = body.len().to_string();
        hpack::field(&mut block, b"content-length", length.as_bytes());
    }
    h2.answer(stream, &block, &body, End::Stream);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_constants_say_what_they_should() {
        let read = |block: &[u8]| {
            let mut fields = Vec::new();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            hpack::Decoder::default()
                .decode(block, |entry| {
                    fields.push((text(entry.name), text(entry.value)))
                })
                .unwrap();
            fields
        };
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let head = [
            field(":status", "200"),
            field("content-type", "application/grpc"),
        ];
        assert_eq!(read(GRPC), head);
        let End::Trailers(block) = OK else { panic!() };
        assert_eq!(read(block), [field("grpc-status", "0")]);
    }
}
