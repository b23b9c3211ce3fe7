/*!
Binding sockets, and accepting: each connection that [`Capacity`] has room for
goes to the shard that [`ShardLoads`] chooses. Another is closed at once, since its
sender may find room at another replica.

A connection stays on its shard for life, so placement decides the balance: the
kernel's own spreading (SO_REUSEPORT) hashes badly over the few long-lived
connections a mesh keeps. Accepting is rare, so one thread does it for all.
*/

use super::{
    balance::ShardLoads,
    capacity::{Capacity, CapacityLimits, Full, Leaver, NoRoom},
    handover::AcceptedConnection,
    notice::{ConnectionNotice, Repeats},
    permit::ConnectionPermit,
};
use crate::telemetry::AcceptStats;
use socket2::TcpKeepalive;
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener as StdListener},
    time::{Duration, Instant},
};
use tokio::net::{TcpListener, TcpStream};

/// Connections the kernel may hold for us before we accept them. A mesh's
/// proxies reconnect all at once when the pod is replaced.
const ACCEPT_BACKLOG: i32 = 4096;

/// How long a connection is silent before the kernel asks whether its peer is
/// there, how often it asks again, and how many times. HTTP/1.1 has no ping of its
/// own, and a peer that vanished would hold a descriptor for ever.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}{}", remedy(source))]
pub(crate) struct BindError {
    /// The address.
    pub(crate) address: SocketAddr,
    /// What for.
    pub(crate) what: String,
    /// The system's answer.
    pub(crate) source: io::Error,
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

/// Binds one address and returns the real one.
pub(crate) fn bind(
    address: SocketAddr,
    what: &str,
) -> Result<(StdListener, SocketAddr), BindError> {
    let bind = || {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        // A restart must not wait for the old connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        // Accepted sockets have this from the listening one.
        let (after, every, times) = KEEPALIVE;
        let keepalive = TcpKeepalive::new().with_time(after);
        socket.set_tcp_keepalive(&keepalive.with_interval(every).with_retries(times))?;
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

/// What the listeners of all receivers have in common.
#[derive(Debug)]
pub(crate) struct Acceptor {
    /// The shards.
    pub(crate) balance: ShardLoads,
    /// How many connections there may be.
    pub(crate) capacity: Capacity,
}

impl Acceptor {
    /// Accepts on `socket` until cancelled and sends each connection to the shard
    /// that [`ShardLoads::place`] chooses; `listener` is what the shard knows it by.
    pub(crate) async fn accept(
        &self,
        listener: usize,
        socket: StdListener,
        address: SocketAddr,
        stats: &AcceptStats,
    ) {
        let socket = match TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!("cannot accept on {address}: {error}");
                return;
            }
        };
        let (mut failures, mut patience) = (Repeats::default(), Patience::new(Instant::now()));
        loop {
            let (socket, peer) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    stats.failed.add(1);
                    if let Some(times) = failures.note(Instant::now()) {
                        tracing::warn!(
                            "cannot accept a connection on {address}, {times} time(s) since this \
                             was said last: {error}; trying again (if this is \"too many open \
                             files\", raise the limit with ulimit -n)"
                        );
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            let connection = NewConnection {
                listener,
                socket,
                peer,
            };
            match self.admit(peer.ip(), &mut patience).await {
                Ok(admitted) => self.serve(connection, admitted, stats),
                // Closed by being dropped: there is no room to serve it.
                Err(full) => self.note(full, Closed::Unread, peer.ip(), stats),
            }
        }
    }

    /// Asks for room, again and again where a connection will give way in a moment.
    /// The kernel holds others meanwhile, which costs less than sending them away.
    async fn admit(
        &self,
        peer: IpAddr,
        patience: &mut Patience,
    ) -> Result<(ConnectionPermit, Option<Leaver>), Full> {
        loop {
            let now = Instant::now();
            match self.capacity.admit(peer, now) {
                Ok(admitted) => return Ok(admitted),
                Err(NoRoom {
                    again: Some(again), ..
                }) if patience.take(now, again) => {
                    tokio::time::sleep_until(again.into()).await;
                }
                Err(no_room) => return Err(no_room.full),
            }
        }
    }

    /// Sends a connection to a shard, and closes the one that gives way to it.
    fn serve(
        &self,
        connection: NewConnection,
        (permit, leaver): (ConnectionPermit, Option<Leaver>),
        stats: &AcceptStats,
    ) {
        if let Some(Leaver { peer, place, full }) = leaver {
            self.note(full, Closed::Displaced, peer, stats);
            if let Some(shard) = self.balance.shard(place.shard) {
                shard.close_now(place.number);
            }
        }
        let NewConnection {
            listener,
            socket,
            peer,
        } = connection;
        // The socket leaves this thread's reactor for the shard's.
        let Ok(socket) = socket.into_std() else {
            return;
        };
        if let Some((at, shard)) = self.balance.place() {
            permit.place_on(at);
            shard.serve(AcceptedConnection {
                listener,
                socket,
                peer,
                permit,
            });
        }
    }

    /// Counts a connection that is closed for want of room, and says so the first
    /// time.
    fn note(&self, full: Full, closed: Closed, peer: IpAddr, stats: &AcceptStats) {
        let CapacityLimits { all, per_peer } = self.capacity.limits();
        let (count, reason) = match (full, closed) {
            (Full::All, Closed::Unread) => (&stats.refused_for_limit, "connections"),
            (Full::All, Closed::Displaced) => (&stats.displaced_for_limit, "connections"),
            (Full::Peer, Closed::Unread) => (&stats.refused_for_peer_limit, "peer_connections"),
            (Full::Peer, Closed::Displaced) => {
                (&stats.displaced_for_peer_limit, "peer_connections")
            }
        };
        count.add(1);
        stats.limited.note(peer, reason);
        match full {
            Full::All => ConnectionNotice::TooMany.log(
                peer,
                format_args!(
                    "a connection is closed, because there are {all} of all senders, which is as \
                     many as there may be: max_connections of service.wayspan, the memory limit \
                     and the limit of open files decide"
                ),
            ),
            Full::Peer => ConnectionNotice::TooManyOfPeer.log(
                peer,
                format_args!(
                    "a connection is closed, because there are {per_peer} from this address: \
                     max_connections_per_peer of service.wayspan decides"
                ),
            ),
        }
    }
}

/// How long a listener may yet wait for room, while other senders wait as well.
#[derive(Debug)]
struct Patience {
    left: Duration,
    since: Instant,
}

impl Patience {
    /// What there is of it at most, and which part of the time becomes it.
    const MOST: Duration = Duration::from_millis(400);
    const PART: u32 = 2;

    fn new(now: Instant) -> Self {
        Self {
            left: Self::MOST,
            since: now,
        }
    }

    /// Uses the time until `end`; false: there is not so much.
    fn take(&mut self, now: Instant, end: Instant) -> bool {
        let more = now.saturating_duration_since(self.since) / Self::PART;
        self.left = self.left.saturating_add(more).min(Self::MOST);
        self.since = now;
        let left = self.left.checked_sub(end.saturating_duration_since(now));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

/// A connection that has no permit yet.
#[derive(Debug)]
struct NewConnection {
    listener: usize,
    socket: TcpStream,
    peer: SocketAddr,
}

/// How a connection is closed for want of room.
#[derive(Clone, Copy)]
enum Closed {
    /// As soon as it was accepted.
    Unread,
    /// Later, for a newer one.
    Displaced,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_listener_waits_for_room_a_part_of_the_time() {
        let begin = Instant::now();
        let (mut patience, mut now) = (Patience::new(begin), begin);
        let mut waited = Duration::ZERO;
        let wait = Duration::from_millis(20);
        while now < begin + Duration::from_secs(10) {
            match patience.take(now, now + wait) {
                true => {
                    waited += wait;
                    now += wait;
                }
                false => now += Duration::from_micros(10),
            }
        }
        let most = Patience::MOST + Duration::from_secs(10) / Patience::PART;
        assert!(waited <= most && waited + 2 * wait > most, "{waited:?}");
    }

    #[test]
    fn accepted_sockets_are_kept_alive() {
        let (listener, address) = bind("127.0.0.1:0".parse().unwrap(), "a test").unwrap();
        let _client = TcpStream::connect(address).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let accepted = socket2::SockRef::from(&accepted);
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), KEEPALIVE.0);
    }
}
