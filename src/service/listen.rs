/*!
Listeners: binding them, and handing each accepted connection to a shard.

A connection stays on its shard for life, so placement decides the balance
([`Balance`]): the kernel's own spreading (SO_REUSEPORT) hashes badly over the
few long-lived connections a mesh keeps. Accepting is rare, so one thread does
it for all.
*/

use super::{
    StartError,
    balance::{self, Balance},
    guards,
    shard::{Connection, Entrance},
};
use crate::{
    auth,
    config::{Config, HealthCheck},
    extension::{health_check::Health, zpages},
    pipeline::NamedRoute,
    receiver::{HANDSHAKE_TIMEOUT, Protocol},
    telemetry::{Registry, http, process},
    tls,
};
use ::http::StatusCode;
use std::{
    fmt, io,
    net::{SocketAddr, TcpListener as StdListener},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task,
    time::{MissedTickBehavior, timeout},
};

/// Connections the kernel may hold for us before we accept them. A mesh's
/// proxies reconnect all at once when the pod is replaced.
const ACCEPT_BACKLOG: i32 = 1024;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}{}", remedy(source))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What for.
    pub what: String,
    /// The system's answer.
    pub source: io::Error,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            " (another process has the port, `ss -ltnp` shows which: stop it or change the endpoint)"
        }
        io::ErrorKind::PermissionDenied => {
            " (ports below 1024 need CAP_NET_BIND_SERVICE: use a higher port)"
        }
        io::ErrorKind::AddrNotAvailable => {
            " (the address is not one of this host's; 0.0.0.0 listens on all of them)"
        }
        _ => "",
    }
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

impl Transport {
    /// The Collector's `transport` label.
    pub fn label(self) -> &'static str {
        match self {
            Transport::Grpc => "grpc",
            Transport::Http => "http",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Grpc => "OTLP/gRPC",
            Transport::Http => "OTLP/HTTP",
        })
    }
}

/// One protocol of one receiver.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Index of the receiver in the configuration.
    pub receiver: usize,
    /// Which protocol.
    pub transport: Transport,
    /// Its settings.
    pub protocol: Protocol,
    /// What it presents and trusts.
    pub tls: Option<Arc<tls::Server>>,
    /// Whom it takes spans from.
    pub auth: Option<Arc<auth::Server>>,
}

/// A listener with its socket.
#[derive(Debug)]
pub struct Bound {
    /// What it is.
    pub listener: Listener,
    /// Where it listens; the real port where 0 was asked.
    pub address: SocketAddr,
    socket: StdListener,
}

/// Binds every protocol of every receiver, with its certificates and users.
pub fn bind_receivers(config: &Config) -> Result<Vec<Bound>, StartError> {
    let mut all = Vec::new();
    for (at, receiver) in config.receivers.iter().enumerate() {
        let grpc = receiver
            .grpc
            .as_ref()
            .map(|grpc| (Transport::Grpc, grpc.endpoint, Protocol::Grpc(grpc.clone())));
        let http = receiver
            .http
            .as_ref()
            .map(|http| (Transport::Http, http.endpoint, Protocol::Http(http.clone())));
        for (transport, endpoint, protocol) in grpc.into_iter().chain(http) {
            let what = format!("{transport} (receiver {})", receiver.id);
            let (tls, auth) = guards::build(&what, &protocol)?;
            let (socket, address) = bind(endpoint, &what)?;
            let listener = Listener {
                receiver: at,
                transport,
                protocol,
                tls,
                auth,
            };
            all.push(Bound {
                listener,
                address,
                socket,
            });
        }
    }
    Ok(all)
}

/// Binds one address and returns the real one.
pub fn bind(address: SocketAddr, what: &str) -> Result<(StdListener, SocketAddr), BindError> {
    let bind = || {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        // A restart must not wait for the old connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(ACCEPT_BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = StdListener::from(socket);
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| BindError {
        address,
        what: what.to_owned(),
        source,
    })
}

/// Where and how health checks are answered.
pub struct HealthPage {
    /// Where.
    pub socket: StdListener,
    /// What it presents; None: plaintext.
    pub tls: Option<Arc<tls::Server>>,
    /// The settings.
    pub settings: HealthCheck,
    /// What there is to tell.
    pub state: Health,
}

/// Binds the address of health checks.
pub fn bind_health(
    settings: &HealthCheck,
    state: &Health,
) -> Result<(HealthPage, SocketAddr), StartError> {
    const WHAT: &str = "health_check";
    let tls = settings.tls.as_ref();
    let tls = tls.map(|tls| tls::Server::for_page(WHAT, tls).map(Arc::new));
    let tls = tls.transpose().map_err(|message| StartError::Receiver {
        what: WHAT.to_owned(),
        message,
    })?;
    let (socket, address) = bind(settings.endpoint, WHAT)?;
    let page = HealthPage {
        socket,
        tls,
        settings: settings.clone(),
        state: state.clone(),
    };
    Ok((page, address))
}

/// What the admin thread runs.
pub struct Admin {
    /// Listeners whose connections go to the shards.
    pub receivers: Vec<Bound>,
    /// The shards.
    pub shards: Vec<Entrance>,
    /// The metrics page.
    pub metrics: Option<(StdListener, Arc<Registry>)>,
    /// The health page.
    pub health: Option<HealthPage>,
    /// `/debug/pipelinez`.
    pub zpages: Option<(StdListener, Vec<NamedRoute>)>,
    /// No more connections.
    pub stop: watch::Receiver<bool>,
    /// The end.
    pub end: watch::Receiver<bool>,
}

impl Admin {
    /// Runs until told to end.
    pub async fn run(mut self) {
        if let Some((socket, registry)) = self.metrics {
            process::register(&registry);
            spawn_page(socket, None, move |path| {
                let is_metrics = path == "/metrics";
                is_metrics.then(|| (StatusCode::OK, PROMETHEUS_TEXT, registry.render()))
            });
        }
        if let Some(health) = self.health {
            let interval = health.settings.tls.and_then(|tls| tls.reload_interval);
            if let Some((tls, interval)) = health.tls.clone().zip(interval) {
                guards::follow_tls(tls, interval);
            }
            let (path, state) = (health.settings.path, health.state);
            spawn_page(health.socket, health.tls, move |asked| {
                (asked == path).then(|| state.page())
            });
        }
        if let Some((socket, routes)) = self.zpages {
            spawn_page(socket, None, move |path| {
                (path == "/debug/pipelinez").then(|| zpages::page(&routes))
            });
        }
        let balance = Rc::new(Balance::new(self.shards));
        for (at, bound) in self.receivers.into_iter().enumerate() {
            guards::follow(&bound.listener);
            let balance = Rc::clone(&balance);
            let mut stop = self.stop.clone();
            task::spawn_local(async move {
                tokio::select! {
                    () = accept(at, bound, &balance) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        }
        tokio::select! {
            _ = self.end.wait_for(|end| *end) => {}
            () = watch_loads(&balance) => {}
        }
    }
}

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

fn spawn_page(
    socket: StdListener,
    tls: Option<Arc<tls::Server>>,
    page: impl Fn(&str) -> Option<http::Page> + 'static,
) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot serve a page: {error}"),
    };
    match tls {
        None => {
            let plain = |socket| std::future::ready(Some(socket));
            task::spawn_local(http::serve(listener, plain, page));
        }
        Some(tls) => {
            let encrypted = move |socket| {
                let shaken = timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(socket));
                async { shaken.await.ok()?.ok() }
            };
            task::spawn_local(http::serve(listener, encrypted, page));
        }
    }
}

async fn watch_loads(balance: &Balance) {
    let mut looks = tokio::time::interval(balance::INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        balance.look(Instant::now());
    }
}

/// Accepts forever and hands each connection to the shard that is to have it.
async fn accept(listener: usize, bound: Bound, balance: &Balance) {
    let socket = match TcpListener::from_std(bound.socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!("cannot accept on {}: {error}", bound.address);
            return;
        }
    };
    loop {
        let (socket, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::warn!(
                    "cannot accept a connection on {}: {error}; trying again (if this is \"too \
                     many open files\", raise the limit with ulimit -n)",
                    bound.address
                );
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        // The socket leaves this thread's reactor for the shard's.
        let Ok(socket) = socket.into_std() else {
            continue;
        };
        if let Some(shard) = balance.place() {
            shard.give(Connection {
                listener,
                socket,
                peer,
            });
        }
    }
}

/// Errors that concern a connection that is already gone, not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
