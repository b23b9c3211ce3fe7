/*!
The calls of one connection, from a request's head to its one reply.

The common call comes whole in one DATA frame: it is given to the pipelines
where it was read, and answered with constants in the same turn, without a
task and without an allocation. What must wait is held here: messages in pieces,
credentials that take time to check, requests that are taken and not yet stored,
and watchers of the health service.
*/

use super::{
    frame, health,
    judge::{self, Call},
    message::{PartialMessage, message, refuse_inflate},
    reply::{self, GRPC, OK},
};
use crate::{
    net::{
        connection::shutdown_begun,
        h2::{H2Connection, H2Event, ReplyEnd},
    },
    pdata::Signal,
    pipeline::{NotTaken, Preparation, Refusal, RefusalKind, Taken, Ticket},
    receiver::{
        content::Content,
        endpoint::{BODY_IDLE_TIMEOUT, ConnectionContext, body_time, denied},
        inflate::{Coding, inflate},
        large,
        partial::{PartialBody, WholeBody},
    },
};
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{self, Poll},
};
use tokio::{sync::oneshot, time::Instant};

/// A refusal waits for the end of a body of this size, because a sender that is
/// answered in the middle of a body may see nothing but its stream reset.
const DROPPED: usize = 64 << 10;

/// So much of a connection's requests is held before their credentials are judged.
const UNCHECKED: usize = 64 << 10;

/// A request that has not ended, or waits for its credentials.
struct OpenCall {
    stream: u32,
    content: Content,
    state: CallState,
    message: PartialMessage,
    ended: bool,
    /// A piece has come since [`Calls::next_deadline`] was asked.
    is_fresh: bool,
    /// How much of it has come.
    received: usize,
    begun: Option<Instant>,
    heard: Option<Instant>,
}

enum CallState {
    /// Its message is to come.
    Receiving(Call),
    /// Its credentials are being checked; then it goes on as judged.
    Checking(Box<Result<Call, Refusal>>),
    /// It is refused when so much of its body was dropped.
    Refusing(Box<Refusal>, usize),
}

impl From<Result<Call, Refusal>> for CallState {
    fn from(judged: Result<Call, Refusal>) -> Self {
        match judged {
            Ok(call) => Self::Receiving(call),
            Err(refusal) => Self::Refusing(Box::new(refusal), 0),
        }
    }
}

/// A request that was taken, and may not be answered yet.
struct Unanswered {
    stream: u32,
    ticket: Ticket,
    taken: Taken,
}

/// A request that is read in the lane of large requests.
struct LargeCall {
    stream: u32,
    outcome: oneshot::Receiver<Result<Taken, Refusal>>,
}

/// A request that was taken, and is answered by what comes of its batches.
struct UnsettledCall {
    stream: u32,
    outcome: Pin<Box<dyn Future<Output = Result<Taken, Refusal>>>>,
}

/// Credentials that are being checked.
struct CredentialCheck {
    stream: u32,
    outcome: Pin<Box<dyn Future<Output = Result<(), Refusal>>>>,
}

/// A caller of the health service that waits for a change.
struct HealthWatcher {
    stream: u32,
    is_known: bool,
}

/// The calls of one connection that are not answered.
pub(crate) struct Calls {
    context: Rc<ConnectionContext>,
    limit: usize,
    /// The oldest first, as streams come.
    open: Vec<OpenCall>,
    unanswered: VecDeque<Unanswered>,
    unsettled: Vec<UnsettledCall>,
    /// Nothing more is taken from the connection meanwhile.
    large: Option<LargeCall>,
    checks: Vec<CredentialCheck>,
    watchers: Vec<HealthWatcher>,
    /// Waits for the shutdown, for the watchers.
    stop: Option<Pin<Box<dyn Future<Output = ()>>>>,
    work: usize,
}

impl Calls {
    /// No calls yet; messages may have `limit` bytes.
    pub(crate) fn new(context: Rc<ConnectionContext>, limit: usize) -> Self {
        Self {
            context,
            limit,
            open: Vec::new(),
            unanswered: VecDeque::new(),
            unsettled: Vec::new(),
            large: None,
            checks: Vec::new(),
            watchers: Vec::new(),
            stop: None,
            work: 0,
        }
    }

    /// Takes an event of the connection.
    pub(crate) fn take(&mut self, h2: &mut H2Connection, event: H2Event<'_>) {
        match event {
            H2Event::Head { stream, ended } => self.begin(h2, stream, ended),
            H2Event::Data {
                stream,
                bytes,
                ended,
            } => self.piece(h2, stream, bytes, ended),
            H2Event::Ended { stream } => self.piece(h2, stream, &[], true),
            H2Event::Gone { stream } => self.gone(stream),
        }
    }

    /// Returns the bytes that were given to the pipelines since it was last
    /// asked, inflated: what a turn has cost.
    pub(crate) fn take_work(&mut self) -> usize {
        std::mem::take(&mut self.work)
    }

    /// Returns true while a large request is read, or one that has no credentials yet
    /// has sent much: others of the connection must wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.large.is_some() || (!self.checks.is_empty() && self.unchecked() > UNCHECKED)
    }

    /// Returns how many bytes are held of requests whose credentials are being
    /// checked.
    fn unchecked(&self) -> usize {
        let open = self.open.iter();
        let checking = open.filter(|open| matches!(open.state, CallState::Checking(_)));
        checking.map(|open| open.message.len()).sum()
    }

    fn begin(&mut self, h2: &mut H2Connection, stream: u32, ended: bool) {
        let endpoint = &self.context.endpoint;
        let content = Content::of(h2.head().content_type());
        let judged = judge::judge(h2.head(), content, &*endpoint.ingest);
        let admission = endpoint.admission.as_ref();
        let state = match admission.filter(|_| judge::needs_credentials(h2.head(), content)) {
            None => judged.into(),
            Some(admission) => match admission.judge(h2.head().credentials()) {
                Some(Ok(())) => judged.into(),
                // Without credentials one is told no more than that they are wanting.
                Some(Err(reason)) => CallState::Refusing(Box::new(denied(reason)), 0),
                None => {
                    let given = h2.head().credentials().unwrap_or_default().to_vec();
                    self.check(stream, given);
                    CallState::Checking(Box::new(judged))
                }
            },
        };
        if ended && !matches!(state, CallState::Checking(_)) {
            return self.finish(h2, stream, content, state, WholeBody::Lent(&[]));
        }
        self.open.push(OpenCall {
            stream,
            content,
            state,
            message: PartialMessage::default(),
            ended,
            is_fresh: true,
            received: 0,
            begun: None,
            heard: None,
        });
    }

    fn position(&self, stream: u32) -> Option<usize> {
        self.open
            .binary_search_by_key(&stream, |open| open.stream)
            .ok()
    }

    fn piece(&mut self, h2: &mut H2Connection, stream: u32, bytes: &[u8], ended: bool) {
        let Some(at) = self.position(stream) else {
            return;
        };
        let Some(open) = self.open.get_mut(at) else {
            return;
        };
        open.is_fresh = true;
        open.ended = ended;
        let content = open.content;
        let (is_received, limit) = match &mut open.state {
            CallState::Receiving(call) => (true, call.limit(self.limit)),
            CallState::Checking(_) => (false, self.limit),
            CallState::Refusing(_, dropped) => {
                *dropped += bytes.len();
                if ended || *dropped > DROPPED {
                    let state = self.open.remove(at).state;
                    self.finish(h2, stream, content, state, WholeBody::Lent(&[]));
                }
                return;
            }
        };
        open.received += bytes.len();
        let is_complete = ended && is_received;
        if !is_complete || open.message.len() > 0 {
            let bodies = &self.context.endpoint.scratch.bodies;
            if let Err(refusal) = open.message.add(bytes, limit, bodies) {
                self.forget(stream);
                return self.refuse(h2, stream, content, &refusal);
            }
            if !is_complete {
                return;
            }
        }
        let OpenCall { state, message, .. } = self.open.remove(at);
        match message.into_body() {
            // In one piece it is used where it lies.
            None => self.finish(h2, stream, content, state, WholeBody::Lent(bytes)),
            Some(body) => self.finish(h2, stream, content, state, WholeBody::joined(body)),
        }
    }

    /// Goes on with a request that has ended.
    fn finish(
        &mut self,
        h2: &mut H2Connection,
        stream: u32,
        content: Content,
        state: CallState,
        body: WholeBody<&[u8]>,
    ) {
        match state {
            CallState::Receiving(Call::Export { signal, coding }) => {
                self.export(h2, stream, signal, coding, body);
            }
            CallState::Receiving(Call::Health(method)) => {
                self.health(h2, stream, method, &body);
            }
            CallState::Refusing(refusal, _) => self.refuse(h2, stream, content, &refusal),
            // Its credentials are in the way.
            CallState::Checking(_) => {}
        }
    }

    /// Gives the whole message of a call of Export to the pipelines.
    fn export(
        &mut self,
        h2: &mut H2Connection,
        stream: u32,
        signal: Signal,
        coding: Result<Coding, String>,
        body: WholeBody<&[u8]>,
    ) {
        let endpoint = Rc::clone(&self.context.endpoint);
        let (packed, coding) = match message(&body, &coding, self.limit) {
            Ok(message) => message,
            Err(refusal) => return self.refuse(h2, stream, Content::Grpc, &refusal),
        };
        let turn = large::turn_limit(body.len()).min(self.limit);
        let mut buffer = endpoint.scratch.take_inflate_buffer();
        let mut work = body.len();
        let taken = match inflate(coding, packed, turn, &mut buffer) {
            Ok(message) => {
                work = work.max(message.len());
                endpoint
                    .ingest
                    .take(signal, message, self.context.peer.ip())
            }
            // The lane may inflate more, in a larger window.
            Err(_) if turn < self.limit => Err(NotTaken::Large),
            Err(error) => Err(refuse_inflate(error, coding, self.limit).into()),
        };
        endpoint.scratch.give_inflate_buffer(buffer);
        self.work += work;
        match taken {
            Err(NotTaken::Large) => match body.into_owned(&endpoint.scratch.bodies) {
                Ok((body, charge)) => self.export_large(stream, signal, coding, body, charge),
                Err(refusal) => self.refuse(h2, stream, Content::Grpc, &refusal),
            },
            Err(NotTaken::Refused(refusal)) => self.refuse(h2, stream, Content::Grpc, &refusal),
            Ok(taken) => {
                body.give_back();
                self.taken(h2, stream, taken);
            }
        }
    }

    /// Gives a whole message to the lane of large requests.
    fn export_large(
        &mut self,
        stream: u32,
        signal: Signal,
        coding: Coding,
        body: Vec<u8>,
        charge: PartialBody,
    ) {
        let limit = self.limit;
        let preparation = self.context.endpoint.ingest.preparation();
        let read = move |memory: usize| {
            let most = Preparation::longest(memory).min(limit);
            let message = large::inflated((coding, body, frame::PREFIX), most, limit, |error| {
                refuse_inflate(error, coding, limit)
            })?;
            preparation.prepare(signal, message, memory)
        };
        let context = Rc::clone(&self.context);
        let outcome = large::take(context, signal, charge, Box::new(read));
        self.large = Some(LargeCall { stream, outcome });
    }

    fn taken(&mut self, h2: &mut H2Connection, stream: u32, taken: Taken) {
        match taken.stored {
            // What comes of batches has no order.
            _ if !taken.results.is_empty() => {
                let context = Rc::clone(&self.context);
                let outcome = Box::pin(async move { context.settled(taken).await });
                self.unsettled.push(UnsettledCall { stream, outcome });
            }
            None => self.accept(h2, stream, taken),
            Some(ticket) => self.unanswered.push_back(Unanswered {
                stream,
                ticket,
                taken,
            }),
        }
    }

    fn accept(&self, h2: &mut H2Connection, stream: u32, taken: Taken) {
        self.context.note_taken();
        reply::accept(h2, stream, taken);
    }

    fn refuse(&self, h2: &mut H2Connection, stream: u32, content: Content, refusal: &Refusal) {
        self.context.note(refusal);
        reply::refuse(h2, stream, content, refusal);
    }

    /// Answers the health service, which is not counted: it is not OTLP.
    fn health(&mut self, h2: &mut H2Connection, stream: u32, method: health::Method, body: &[u8]) {
        let is_known = match (health::read(body), method) {
            (Ok(false), health::Method::Check) => Err(health::not_found()),
            (is_known, _) => is_known,
        };
        let is_known = match is_known {
            Ok(is_known) => is_known,
            Err(refusal) => return reply::refuse(h2, stream, Content::Grpc, &refusal),
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
        h2.answer(stream, GRPC, &status, ReplyEnd::Open);
        self.watchers.push(HealthWatcher { stream, is_known });
    }

    /// Gives up a call whose stream will not go on.
    fn gone(&mut self, stream: u32) {
        match self.forget(stream).map(|open| open.state) {
            // Not counted: health is not OTLP.
            None | Some(CallState::Receiving(Call::Health(_))) => {}
            Some(CallState::Refusing(refusal, _)) => self.context.note(&refusal),
            Some(CallState::Receiving(_) | CallState::Checking(_)) => {
                let why = "the request stream broke: reset by the sender, or not as HTTP/2 has it";
                let refusal = Refusal::new(RefusalKind::Cancelled, why);
                self.context.note(&refusal);
            }
        }
        self.watchers.retain(|watcher| watcher.stream != stream);
    }

    /// Gives up all calls, because nothing more will come.
    pub(crate) fn abandon(&mut self) {
        while let Some(open) = self.open.last() {
            self.gone(open.stream);
        }
    }

    /// Removes a request that has not ended or waits for its credentials.
    fn forget(&mut self, stream: u32) -> Option<OpenCall> {
        let open = self.open.remove(self.position(stream)?);
        self.checks.retain(|check| check.stream != stream);
        Some(open)
    }

    /// Answers what has waited long enough, and sees that the task is woken
    /// for the rest.
    pub(crate) fn poll(&mut self, h2: &mut H2Connection, cx: &mut task::Context<'_>) {
        while let Some(oldest) = self.unanswered.front() {
            let ingest = &self.context.endpoint.ingest;
            if ingest.poll_stored(oldest.ticket, cx).is_pending() {
                break;
            }
            if let Some(oldest) = self.unanswered.pop_front() {
                self.accept(h2, oldest.stream, oldest.taken);
            }
        }
        if let Some(large) = &mut self.large
            && let Poll::Ready(outcome) = Pin::new(&mut large.outcome).poll(cx)
        {
            let stream = large.stream;
            self.large = None;
            match outcome.unwrap_or_else(|_| Err(Refusal::failed())) {
                Ok(taken) => self.taken(h2, stream, taken),
                Err(refusal) => self.refuse(h2, stream, Content::Grpc, &refusal),
            }
        }
        if !self.checks.is_empty() {
            self.poll_checks(h2, cx);
        }
        if !self.unsettled.is_empty() {
            self.poll_unsettled(h2, cx);
        }
        if !self.watchers.is_empty() {
            self.poll_stop(h2, cx);
        }
    }

    /// Answers those whose batches are delivered, or will not be.
    fn poll_unsettled(&mut self, h2: &mut H2Connection, cx: &mut task::Context<'_>) {
        let mut at = 0;
        while let Some(call) = self.unsettled.get_mut(at) {
            let Poll::Ready(outcome) = call.outcome.as_mut().poll(cx) else {
                at += 1;
                continue;
            };
            let stream = self.unsettled.swap_remove(at).stream;
            match outcome {
                Ok(taken) => self.accept(h2, stream, taken),
                Err(refusal) => self.refuse(h2, stream, Content::Grpc, &refusal),
            }
        }
    }

    /// Begins to check credentials that take time.
    fn check(&mut self, stream: u32, given: Vec<u8>) {
        let context = Rc::clone(&self.context);
        let outcome = Box::pin(async move { context.admit(Some(&given)).await });
        self.checks.push(CredentialCheck { stream, outcome });
    }

    fn poll_checks(&mut self, h2: &mut H2Connection, cx: &mut task::Context<'_>) {
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
    fn checked(&mut self, h2: &mut H2Connection, stream: u32, outcome: Result<(), Refusal>) {
        let Some(at) = self.position(stream) else {
            return;
        };
        let open = self.open.remove(at);
        let CallState::Checking(judged) = open.state else {
            return;
        };
        let state = outcome.and(*judged).into();
        if open.ended {
            let body = match open.message.into_body() {
                None => WholeBody::Lent(&[][..]),
                Some(body) => WholeBody::joined(body),
            };
            return self.finish(h2, stream, open.content, state, body);
        }
        self.open.insert(at, OpenCall { state, ..open });
    }

    /// Ends the streams of watchers when the shutdown has begun.
    fn poll_stop(&mut self, h2: &mut H2Connection, cx: &mut task::Context<'_>) {
        let shutdown = &self.context.shutdown;
        let stop = self
            .stop
            .get_or_insert_with(|| Box::pin(shutdown_begun(shutdown.clone())));
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

    /// Returns true if some request has not ended, so that there is a deadline.
    pub(crate) fn has_deadline(&self) -> bool {
        self.open.iter().any(|open| !open.ended)
    }

    /// Returns when the first of the calls will have waited too long for its
    /// next piece, if none comes after `now`.
    pub(crate) fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        let open = self.open.iter_mut().filter(|open| !open.ended);
        open.map(|open| {
            if std::mem::take(&mut open.is_fresh) {
                open.heard = Some(now);
            }
            let heard = *open.heard.get_or_insert(now);
            let begun = *open.begun.get_or_insert(now);
            (heard + BODY_IDLE_TIMEOUT).min(begun + body_time(open.received))
        })
        .min()
    }

    /// Refuses the calls that have waited too long.
    pub(crate) fn expire(&mut self, h2: &mut H2Connection, now: Instant) {
        let is_over = |open: &OpenCall| {
            let over = |since: Option<Instant>, most| since.is_some_and(|at| at + most <= now);
            let is_idle = !open.is_fresh && over(open.heard, BODY_IDLE_TIMEOUT);
            !open.ended && (is_idle || over(open.begun, body_time(open.received)))
        };
        while let Some(stalled) = self.open.iter().find(|open| is_over(open)) {
            let (stream, content) = (stalled.stream, stalled.content);
            let refusal = match self.forget(stream).map(|open| open.state) {
                Some(CallState::Refusing(refusal, _)) => *refusal,
                _ => Refusal::new(
                    RefusalKind::Stalled,
                    "the request body did not arrive in time: it may pause for 30 s, and must have a \
                     kilobyte a second after the first thirty",
                ),
            };
            self.refuse(h2, stream, content, &refusal);
        }
    }
}
