//! A backend that does as it is told and remembers every span by its id.
//!
//! Invariants: a span counts as taken only if the request was taken, whatever
//! becomes of the answer, and as refused only where the backend has said so of
//! this span. It lives on a thread of its own and is changed while it runs.

use crate::{
    ids::{self, Seen},
    proc::{free_port, wait_for},
    reply::{Answer, Protocol, Reply},
    walk,
};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    error::Error,
    future::pending,
    net::{SocketAddr, TcpStream as StdStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
    time::sleep,
};

/// What it does with requests.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    Take,
    /// Takes each only after so long.
    Slow(Duration),
    Unavailable,
    /// Exhausted; says when to try again or does not.
    Busy(Option<Duration>),
    /// Refuses a request with a span whose number is a multiple.
    Poison(u64),
    /// Takes a request, and rejects the spans whose numbers are multiples.
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
}

/// What it got.
#[derive(Default)]
pub struct Books {
    pub taken: Seen,
    /// Spans that it refused for good.
    pub refused: Seen,
}

struct Shared {
    protocol: Protocol,
    mode: Mutex<Mode>,
    /// Requests that have begun to arrive.
    met: AtomicU64,
    books: Mutex<Books>,
}

pub struct Backend {
    pub port: u16,
    shared: Arc<Shared>,
    up: watch::Sender<bool>,
}

impl Backend {
    /// Takes everything, over gRPC.
    pub fn start() -> Self {
        Self::speaking(Protocol::Grpc)
    }

    pub fn speaking(protocol: Protocol) -> Self {
        let port = free_port();
        let shared = Arc::new(Shared {
            protocol,
            mode: Mutex::new(Mode::Take),
            met: AtomicU64::new(0),
            books: Mutex::default(),
        });
        let (up, told) = watch::channel(true);
        let its = Arc::clone(&shared);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve(port, its, told));
        });
        let backend = Self { port, shared, up };
        backend.wait_up(true);
        backend
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
            (StdStream::connect(("127.0.0.1", self.port)).is_ok() == up).then_some(())
        });
    }

    /// Requests that have begun to arrive, whatever became of them.
    pub fn met(&self) -> u64 {
        self.shared.met.load(Ordering::SeqCst)
    }

    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.shared.books.lock().unwrap()
    }

    /// Different spans it has taken.
    pub fn unique(&self) -> u64 {
        self.books().taken.unique
    }
}

/// Listens while told to; ends when the [`Backend`] is dropped.
async fn serve(port: u16, shared: Arc<Shared>, mut up: watch::Receiver<bool>) {
    loop {
        if up.wait_for(|up| *up).await.is_err() {
            return;
        }
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)));
        let listener = listener.await.unwrap();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    connections.spawn(connection(accepted.unwrap().0, Arc::clone(&shared)));
                }
                Some(_) = connections.join_next() => {}
                told = up.wait_for(|up| !up) => match told {
                    Ok(_) => break,
                    Err(_) => return,
                },
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    let protocol = shared.protocol;
    let cut = Arc::new(Notify::new());
    let its_cut = Arc::clone(&cut);
    let service = service_fn(move |request| answer(request, Arc::clone(&shared), Arc::clone(&cut)));
    let io = TokioIo::new(stream);
    // An error is a client that went away, or one that was cut off.
    match protocol {
        Protocol::Grpc => {
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(4 << 20)
                .initial_connection_window_size(4 << 20)
                .serve_connection(io, service);
            tokio::select! { _ = serving => {}, () = its_cut.notified() => {} }
        }
        Protocol::Http => {
            let serving = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
            tokio::select! { _ = serving => {}, () = its_cut.notified() => {} }
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    cut: Arc<Notify>,
) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let mode = *shared.mode.lock().unwrap();
    shared.met.fetch_add(1, Ordering::SeqCst);
    let mut body = request.into_body();
    if let Mode::Reset = mode {
        let _ = body.frame().await;
        return Err("as the test wants".into());
    }
    if let Mode::Cut = mode {
        let _ = body.frame().await;
        cut.notify_one();
        pending::<()>().await;
    }
    let body = body.collect().await?.to_bytes();
    let message = match shared.protocol {
        Protocol::Grpc => body.slice(5.min(body.len())..),
        Protocol::Http => body,
    };
    if let Mode::Slow(delay) = mode {
        sleep(delay).await;
    }
    if let Mode::Hang = mode {
        pending::<()>().await;
    }
    let reply = judge(mode, &message, &mut shared.books.lock().unwrap());
    if let Mode::TakeAndCut = mode {
        cut.notify_one();
        pending::<()>().await;
    }
    Ok(shared.protocol.answer(reply))
}

/// What is said to a request, which is noted accordingly.
fn judge(mode: Mode, message: &Bytes, books: &mut Books) -> Reply {
    let spans = || walk::all_spans(message).map(walk::span_id);
    let hit = |id: &[u8], every: u64| ids::number(id).is_some_and(|n| n % every == 0);
    match mode {
        Mode::Unavailable => return Reply::Unavailable,
        Mode::Busy(after) => return Reply::Busy { after },
        Mode::Small(most) if message.len() > most => return Reply::TooLarge,
        Mode::Poison(every) if spans().any(|id| hit(id, every)) => {
            if spans().count() == 1 {
                spans().for_each(|id| books.refused.count(id));
            }
            return Reply::Invalid;
        }
        Mode::Partial(every) => {
            let mut rejected = 0;
            for id in spans() {
                match hit(id, every) {
                    true => {
                        rejected += 1;
                        books.refused.count(id);
                    }
                    false => books.taken.count(id),
                }
            }
            return Reply::Taken { rejected };
        }
        _ => {}
    }
    spans().for_each(|id| books.taken.count(id));
    Reply::Taken { rejected: 0 }
}
