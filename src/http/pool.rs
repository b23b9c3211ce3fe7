/*!
The connections to one target: made, kept and renewed while batches flow.

[`Endpoints`] decides, this does: connects and resolves in tasks of its own, so
that a batch waits for neither while another address is well. Nothing happens
without requests: an idle exporter asks no DNS server and knocks at no door.

A name is asked about again every half minute, and as soon as no address is at
hand. Addresses that are gone take no more requests; what is under way on them
is answered. While DNS does not answer, those known stay in use.
*/

use super::{
    connect::{Connection, Connector},
    endpoints::{Endpoints, Taken},
    resolve::{Resolve, Target},
};
use crate::{
    config::{Balancer, Retry},
    exporter::outcome::Outcome,
};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    select,
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tracing::{info, warn};

/// How often a name is asked about, as a rule.
pub const REFRESH: Duration = Duration::from_secs(30);
/// And not sooner than after this long, whatever fails.
const LEAST: Duration = Duration::from_secs(1);
/// Longest wait for the resolver.
const RESOLVE: Duration = Duration::from_secs(30);

/// How a client reaches its target.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Of a whole attempt at one address.
    pub timeout: Duration,
    /// How requests are spread.
    pub balancer: Balancer,
    /// For how long a failing address is set aside.
    pub retry: Retry,
    /// Who knows addresses.
    pub resolver: Arc<dyn Resolve>,
    /// A name is asked about again after this long: [`REFRESH`].
    pub refresh: Duration,
}

/// The connections to one target.
#[derive(Debug)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    target: Target,
    connector: Connector,
    resolver: Arc<dyn Resolve>,
    timeout: Duration,
    refresh: Duration,
    state: Mutex<State>,
    /// A connection was made or failed, or the resolver has answered.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    endpoints: Endpoints<Connection>,
    names: Names,
}

/// What is known of the name's resolution.
#[derive(Debug, Default)]
struct Names {
    asking: bool,
    asked: Option<Instant>,
    /// Why the last answer was none, once that was told.
    error: Option<String>,
}

/// An address that has a request, until this is dropped.
#[derive(Debug)]
pub struct Place {
    shared: Arc<Shared>,
    /// Where it is.
    pub address: SocketAddr,
    connection: Option<Connection>,
    /// Whether the connection has no request under way.
    idle: bool,
}

impl Pool {
    /// The way to `target`. Connects when first needed.
    pub fn new(target: Target, connector: Connector, reach: Reach) -> Self {
        let mut endpoints = Endpoints::new(reach.balancer, &reach.retry, reach.timeout);
        endpoints.replace(target.address().as_slice());
        Self(Arc::new(Shared {
            target,
            connector,
            resolver: reach.resolver,
            timeout: reach.timeout,
            refresh: reach.refresh,
            state: Mutex::new(State {
                endpoints,
                names: Names::default(),
            }),
            changed: Notify::new(),
        }))
    }

    /// How connections are made.
    pub fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// An address for a request, other than those `tried`: at once where one is
    /// well, else as soon as a connection stands.
    ///
    /// # Errors
    ///
    /// Why there is none, when all have failed or it takes too long.
    pub async fn take(&self, tried: &[SocketAddr]) -> Result<Place, Outcome> {
        match timeout(self.0.timeout, Shared::take(&self.0, tried)).await {
            Ok(taken) => taken,
            Err(_) => Err(self.0.cause(&self.0.lock())),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(self: &Arc<Self>, tried: &[SocketAddr]) -> Result<Place, Outcome> {
        let since = Instant::now();
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let stagger = {
                let mut state = self.lock();
                if let Some(place) = self.next(&mut state, tried, since)? {
                    return Ok(place);
                }
                state.endpoints.stagger()
            };
            select! {
                () = changed => {}
                () = sleep(stagger.unwrap_or(Duration::MAX)) => {}
            }
        }
    }

    /// The next address; None: there may be one when something has changed.
    fn next(
        self: &Arc<Self>,
        state: &mut State,
        tried: &[SocketAddr],
        since: Instant,
    ) -> Result<Option<Place>, Outcome> {
        let now = Instant::now();
        self.refresh(&mut state.names, self.refresh);
        self.connect(state.endpoints.connect(now, since, tried, false));
        if let Some(taken) = state.endpoints.take(now, tried, false) {
            return Ok(Some(self.place(taken)));
        }
        // Addresses may have come for those that are gone.
        self.refresh(&mut state.names, LEAST);
        if state.endpoints.is_connecting(tried) {
            return Ok(None);
        }
        if let Some(taken) = state.endpoints.take(now, tried, true) {
            return Ok(Some(self.place(taken)));
        }
        if self.connect(state.endpoints.connect(now, since, tried, true)) || state.names.asking {
            return Ok(None);
        }
        Err(self.cause(state))
    }

    fn place(self: &Arc<Self>, taken: Taken<Connection>) -> Place {
        Place {
            shared: Arc::clone(self),
            address: taken.address,
            connection: taken.connection,
            idle: true,
        }
    }

    /// Begins to connect to `chosen`; says whether that are any.
    fn connect(self: &Arc<Self>, chosen: Vec<SocketAddr>) -> bool {
        for &address in &chosen {
            let shared = Arc::clone(self);
            tokio::spawn(async move {
                let result = shared.connector.connect(address).await;
                shared.connected(address, result);
            });
        }
        !chosen.is_empty()
    }

    fn connected(self: &Arc<Self>, address: SocketAddr, result: Result<Connection, Outcome>) {
        let now = Instant::now();
        let mut state = self.lock();
        match result {
            Ok(connection) => state.endpoints.connected(address, connection, now),
            Err(cause) => {
                state.endpoints.unreachable(address, cause, now);
                self.refresh(&mut state.names, LEAST);
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Asks for the name's addresses, unless it was asked less than `age` ago.
    fn refresh(self: &Arc<Self>, names: &mut Names, age: Duration) {
        let recent = names.asked.is_some_and(|asked| asked.elapsed() < age);
        if recent || names.asking || self.target.address().is_some() {
            return;
        }
        names.asking = true;
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let Target { host, port } = &shared.target;
            let answer = timeout(RESOLVE, shared.resolver.resolve(host, *port)).await;
            let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            shared.resolved(answer);
        });
    }

    fn resolved(&self, answer: io::Result<Vec<SocketAddr>>) {
        let mut state = self.lock();
        let State { endpoints, names } = &mut *state;
        names.asking = false;
        names.asked = Some(Instant::now());
        let endpoint = self.connector.authority();
        let error = match answer {
            Ok(addresses) if addresses.is_empty() => Some("it has no addresses".to_owned()),
            Ok(addresses) => {
                endpoints.replace(&addresses);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        // Without any address, the batches that wait say so.
        if !endpoints.is_empty() {
            match (&names.error, &error) {
                (None, Some(error)) => warn!(
                    %endpoint, %error, addresses = endpoints.len(),
                    "the endpoint's name cannot be resolved any more; the addresses known stay in \
                     use. Does the Service still exist, has it ready Pods, and does DNS answer?"
                ),
                (Some(_), None) => info!(
                    %endpoint, addresses = endpoints.len(), "the endpoint's name resolves again"
                ),
                _ => {}
            }
        }
        names.error = error;
        drop(state);
        self.changed.notify_waiters();
    }

    /// Why no request can be sent.
    fn cause(&self, state: &State) -> Outcome {
        let authority = self.connector.authority();
        let count = state.endpoints.len();
        if count == 0 {
            let error = state.names.error.as_deref();
            return Outcome::retry(format!(
                "cannot resolve {authority}: is the name right, and its namespace? ({})",
                error.unwrap_or("DNS has not answered yet")
            ));
        }
        let Some(cause) = state.endpoints.cause() else {
            return Outcome::retry(format!("no connection to {authority} in time"));
        };
        match cause {
            Outcome::Retry {
                after,
                cause,
                misconfigured,
            } if count > 1 => Outcome::Retry {
                after,
                cause: format!("{cause} (none of its {count} addresses can be used)"),
                misconfigured,
            },
            cause => cause,
        }
    }
}

impl Place {
    /// The connection that goes there, for one request; made now if there is
    /// none.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub async fn connection(&mut self) -> Result<&mut Connection, Outcome> {
        let made = match self.connection.take() {
            Some(connection) => connection,
            None => match self.shared.connector.connect(self.address).await {
                Ok(connection) => connection,
                Err(cause) => {
                    let mut state = self.shared.lock();
                    let now = Instant::now();
                    state
                        .endpoints
                        .unreachable(self.address, cause.clone(), now);
                    return Err(cause);
                }
            },
        };
        self.idle = false;
        Ok(self.connection.insert(made))
    }

    /// Whether an answer has come on the connection since it had `answers`.
    pub fn is_alive(&self, answers: u64) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|connection| connection.answers() > answers)
    }

    /// An answer was read to its end; `well`: and it does not say "not now".
    pub fn answered(&mut self, well: bool) {
        self.idle = true;
        if let Some(connection) = &self.connection {
            connection.answered();
        }
        let mut state = self.shared.lock();
        match well {
            true => state.endpoints.answered(self.address),
            false => state.endpoints.failed(self.address, Instant::now()),
        }
    }

    /// The connection is of no more use.
    pub fn lost(&mut self) {
        if let Some(connection) = self.connection.take() {
            let mut state = self.shared.lock();
            state.endpoints.discard(self.address, &connection);
        }
    }

    /// The address is to be set aside.
    pub fn failed(&self) {
        let mut state = self.shared.lock();
        state.endpoints.failed(self.address, Instant::now());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let connection = self.connection.take().filter(|_| self.idle);
        let mut state = self.shared.lock();
        (state.endpoints).give_back(self.address, connection, Instant::now());
    }
}
