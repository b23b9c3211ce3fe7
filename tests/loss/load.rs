//! Senders that remember what became of every span.
//!
//! Idea: five captured spans a request, each with a number of its own, over
//! several connections that are made anew whenever they break, as Envoy does.
//! Invariants: a request is noted as answered only after its whole answer was
//! read; what got no answer is noted too, since it may arrive all the same.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use testkit::{
    Protocol, Records, Signal,
    load::{Answer, Link, Pace, Source},
    root, wait_for,
};
use tokio::{
    task::LocalSet,
    time::{sleep, timeout},
};

/// As an Envoy sends them.
pub const SPANS: usize = 5;
const CONNECTIONS: usize = 8;
/// Under way on each connection.
const IN_FLIGHT: usize = 4;
/// Spans under way at most.
pub const UNDER_WAY: usize = CONNECTIONS * IN_FLIGHT * SPANS;
/// Before a sender tries again after a refusal or a broken connection.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of the spans, by number: each entry is a request, of which it
/// has the first.
#[derive(Default)]
pub struct Ledger {
    pub answered: Vec<u64>,
    pub refused: Vec<u64>,
    /// Of those, how many were not told when to try again.
    pub unhinted: u64,
    pub first_refusal: Option<String>,
    pub unanswered: Vec<u64>,
}

impl Ledger {
    /// Spans that were answered.
    pub fn answered_spans(&self) -> u64 {
        (self.answered.len() * SPANS) as u64
    }

    /// Spans that were answered, and that the backend neither took nor refused.
    pub fn lost(&self, records: &Records) -> Vec<u64> {
        let there = |n: &u64| records.taken.contains(*n) || records.refused.contains(*n);
        spans(&self.answered).filter(|n| !there(n)).collect()
    }

    /// Spans that were not answered, and have arrived.
    pub fn arrived_unanswered(&self, records: &Records) -> u64 {
        arrived(&self.unanswered, records)
    }

    /// Spans that were refused, and have arrived.
    pub fn arrived_refused(&self, records: &Records) -> u64 {
        arrived(&self.refused, records)
    }
}

fn arrived(requests: &[u64], records: &Records) -> u64 {
    let arrived = spans(requests).filter(|n| records.taken.contains(*n));
    arrived.count() as u64
}

fn spans(requests: &[u64]) -> impl Iterator<Item = u64> + '_ {
    requests
        .iter()
        .flat_map(|first| *first..first + SPANS as u64)
}

pub struct Load {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

/// What a test and its senders share.
#[derive(Default)]
struct State {
    ledger: Mutex<Ledger>,
    paused: AtomicBool,
    /// Requests under way.
    busy: AtomicUsize,
    stop: AtomicBool,
}

struct Shared {
    source: RefCell<Numbered>,
    pace: Pace,
    state: Arc<State>,
    signal: Signal,
    protocol: Protocol,
}

struct Numbered {
    source: Source,
    /// Number of the next span; [`Source`] counts in the same way.
    next: u64,
}

impl Load {
    /// Sends to a port of 127.0.0.1, over gRPC: so many spans a second, or as
    /// fast as they are answered.
    pub fn start(port: u16, rate: Option<f64>) -> Self {
        Self::speaking(Protocol::Grpc, port, rate)
    }

    /// The same over this protocol.
    pub fn speaking(protocol: Protocol, port: u16, rate: Option<f64>) -> Self {
        Self::sending(Signal::Traces, protocol, port, rate)
    }

    /// The same with items of this signal in place of spans.
    pub fn sending(signal: Signal, protocol: Protocol, port: u16, rate: Option<f64>) -> Self {
        let folder = root().join("tests/fixtures/ambient-istio-1.30");
        let state = Arc::<State>::default();
        let its_state = Arc::clone(&state);
        let thread = thread::spawn(move || {
            let source = Source::made(signal, &folder, SPANS).unwrap();
            let shared = Rc::new(Shared {
                source: RefCell::new(Numbered { source, next: 1 }),
                pace: Pace::new(rate.map(|rate| rate / SPANS as f64)),
                state: its_state,
                signal,
                protocol,
            });
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let to = SocketAddr::from(([127, 0, 0, 1], port));
            let senders = (0..CONNECTIONS).map(|_| connection(to, Rc::clone(&shared)));
            let senders = futures_util::future::join_all(senders);
            LocalSet::new().block_on(&runtime, senders);
        });
        Self {
            state,
            thread: Some(thread),
        }
    }

    /// Sends nothing more for now, and waits for what is under way.
    pub fn pause(&self) {
        self.state.paused.store(true, Ordering::SeqCst);
        wait_for("the answers to what is under way", || {
            (self.state.busy.load(Ordering::SeqCst) == 0).then_some(())
        });
    }

    pub fn go_on(&self) {
        self.state.paused.store(false, Ordering::SeqCst);
    }

    /// Waits until `more` spans than now have been answered.
    pub fn wait_answered(&self, more: u64) {
        let goal = self.ledger().answered_spans() + more;
        wait_for("answers", || {
            (self.ledger().answered_spans() >= goal).then_some(())
        });
    }

    /// Waits until a request that is sent from now on is refused.
    pub fn wait_refused(&self) {
        let before = self.ledger().refused.len();
        wait_for("a refusal", || {
            (self.ledger().refused.len() > before + CONNECTIONS * IN_FLIGHT).then_some(())
        });
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.state.ledger.lock().unwrap()
    }

    /// The end, once everything under way is answered or has failed.
    pub fn finish(mut self) -> Ledger {
        self.end();
        std::mem::take(&mut *self.ledger())
    }

    fn end(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(thread::panicking() || ended.is_ok(), "the senders failed");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

/// Connects as soon as somebody listens, and sends until the end.
async fn connection(to: SocketAddr, shared: Rc<Shared>) {
    while !shared.state.stop.load(Ordering::SeqCst) {
        match Link::connect(to, shared.signal, shared.protocol, false, IN_FLIGHT).await {
            Ok(links) => {
                let senders = links.into_iter().map(|link| send(link, &shared));
                futures_util::future::join_all(senders).await;
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn send(mut link: Link, shared: &Shared) {
    loop {
        let turn = timeout(PAUSE, shared.pace.turn()).await;
        if shared.state.stop.load(Ordering::SeqCst) {
            // Nobody waits any longer for what is not to be sent.
            return shared.pace.end();
        }
        if turn.is_err() {
            continue;
        }
        // Said before the look: whoever pauses then waits for this request, or
        // it is not sent.
        shared.state.busy.fetch_add(1, Ordering::SeqCst);
        let became = match shared.state.paused.load(Ordering::SeqCst) {
            true => Became::Unsent,
            false => request(&mut link, shared).await,
        };
        shared.state.busy.fetch_sub(1, Ordering::SeqCst);
        if became != Became::Taken {
            sleep(PAUSE).await;
        }
        // Over gRPC a link connects anew by itself.
        if became == Became::Unanswered && shared.protocol == Protocol::Http {
            return;
        }
    }
}

/// What became of a request.
#[derive(PartialEq, Eq)]
enum Became {
    Unsent,
    Taken,
    Refused,
    Unanswered,
}

/// Sends a request and notes what became of it.
async fn request(link: &mut Link, shared: &Shared) -> Became {
    let (frame, first) = {
        let mut numbered = shared.source.borrow_mut();
        let (frame, spans) = numbered.source.next_request();
        let first = numbered.next;
        numbered.next += spans;
        (frame, first)
    };
    let answer = link.post(frame).await;
    let mut ledger = shared.state.ledger.lock().unwrap();
    match answer {
        Ok(Answer::Taken { rejected }) => {
            assert_eq!(rejected, 0, "all spans are good");
            ledger.answered.push(first);
            Became::Taken
        }
        Ok(Answer::Refused { why, again }) => {
            ledger.refused.push(first);
            ledger.unhinted += u64::from(!again);
            ledger.first_refusal.get_or_insert(why);
            Became::Refused
        }
        Err(_) => {
            ledger.unanswered.push(first);
            Became::Unanswered
        }
    }
}
