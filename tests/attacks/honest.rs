//! Four honest senders: over gRPC and over HTTP, each on a connection that
//! stands and on new ones.
//!
//! Idea: five captured spans a request, at fixed moments. A wait is counted from
//! the moment at which a request was due, so that one that stands in the way of
//! others is felt by all of them.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use testkit::{
    Protocol, Signal,
    load::{Answer, Link, Source},
    root, wait_for,
};
use tokio::{
    task::LocalSet,
    time::{Instant, sleep_until, timeout},
};

/// As an Envoy sends them.
pub const SPANS: u64 = 5;
/// Between two requests of one sender.
const PERIOD: Duration = Duration::from_millis(50);
/// A request that waits for longer is given up.
pub const GIVE_UP: Duration = Duration::from_secs(10);
/// Requests that a new sender uses the same password for.
const PER_USER: usize = 10;

/// The senders, in the order of the figures.
pub const SENDERS: [Sender; 4] = [
    Sender::new(Protocol::Grpc, true),
    Sender::new(Protocol::Grpc, false),
    Sender::new(Protocol::Http, true),
    Sender::new(Protocol::Http, false),
];

#[derive(Clone, Copy)]
pub struct Sender {
    protocol: Protocol,
    stands: bool,
}

impl Sender {
    const fn new(protocol: Protocol, stands: bool) -> Self {
        Self { protocol, stands }
    }
}

/// What became of the requests of one sender.
#[derive(Clone, Default)]
pub struct Ledger {
    pub waits: Vec<Duration>,
    /// Of each that was taken, the number of the first span.
    pub taken: Vec<u64>,
    /// Why others were not.
    pub refused: Vec<String>,
    /// Requests that were sent twice, since their connection broke.
    pub resent: usize,
}

pub struct Honest {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    ledgers: Mutex<[Ledger; SENDERS.len()]>,
    stop: AtomicBool,
}

struct Shared {
    source: RefCell<(Source, u64)>,
    /// Of the gRPC and of the HTTP port.
    ports: [u16; 2],
    /// Values of the header `authorization`.
    users: Vec<String>,
    state: Arc<State>,
}

impl Honest {
    /// Sends to these ports, as these users if there are any.
    pub fn start(grpc: u16, http: u16, users: Vec<String>) -> Self {
        let state = Arc::<State>::default();
        let its_state = Arc::clone(&state);
        let thread = thread::spawn(move || {
            let folder = root().join("tests/fixtures/ambient-istio-1.30");
            let source = Source::load(&folder, SPANS as usize, false).unwrap();
            let shared = Rc::new(Shared {
                source: RefCell::new((source, 1)),
                ports: [grpc, http],
                users,
                state: its_state,
            });
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let senders = (0..SENDERS.len()).map(|at| shared.send(at));
            let senders = futures_util::future::join_all(senders);
            LocalSet::new().block_on(&runtime, senders);
        });
        Self {
            state,
            thread: Some(thread),
        }
    }

    /// Waits until each sender has had so many answers.
    pub fn wait_served(&self, count: usize) {
        wait_for("answers to honest senders", || {
            let ledgers = self.state.ledgers.lock().unwrap();
            ledgers.iter().all(|l| l.taken.len() >= count).then_some(())
        });
    }

    /// Keeps no figures of what was until now.
    pub fn begin(&self) {
        for ledger in &mut *self.state.ledgers.lock().unwrap() {
            ledger.waits.clear();
            ledger.refused.clear();
            ledger.resent = 0;
        }
    }

    /// Ends, once what is under way was answered or given up.
    pub fn finish(mut self) -> [Ledger; SENDERS.len()] {
        self.state.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the honest senders do not fail");
        }
        self.state.ledgers.lock().unwrap().clone()
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    /// Sends as the sender at this place, until the end.
    async fn send(&self, at: usize) {
        let sender = SENDERS[at];
        let mut due = Instant::now() + PERIOD * at as u32 / SENDERS.len() as u32;
        let mut link = None;
        for n in 0.. {
            sleep_until(due).await;
            if self.state.stop.load(Ordering::SeqCst) {
                return;
            }
            let (frame, first) = {
                let (source, next) = &mut *self.source.borrow_mut();
                let first = *next;
                *next += SPANS;
                (source.next_request().0, first)
            };
            let mut resent = 0;
            let post = timeout(GIVE_UP, async {
                loop {
                    if let Ok(answer) = self.post(&mut link, sender, n, frame.clone()).await {
                        return Ok(answer);
                    }
                    link = None;
                    if resent == 1 {
                        return Err("the connection broke twice");
                    }
                    resent += 1;
                }
            });
            let answer = post.await.unwrap_or(Err("no answer"));
            if !sender.stands || answer.is_err() {
                link = None;
            }
            let mut ledgers = self.state.ledgers.lock().unwrap();
            let ledger = &mut ledgers[at];
            ledger.waits.push(due.elapsed());
            ledger.resent += resent;
            match answer {
                Ok(Answer::Taken { .. }) => ledger.taken.push(first),
                Ok(Answer::Refused { why, .. }) => ledger.refused.push(why),
                Err(why) => ledger.refused.push(why.to_owned()),
            }
            due += PERIOD;
        }
    }

    async fn post(
        &self,
        link: &mut Option<Link>,
        sender: Sender,
        n: usize,
        frame: bytes::Bytes,
    ) -> anyhow::Result<Answer> {
        if link.is_none() {
            let port = self.ports[usize::from(sender.protocol == Protocol::Http)];
            let to = SocketAddr::from(([127, 0, 0, 1], port));
            let mut links = Link::connect(to, Signal::Traces, sender.protocol, false, 1).await?;
            let mut new = links.remove(0);
            let user = n / PER_USER % self.users.len().max(1);
            if let Some(user) = self.users.get(user) {
                new = new.with_header("authorization", user);
            }
            *link = Some(new);
        }
        let link = link.as_mut().expect("it was made");
        link.post(frame).await
    }
}
