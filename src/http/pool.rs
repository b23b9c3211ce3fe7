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
    connect::Connector,
    connection::HttpConnection,
    endpoints::{Endpoints, Selection},
    no_answer::NoAnswer,
    resolve::{Resolver, SystemResolver, Target},
};
use crate::{backoff::Growth, http::Balancer};
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

/// How often a name is looked up again, as a rule.
const REFRESH: Duration = Duration::from_secs(30);
/// The least time between two look-ups, whatever fails.
const LEAST: Duration = Duration::from_secs(1);
/// Longest wait for the resolver.
const RESOLVE: Duration = Duration::from_secs(30);

/// How a client connects to its target.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The longest time of an attempt at one address.
    pub timeout: Duration,
    /// How long a failing address is set aside.
    pub backoff: Growth,
    /// Finds the addresses of the target's name.
    pub resolver: Arc<dyn Resolver>,
    /// How often the name is looked up again.
    pub refresh: Duration,
}

impl ConnectOptions {
    /// The options for questions that take so long at most.
    pub(crate) fn asking(timeout: Duration) -> Self {
        let backoff = Growth {
            first: Duration::from_secs(1),
            factor: 1.5,
            longest: Duration::from_secs(30),
            jitter: 0.5..1.5,
        };
        Self::new(timeout, backoff)
    }

    /// The system's resolver, asked every half minute.
    pub fn new(timeout: Duration, backoff: Growth) -> Self {
        Self {
            timeout,
            backoff,
            resolver: Arc::new(SystemResolver),
            refresh: REFRESH,
        }
    }
}

/// The connections to one target, or to the proxy before it.
#[derive(Debug)]
pub(super) struct Pool(Arc<PoolInner>);

#[derive(Debug)]
struct PoolInner {
    target: Target,
    connector: Connector,
    resolver: Arc<dyn Resolver>,
    timeout: Duration,
    refresh: Duration,
    state: Mutex<PoolState>,
    /// A connection was made or failed, or the resolver has answered.
    changed: Notify,
}

#[derive(Debug)]
struct PoolState {
    endpoints: Endpoints<HttpConnection>,
    names: NameLookup,
}

/// What is known of the name's look-up.
#[derive(Debug, Default)]
struct NameLookup {
    asking: bool,
    asked: Option<Instant>,
    /// Why the last look-up found nothing, once that was logged.
    error: Option<String>,
}

/// An address that was chosen for one request; dropping this ends the request.
#[derive(Debug)]
pub(super) struct Checkout {
    shared: Arc<PoolInner>,
    /// Where the request goes.
    pub(crate) address: SocketAddr,
    connection: Option<HttpConnection>,
    /// Is true when the connection has no request under way.
    idle: bool,
}

impl Pool {
    /// A pool for `target`, which connects when first needed.
    pub(super) fn new(
        target: Target,
        connector: Connector,
        balancer: Balancer,
        options: ConnectOptions,
    ) -> Self {
        let mut endpoints = Endpoints::new(balancer, &options.backoff, options.timeout);
        endpoints.replace(target.address().as_slice());
        Self(Arc::new(PoolInner {
            target,
            connector,
            resolver: options.resolver,
            timeout: options.timeout,
            refresh: options.refresh,
            state: Mutex::new(PoolState {
                endpoints,
                names: NameLookup::default(),
            }),
            changed: Notify::new(),
        }))
    }

    /// Returns what makes the connections.
    pub(super) fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// Chooses an address for a request, other than those `tried`: at once where
    /// one is well, else as soon as there is a connection.
    ///
    /// # Errors
    ///
    /// Why there is none, when all have failed or it takes too long.
    pub(super) async fn take(&self, tried: &[SocketAddr]) -> Result<Checkout, NoAnswer> {
        match timeout(self.0.timeout, PoolInner::take(&self.0, tried)).await {
            Ok(taken) => taken,
            Err(_) => Err(self.0.cause(&self.0.lock())),
        }
    }
}

impl PoolInner {
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(self: &Arc<Self>, tried: &[SocketAddr]) -> Result<Checkout, NoAnswer> {
        let since = Instant::now();
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let stagger = {
                let mut state = self.lock();
                if let Some(checkout) = self.next(&mut state, tried, since)? {
                    return Ok(checkout);
                }
                state.endpoints.stagger()
            };
            select! {
                () = changed => {}
                () = sleep(stagger.unwrap_or(Duration::MAX)) => {}
            }
        }
    }

    /// Chooses the next address; None: there may be one when something has changed.
    fn next(
        self: &Arc<Self>,
        state: &mut PoolState,
        tried: &[SocketAddr],
        since: Instant,
    ) -> Result<Option<Checkout>, NoAnswer> {
        let now = Instant::now();
        self.refresh(&mut state.names, self.refresh);
        self.connect(state.endpoints.connect(now, since, tried, false));
        if let Some(taken) = state.endpoints.take(now, tried, false) {
            return Ok(Some(self.checkout(taken)));
        }
        // Addresses may have come for those that are gone.
        self.refresh(&mut state.names, LEAST);
        if state.endpoints.is_connecting(tried) {
            return Ok(None);
        }
        if let Some(taken) = state.endpoints.take(now, tried, true) {
            return Ok(Some(self.checkout(taken)));
        }
        if self.connect(state.endpoints.connect(now, since, tried, true)) || state.names.asking {
            return Ok(None);
        }
        Err(self.cause(state))
    }

    fn checkout(self: &Arc<Self>, taken: Selection<HttpConnection>) -> Checkout {
        Checkout {
            shared: Arc::clone(self),
            address: taken.address,
            connection: taken.connection,
            idle: true,
        }
    }

    /// Begins to connect to `chosen`; returns whether there are any.
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

    fn connected(self: &Arc<Self>, address: SocketAddr, result: Result<HttpConnection, NoAnswer>) {
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

    /// Looks the name up, unless that was done less than `age` ago.
    fn refresh(self: &Arc<Self>, names: &mut NameLookup, age: Duration) {
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
        let PoolState { endpoints, names } = &mut *state;
        names.asking = false;
        names.asked = Some(Instant::now());
        let endpoint = &self.target;
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

    /// Says why no request can be sent.
    fn cause(&self, state: &PoolState) -> NoAnswer {
        let authority = self.connector.authority();
        let count = state.endpoints.len();
        if count == 0 {
            let error = state.names.error.as_deref();
            return NoAnswer::passing(format!(
                "cannot resolve {}: is the name right, and its namespace? ({})",
                self.target,
                error.unwrap_or("DNS has not answered yet")
            ));
        }
        let Some(cause) = state.endpoints.cause() else {
            return NoAnswer::passing(format!("no connection to {authority} in time"));
        };
        match count {
            1 => cause,
            _ => NoAnswer {
                cause: format!(
                    "{} (none of its {count} addresses can be used)",
                    cause.cause
                ),
                ..cause
            },
        }
    }
}

impl Checkout {
    /// Returns the connection for the request, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub(super) async fn connection(&mut self) -> Result<&mut HttpConnection, NoAnswer> {
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

    /// Returns true if an answer has come on the connection since it had `answers`.
    pub(super) fn is_alive(&self, answers: u64) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|connection| connection.answers() > answers)
    }

    /// Notes that an answer was read to its end, and whether it is a good one:
    /// not if it says "not now".
    pub(super) fn answered(&mut self, well: bool) {
        self.idle = true;
        if let Some(connection) = &self.connection {
            connection.count_answer();
        }
        let mut state = self.shared.lock();
        match well {
            true => state.endpoints.answered(self.address),
            false => state.endpoints.failed(self.address, Instant::now()),
        }
    }

    /// Gives up a connection that is of no more use.
    pub(super) fn lost(&mut self) {
        if let Some(connection) = self.connection.take() {
            let mut state = self.shared.lock();
            state.endpoints.discard(self.address, &connection);
        }
    }

    /// Sets the address aside.
    pub(super) fn failed(&self) {
        let mut state = self.shared.lock();
        state.endpoints.failed(self.address, Instant::now());
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let connection = self.connection.take().filter(|_| self.idle);
        let mut state = self.shared.lock();
        (state.endpoints).give_back(self.address, connection, Instant::now());
    }
}
