/*!
The admin thread: accepting connections, watching the shards' loads, and the
pages for metrics and health.
*/

use super::{StartError, receivers::Listener};
use crate::{
    config::ListenAddress,
    extension::{
        health_check::HealthCheck,
        zpages::{AboutService, ZPages},
    },
    net::{
        accept::Acceptor,
        balance::{self, ShardLoads},
        capacity::Capacity,
        handover::ShardSender,
        listen::{ListeningSocket, bind},
        page,
    },
    prometheus::text::TEXT,
    telemetry::{
        AcceptStats, Health, Registry, Resource, Snapshot, Style,
        http::{PageAnswer, PageRequest},
        page as metrics_page,
    },
};
use ::http::StatusCode;
use arc_swap::ArcSwap;
use std::{
    cell::Cell,
    collections::HashMap,
    net::{SocketAddr, TcpListener as StdListener},
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Instant,
};
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch},
    task,
    time::MissedTickBehavior,
};

/// Where and how health checks are answered.
pub(crate) struct HealthPage {
    /// Where.
    pub(crate) socket: StdListener,
    /// What it presents.
    pub(crate) guards: page::Guards,
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
    let guards = page::guards(WHAT, settings.tls.as_ref());
    let guards = guards.map_err(|message| StartError::Receiver {
        what: WHAT.to_owned(),
        message,
    })?;
    let (socket, address) = bind(settings.endpoint, WHAT)?;
    let page = HealthPage {
        socket,
        guards,
        settings: settings.clone(),
        state: state.clone(),
    };
    Ok((page, address))
}

/// What the admin thread runs.
pub(crate) struct Admin {
    /// Listeners that begin and end.
    pub(crate) listeners: UnboundedReceiver<ListenerCommand>,
    /// How many connections there may be.
    pub(crate) capacity: Capacity,
    /// The shards.
    pub(crate) shards: Vec<ShardSender>,
    /// The metrics pages, and how each is written.
    pub(crate) metrics: Vec<(StdListener, Style)>,
    /// The health page.
    pub(crate) health: Option<HealthPage>,
    /// The pages below `/debug`.
    pub(crate) zpages: Option<StdListener>,
    /// What metrics and the pages below `/debug` show.
    pub(crate) shown: Arc<Shown>,
    /// No more connections.
    pub(crate) stop: watch::Receiver<bool>,
    /// The end.
    pub(crate) end: watch::Receiver<bool>,
}

/// What the pages show, which a reload replaces in parts.
pub(crate) struct Shown {
    /// What metrics say of the process as a whole.
    pub(crate) resource: Resource,
    /// The series of what lives as long as the process.
    pub(crate) process: Arc<Registry>,
    /// Those of what processors do beside the items.
    pub(crate) background: ArcSwap<Registry>,
    /// Those of the pipelines.
    pub(crate) pipelines: ArcSwap<Registry>,
    /// What the pages below `/debug` tell.
    pub(crate) about: ArcSwap<AboutService>,
}

impl Shown {
    /// What all metrics say now.
    pub(crate) fn read(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.pipelines.load().read(&mut snapshot);
        self.background.load().read(&mut snapshot);
        self.process.read(&mut snapshot);
        snapshot
    }
}

/// A listener of connections that begins or ends.
pub(crate) enum ListenerCommand {
    /// Accepts on this socket.
    Begin {
        /// What the shards know the listener by.
        key: usize,
        /// What it is.
        listener: Box<Listener>,
        /// The socket.
        socket: ListeningSocket,
        /// Its address.
        address: ListenAddress,
        /// What it counts.
        stats: AcceptStats,
    },
    /// Accepts no more.
    End(usize),
}

impl Admin {
    /// Runs until told to end.
    pub(crate) async fn run(mut self) {
        for (socket, style) in self.metrics {
            let shown = Arc::clone(&self.shown);
            spawn_page(socket, page::Guards::default(), move |asked| {
                (asked.path == "/metrics").then(|| {
                    let text = metrics_page::write(&shown.read(), &shown.resource, &style);
                    (StatusCode::OK, TEXT, text)
                })
            });
        }
        if let Some(health) = self.health {
            let (path, state) = (health.settings.path, health.state);
            spawn_page(health.socket, health.guards, move |asked| {
                (asked.path == path).then(|| state.page())
            });
        }
        if let Some(socket) = self.zpages {
            let shown = Arc::clone(&self.shown);
            let pages = ZPages::new();
            spawn_page(socket, page::Guards::default(), move |asked| {
                pages.answer(asked, &shown.about.load())
            });
        }
        let acceptor = Rc::new(Acceptor {
            balance: ShardLoads::new(self.shards),
            capacity: self.capacity,
            waiting: Cell::new(0),
        });
        let mut accepting = HashMap::new();
        let loads = watch_loads(&acceptor.balance);
        let mut loads = pin!(loads);
        loop {
            tokio::select! {
                _ = self.end.wait_for(|end| *end) => return,
                () = &mut loads => return,
                Some(command) = self.listeners.recv() => match command {
                    ListenerCommand::Begin { key, listener, socket, address, stats } => {
                        listener.follow_files();
                        let (acceptor, mut stop) = (Rc::clone(&acceptor), self.stop.clone());
                        let task = task::spawn_local(async move {
                            tokio::select! {
                                () = acceptor.accept(key, socket, &address, &stats) => {}
                                _ = stop.wait_for(|stop| *stop) => {}
                            }
                        });
                        accepting.insert(key, task);
                    }
                    ListenerCommand::End(key) => {
                        if let Some(task) = accepting.remove(&key) {
                            task.abort();
                        }
                    }
                },
            }
        }
    }
}

fn spawn_page(
    socket: StdListener,
    guards: page::Guards,
    page: impl Fn(&PageRequest<'_>) -> Option<PageAnswer> + 'static,
) {
    task::spawn_local(page::serve(Arc::new(socket), guards, page));
}

async fn watch_loads(balance: &ShardLoads) {
    let mut looks = tokio::time::interval(balance::INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        balance.look(Instant::now());
    }
}
