//! An OTLP backend that takes all three signals, misbehaves on demand and
//! remembers what it got.
//!
//! Invariants: an item counts as taken only if the request was taken, whatever
//! becomes of the answer, and as refused only where the backend has said so of
//! this item. It lives on a thread of its own, so a test may block, and is
//! changed while it runs.

pub mod records;
pub mod reply;
mod serve;

use crate::{Protocol, Signal, free_port, wait_for};
use bytes::Bytes;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use records::{Received, Records, hit};
use reply::Reply;
use std::{
    fmt,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::sync::watch;

/// What it does with requests.
#[derive(Clone)]
pub enum Mode {
    Take,
    /// Takes each only after so long.
    Slow(Duration),
    Unavailable,
    /// Exhausted; says when to try again or does not.
    Busy(Option<Duration>),
    /// Refuses a request with an item whose number is a multiple.
    Poison(u64),
    /// Takes a request, and rejects the items whose numbers are multiples.
    Partial(u64),
    /// Takes no request of more bytes.
    Small(usize),
    /// Reads and never answers.
    Hang,
    /// Breaks a request off (over gRPC: RST_STREAM) while it comes.
    Reset,
    /// Breaks the connection off within a request.
    Cut,
    /// Takes the request, and breaks the connection off before the answer.
    TakeAndCut,
    /// Answers what a test says to the request of this number, the first being 0.
    Script(Arc<Script>),
}

/// Gives the answer to a request by its number.
pub type Script = dyn Fn(usize, &Received) -> Reply + Send + Sync;

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Take => write!(f, "Take"),
            Self::Slow(delay) => write!(f, "Slow({delay:?})"),
            Self::Unavailable => write!(f, "Unavailable"),
            Self::Busy(after) => write!(f, "Busy({after:?})"),
            Self::Poison(every) => write!(f, "Poison({every})"),
            Self::Partial(every) => write!(f, "Partial({every})"),
            Self::Small(most) => write!(f, "Small({most})"),
            Self::Hang => write!(f, "Hang"),
            Self::Reset => write!(f, "Reset"),
            Self::Cut => write!(f, "Cut"),
            Self::TakeAndCut => write!(f, "TakeAndCut"),
            Self::Script(_) => write!(f, "Script"),
        }
    }
}

struct Shared {
    protocol: Protocol,
    mode: Mutex<Mode>,
    /// Whether requests are kept, beside the ids of their items.
    keeps: bool,
    /// Requests that have begun to arrive.
    met: AtomicU64,
    records: Mutex<Records>,
}

pub struct Backend {
    pub port: u16,
    address: SocketAddr,
    shared: Arc<Shared>,
    up: watch::Sender<bool>,
}

impl Backend {
    /// Takes everything over gRPC, and keeps it.
    pub fn grpc() -> Self {
        Self::start(free_port(), Protocol::Grpc, true)
    }

    /// The same over HTTP.
    pub fn http() -> Self {
        Self::start(free_port(), Protocol::Http, true)
    }

    /// Takes everything, and keeps the ids only: for loads that memory does
    /// not hold.
    pub fn counting(protocol: Protocol) -> Self {
        Self::start(free_port(), protocol, false)
    }

    /// Listens on a port of the caller's choice.
    pub fn start(port: u16, protocol: Protocol, keeps: bool) -> Self {
        Self::start_at(([127, 0, 0, 1], port).into(), protocol, keeps)
    }

    /// Listens on an address of the caller's choice.
    pub fn start_at(address: SocketAddr, protocol: Protocol, keeps: bool) -> Self {
        let shared = Arc::new(Shared {
            protocol,
            mode: Mutex::new(Mode::Take),
            keeps,
            met: AtomicU64::new(0),
            records: Mutex::default(),
        });
        let (up, is_up) = watch::channel(true);
        let its = Arc::clone(&shared);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve::serve(address, its, is_up));
        });
        let port = address.port();
        let backend = Self {
            port,
            address,
            shared,
            up,
        };
        backend.wait_up(true);
        backend
    }

    pub fn protocol(&self) -> Protocol {
        self.shared.protocol
    }

    pub fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    /// Goes away, with all connections, until [`Backend::back`].
    pub fn away(&self) {
        self.up.send_replace(false);
        self.wait_up(false);
    }

    pub fn back(&self) {
        self.up.send_replace(true);
        self.wait_up(true);
    }

    fn wait_up(&self, up: bool) {
        wait_for("the backend's port", || {
            (TcpStream::connect(self.address).is_ok() == up).then_some(())
        });
    }

    /// Requests that have begun to arrive, whatever became of them.
    pub fn met(&self) -> u64 {
        self.shared.met.load(Ordering::SeqCst)
    }

    pub fn records(&self) -> MutexGuard<'_, Records> {
        self.shared.records.lock().unwrap()
    }

    /// Different items it has taken.
    pub fn unique(&self) -> u64 {
        self.records().taken.unique
    }

    pub fn resource_spans(&self) -> Vec<ResourceSpans> {
        self.records().resource_spans()
    }

    pub fn spans(&self) -> Vec<Span> {
        self.records().spans()
    }

    /// The names of the spans it has taken, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.spans().into_iter().map(|span| span.name).collect();
        names.sort();
        names
    }

    /// Waits until `count` spans have arrived, and gives them.
    pub fn wait(&self, count: usize) -> Vec<Span> {
        wait_for(&format!("{count} spans at the backend"), || {
            let spans = self.spans();
            (spans.len() >= count).then_some(spans)
        })
    }

    /// Waits until `count` items of a signal have arrived, and gives their
    /// payloads, sorted.
    pub fn wait_items(&self, signal: Signal, count: usize) -> Vec<Bytes> {
        wait_for(&format!("{count} items of {signal:?}"), || {
            let items = self.records().items(signal);
            (items.len() >= count).then_some(items)
        })
    }
}

impl Shared {
    /// Decides what is answered to a request, and records it.
    fn judge(&self, mode: &Mode, mut request: Received) -> Reply {
        let mut records = self.records.lock().unwrap();
        let reply = match mode {
            Mode::Unavailable => Reply::Unavailable,
            Mode::Busy(after) => Reply::Busy { after: *after },
            Mode::Hang => Reply::Hang,
            Mode::Small(most) if request.message.len() > *most => Reply::TooLarge,
            Mode::Poison(every) if request.hits(*every) => {
                if request.span_ids().count() == 1 {
                    request.span_ids().for_each(|id| records.refused.count(id));
                }
                Reply::Invalid
            }
            Mode::Partial(every) => {
                let rejected = request.span_ids().filter(|id| hit(id, *every));
                let rejected = rejected.map(|id| records.refused.count(id)).count() as u64;
                match rejected {
                    0 => Reply::TAKEN,
                    rejected => Reply::rejecting(rejected, "some items cannot be taken"),
                }
            }
            Mode::Script(script) => script(records.requests.len(), &request),
            _ => Reply::TAKEN,
        };
        request.taken = reply.is_success();
        if request.taken {
            for id in request.span_ids() {
                match mode {
                    Mode::Partial(every) if hit(id, *every) => {}
                    _ => records.taken.count(id),
                }
            }
        }
        if self.keeps {
            records.requests.push(request);
        }
        reply
    }
}
