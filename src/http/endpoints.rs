/*!
The addresses behind one name, and which of them gets the next request.

Pure: the caller supplies the time, makes the connections and tells what became
of them ([`super::pool`]). What holds:

- A request goes to an address that is well and has a connection: to the one
  with the fewest requests open, in turns where several have as few, so that a
  slow replica does not gather all the waiting. With `pick_first` it is the
  first in the resolver's order.
- An address that refuses, fails or times out is set aside for a while that
  grows with each failure. When that is over it gets one request for a try; an
  answer makes it well. Nothing waits for it while another address is well.
- When none is well, those set aside are used all the same: there is nothing
  better, and the caller's own backoff decides how often.
- At most [`MOST`] addresses are connected to at once. Which of more they are
  differs from process to process, so that all get load.
*/

use super::no_answer::NoAnswer;
use crate::{
    backoff::{Backoff, Growth},
    http::Balancer,
};
use foldhash::fast::RandomState;
use std::{hash::BuildHasher, net::SocketAddr, time::Duration};
use tokio::time::Instant;

/// Addresses connected to at once.
pub(super) const MOST: usize = 16;
/// Addresses remembered.
const KNOWN: usize = 256;
/// Keep an unused connection this long. Below the idle timeouts that proxies
/// and servers usually have, so that the closing is rarely theirs.
const IDLE: Duration = Duration::from_secs(50);
/// With `pick_first`, another address is tried beside one that has not
/// answered for this long (RFC 8305, 5).
const STAGGER: Duration = Duration::from_millis(250);

/// What this module has to know of a connection.
pub(super) trait Channel: Sized {
    /// Returns another handle to it, if it carries several requests at once.
    fn share(&self) -> Option<Self>;
    /// Returns true while it takes requests.
    fn is_open(&self) -> bool;
    /// Returns true if both are handles to one connection.
    fn is_same(&self, other: &Self) -> bool;
}

/// The addresses of a name.
#[derive(Debug)]
pub(super) struct Endpoints<C> {
    balancer: Balancer,
    growth: Growth,
    /// How long an address that is tried again has for its answer.
    trial: Duration,
    order: RandomState,
    all: Vec<AddressState<C>>,
    /// Where the next turn begins.
    turn: usize,
}

#[derive(Debug)]
struct AddressState<C> {
    address: SocketAddr,
    /// Connections that can carry a request, with their last use.
    ready: Vec<(C, Instant)>,
    connecting: bool,
    /// Its connections carry one request each, and the last could be made: a
    /// request may make its own.
    own: bool,
    /// Requests under way.
    requests: usize,
    aside: Option<Cooldown>,
    backoff: Backoff,
}

#[derive(Debug)]
struct Cooldown {
    until: Instant,
    failed: Instant,
    /// Is true when it has been tried since, and so may fail anew.
    tried: bool,
    /// What its connecting came to, if that is what failed.
    cause: Option<NoAnswer>,
}

/// Where to send a request.
#[derive(Debug)]
pub(super) struct Selection<C> {
    /// The address.
    pub(crate) address: SocketAddr,
    /// A connection to it; None: make one.
    pub(crate) connection: Option<C>,
}

impl<C: Channel> Endpoints<C> {
    /// Knows no address yet.
    pub(super) fn new(balancer: Balancer, growth: &Growth, trial: Duration) -> Self {
        Self {
            balancer,
            growth: growth.clone(),
            trial,
            order: RandomState::default(),
            all: Vec::new(),
            turn: 0,
        }
    }

    /// Sets the addresses of the name. Connections to others take no
    /// more requests; those under way on them are answered.
    pub(super) fn replace(&mut self, addresses: &[SocketAddr]) {
        let mut addresses = addresses.to_vec();
        if self.balancer == Balancer::RoundRobin {
            addresses.sort_by_cached_key(|address| self.order.hash_one(address));
        }
        let mut before = std::mem::take(&mut self.all);
        for address in addresses {
            if self.all.len() == KNOWN || self.find(address).is_some() {
                continue;
            }
            let known = before.iter().position(|known| known.address == address);
            self.all.push(match known {
                Some(at) => before.swap_remove(at),
                None => AddressState::new(address, &self.growth),
            });
        }
    }

    /// Returns how many addresses there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns true if there are no addresses.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Chooses an address that can take a request at once, other than those
    /// `tried`. With `any`, one that is set aside will do.
    pub(super) fn take(
        &mut self,
        now: Instant,
        tried: &[SocketAddr],
        any: bool,
    ) -> Option<Selection<C>> {
        let count = self.all.len();
        self.prune(now);
        let usable = |at: usize| {
            let endpoint = self.all.get(at)?;
            let well = any || endpoint.is_due(now);
            (well && endpoint.is_ready() && !tried.contains(&endpoint.address)).then_some(at)
        };
        let at = match self.balancer {
            Balancer::PickFirst => (0..count).find_map(usable)?,
            Balancer::RoundRobin => (0..count)
                .filter_map(|step| usable((self.turn + step) % count))
                .min_by_key(|&at| self.all.get(at).map(|endpoint| endpoint.requests))?,
        };
        self.turn = at + 1;
        let trial = self.trial;
        let endpoint = self.all.get_mut(at)?;
        endpoint.requests += 1;
        if let Some(aside) = &mut endpoint.aside {
            aside.until = aside.until.max(now + trial);
            aside.tried = true;
        }
        let connection = match endpoint.ready.last_mut() {
            Some((connection, used)) => {
                *used = now;
                match connection.share() {
                    Some(handle) => Some(handle),
                    None => endpoint.ready.pop().map(|(connection, _)| connection),
                }
            }
            None => None,
        };
        Some(Selection {
            address: endpoint.address,
            connection,
        })
    }

    /// Addresses to connect to, but for those `tried`, marked as being connected
    /// to. `since` is when the waiting for one began; `any`: also those set
    /// aside, unless they have failed since then.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        since: Instant,
        tried: &[SocketAddr],
        any: bool,
    ) -> Vec<SocketAddr> {
        self.prune(now);
        let most = match self.balancer {
            Balancer::RoundRobin => MOST,
            Balancer::PickFirst => {
                let waited = now.saturating_duration_since(since).as_millis();
                let more = waited / STAGGER.as_millis();
                usize::try_from(more).map_or(MOST, |more| more.saturating_add(1).min(MOST))
            }
        };
        let live = |endpoint: &&AddressState<C>| {
            endpoint.connecting || (endpoint.is_ready() && endpoint.is_due(now))
        };
        let mut room = most.saturating_sub(self.all.iter().filter(live).count());
        let mut chosen = Vec::new();
        for endpoint in &mut self.all {
            let due = match &endpoint.aside {
                None => true,
                Some(aside) => aside.until <= now || (any && aside.failed < since),
            };
            let idle = !endpoint.connecting && !endpoint.is_ready();
            if room > 0 && due && idle && !tried.contains(&endpoint.address) {
                room -= 1;
                endpoint.connecting = true;
                if let Some(aside) = &mut endpoint.aside {
                    aside.tried = true;
                }
                chosen.push(endpoint.address);
            }
        }
        chosen
    }

    /// Returns after how long to look for more addresses to connect to.
    pub(super) fn stagger(&self) -> Option<Duration> {
        (self.balancer == Balancer::PickFirst).then_some(STAGGER)
    }

    /// Returns true if a connection is being made to an address other than those
    /// `tried`.
    pub(super) fn is_connecting(&self, tried: &[SocketAddr]) -> bool {
        let mut all = self.all.iter();
        all.any(|endpoint| endpoint.connecting && !tried.contains(&endpoint.address))
    }

    /// Notes that a connection was made. An address that was set aside has yet to
    /// answer a request.
    pub(super) fn connected(&mut self, address: SocketAddr, connection: C, now: Instant) {
        if let Some(endpoint) = self.find(address) {
            endpoint.connecting = false;
            endpoint.own = connection.share().is_none();
            endpoint.ready.push((connection, now));
            if let Some(aside) = &mut endpoint.aside {
                aside.until = now;
            }
        }
    }

    /// Notes that a connection could not be made.
    pub(super) fn unreachable(&mut self, address: SocketAddr, cause: NoAnswer, now: Instant) {
        if let Some(endpoint) = self.find(address) {
            endpoint.connecting = false;
            endpoint.own = false;
            endpoint.set_aside(Some(cause), now);
        }
    }

    /// Notes that a request got no answer, or one that says "not now".
    pub(super) fn failed(&mut self, address: SocketAddr, now: Instant) {
        if let Some(endpoint) = self.find(address) {
            endpoint.set_aside(None, now);
        }
    }

    /// Notes that a request was answered.
    pub(super) fn answered(&mut self, address: SocketAddr) {
        if let Some(endpoint) = self.find(address) {
            endpoint.aside = None;
            endpoint.backoff.reset();
        }
    }

    /// Notes that a request has ended. `connection` can carry another.
    pub(super) fn give_back(&mut self, address: SocketAddr, connection: Option<C>, now: Instant) {
        if let Some(endpoint) = self.find(address) {
            endpoint.requests = endpoint.requests.saturating_sub(1);
            // A shared one has never left.
            if let Some(connection) = connection.filter(|c| c.is_open() && c.share().is_none()) {
                endpoint.ready.push((connection, now));
            }
        }
    }

    /// Gives no more requests to a connection; those under way are answered.
    pub(super) fn discard(&mut self, address: SocketAddr, connection: &C) {
        if let Some(endpoint) = self.find(address) {
            endpoint
                .ready
                .retain(|(ready, _)| !ready.is_same(connection));
        }
    }

    /// Says why no address can be connected to: a wrong setting, if one of them
    /// shows that, else what the first shows.
    pub(super) fn cause(&self) -> Option<NoAnswer> {
        let causes = || {
            self.all
                .iter()
                .filter_map(|e| e.aside.as_ref()?.cause.as_ref())
        };
        let blamed = causes().find(|cause| cause.misconfigured);
        blamed.or_else(|| causes().next()).cloned()
    }

    /// Forgets connections that were closed, or were idle for too long.
    fn prune(&mut self, now: Instant) {
        self.all.iter_mut().for_each(|endpoint| endpoint.prune(now));
    }

    fn find(&mut self, address: SocketAddr) -> Option<&mut AddressState<C>> {
        self.all.iter_mut().find(|e| e.address == address)
    }
}

impl<C: Channel> AddressState<C> {
    fn new(address: SocketAddr, growth: &Growth) -> Self {
        Self {
            address,
            ready: Vec::new(),
            connecting: false,
            own: false,
            requests: 0,
            aside: None,
            backoff: Backoff::new(growth),
        }
    }

    fn prune(&mut self, now: Instant) {
        let requests = self.requests;
        self.ready.retain(|(connection, used)| {
            let busy = requests > 0 && connection.share().is_some();
            connection.is_open() && (busy || now.saturating_duration_since(*used) < IDLE)
        });
    }

    fn is_ready(&self) -> bool {
        self.own || !self.ready.is_empty()
    }

    fn is_due(&self, now: Instant) -> bool {
        self.aside.as_ref().is_none_or(|aside| aside.until <= now)
    }

    fn set_aside(&mut self, cause: Option<NoAnswer>, now: Instant) {
        // Requests that were under way together fail together: one failure.
        let until = match &self.aside {
            Some(aside) if !aside.tried && aside.until > now => aside.until,
            _ => now + self.backoff.next_wait(),
        };
        self.aside = Some(Cooldown {
            until,
            failed: now,
            tried: false,
            cause,
        });
    }
}

#[cfg(test)]
mod tests;
