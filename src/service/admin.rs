/*!
The admin thread: accepting connections, watching the shards' loads, and the
pages for metrics and health.
*/

use super::{StartError, receivers::Bound};
use crate::{
    extension::{health_check::HealthCheck, zpages},
    net::{
        accept::{Acceptor, bind},
        balance::{self, ShardLoads},
        capacity::Capacity,
        connection::HANDSHAKE_TIMEOUT,
        guards,
        handover::ShardSender,
    },
    pipeline::NamedRoute,
    telemetry::{AcceptStats, Health, LimitedPeers, Registry, http, process},
    tls,
};
use ::http::StatusCode;
use std::{
    cell::Cell,
    net::{SocketAddr, TcpListener as StdListener},
    rc::Rc,
    sync::Arc,
    time::Instant,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task,
    time::{MissedTickBehavior, timeout},
};

/// Where and how health checks are answered.
pub(crate) struct HealthPage {
    /// Where.
    pub(crate) socket: StdListener,
    /// What it presents; None: plaintext.
    pub(crate) tls: Option<Arc<tls::ReloadedServerTls>>,
    /// The settings.
    pub(crate) settings: HealthCheck,
    /// What there is to tell.
    pub(crate) state: Health,
}

/// Binds the address of health checks.
pub(crate) fn bind_health(
    settings: &HealthCheck,
    state: &Health,
) -> Result<(HealthPage, SocketAddr), StartError> {
    const WHAT: &str = "health_check";
    let tls = settings.tls.as_ref();
    let tls = tls.map(|tls| tls::ReloadedServerTls::for_page(WHAT, tls).map(Arc::new));
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
pub(crate) struct Admin {
    /// Listeners whose connections go to the shards, and what each counts.
    pub(crate) receivers: Vec<(Bound, AcceptStats)>,
    /// How many connections there may be.
    pub(crate) capacity: Capacity,
    /// The shards.
    pub(crate) shards: Vec<ShardSender>,
    /// The metrics page.
    pub(crate) metrics: Option<(StdListener, Arc<Registry>)>,
    /// The health page.
    pub(crate) health: Option<HealthPage>,
    /// `/debug/pipelinez`.
    pub(crate) zpages: Option<(StdListener, Vec<NamedRoute>, Vec<LimitedPeers>)>,
    /// No more connections.
    pub(crate) stop: watch::Receiver<bool>,
    /// The end.
    pub(crate) end: watch::Receiver<bool>,
}

impl Admin {
    /// Runs until told to end.
    pub(crate) async fn run(mut self) {
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
        if let Some((socket, routes, limited)) = self.zpages {
            spawn_page(socket, None, move |path| {
                (path == "/debug/pipelinez").then(|| zpages::page(&routes, &limited))
            });
        }
        let acceptor = Rc::new(Acceptor {
            balance: ShardLoads::new(self.shards),
            capacity: self.capacity,
            waiting: Cell::new(0),
        });
        for (at, (bound, stats)) in self.receivers.into_iter().enumerate() {
            bound.listener.follow_files();
            let acceptor = Rc::clone(&acceptor);
            let mut stop = self.stop.clone();
            task::spawn_local(async move {
                tokio::select! {
                    () = acceptor.accept(at, bound.socket, bound.address, &stats) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        }
        tokio::select! {
            _ = self.end.wait_for(|end| *end) => {}
            () = watch_loads(&acceptor.balance) => {}
        }
    }
}

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

fn spawn_page(
    socket: StdListener,
    tls: Option<Arc<tls::ReloadedServerTls>>,
    page: impl Fn(&str) -> Option<http::PageAnswer> + 'static,
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

async fn watch_loads(balance: &ShardLoads) {
    let mut looks = tokio::time::interval(balance::INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        balance.look(Instant::now());
    }
}
