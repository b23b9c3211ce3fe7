/*!
Accepting: each connection that [`Capacity`] has room for
goes to the shard that [`ShardLoads`] chooses. Another waits where room will be
made in a moment, and is closed where it will not, since its sender may find room
at another replica. A listener never waits for it: those behind it may have room.

A connection stays on its shard for life, so placement decides the balance: the
kernel's own spreading (SO_REUSEPORT) hashes badly over the few long-lived
connections a mesh keeps. Accepting is rare, so one thread does it for all.
*/

use super::{
    balance::ShardLoads,
    capacity::{Capacity, CapacityLimits, Full, Leaver, NoRoom},
    handover::AcceptedConnection,
    listen::ListeningSocket,
    notice::{ConnectionNotice, Repeats},
    permit::ConnectionPermit,
};
use crate::{config::ListenAddress, telemetry::AcceptStats};
use std::{
    cell::Cell,
    collections::VecDeque,
    future::pending,
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// Accepted connections of all listeners that may wait for room: each is a file
/// beside those of the capacity.
const WAITING: usize = 16;

/// What the listeners of all receivers have in common.
#[derive(Debug)]
pub(crate) struct Acceptor {
    /// The shards.
    pub(crate) balance: ShardLoads,
    /// How many connections there may be.
    pub(crate) capacity: Capacity,
    /// Connections that wait for room.
    pub(crate) waiting: Cell<usize>,
}

impl Acceptor {
    /// Accepts on `socket` until cancelled and sends each connection to the shard
    /// that [`ShardLoads::place`] chooses; `listener` is what the shard knows it by.
    pub(crate) async fn accept(
        &self,
        listener: usize,
        socket: ListeningSocket,
        address: &ListenAddress,
        stats: &AcceptStats,
    ) {
        let socket = match socket.register() {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!("cannot accept on {address}: {error}");
                return;
            }
        };
        let mut failures = Repeats::default();
        let mut waiting = Waiting {
            connections: VecDeque::new(),
            count: &self.waiting,
        };
        let mut again: Option<Instant> = None;
        loop {
            let turn = async {
                match again {
                    Some(again) => tokio::time::sleep_until(again.into()).await,
                    None => pending().await,
                }
            };
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = turn => {
                    again = self.try_again(&mut waiting.connections, stats);
                    continue;
                }
            };
            let (socket, peer) = match accepted {
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
            match self.capacity.admit(peer.ip(), Instant::now()) {
                Ok(admitted) => self.serve(connection, admitted, stats),
                Err(NoRoom {
                    again: Some(soon), ..
                }) if self.waiting.get() < WAITING => {
                    self.waiting.set(self.waiting.get() + 1);
                    waiting.connections.push_back(connection);
                    again = again.or(Some(soon));
                }
                // Closed by being dropped.
                Err(no_room) => self.note(no_room.full, Closed::Unread, peer.ip(), stats),
            }
        }
    }

    /// Serves those who wait, the oldest first, as far as there is room. Returns when
    /// there will be some for the next.
    fn try_again(
        &self,
        waiting: &mut VecDeque<NewConnection>,
        stats: &AcceptStats,
    ) -> Option<Instant> {
        while let Some(connection) = waiting.pop_front() {
            let peer = connection.peer.ip();
            match self.capacity.admit(peer, Instant::now()) {
                Ok(admitted) => self.serve(connection, admitted, stats),
                Err(NoRoom {
                    again: Some(again), ..
                }) => {
                    waiting.push_front(connection);
                    return Some(again);
                }
                Err(no_room) => self.note(no_room.full, Closed::Unread, peer, stats),
            }
            self.waiting.set(self.waiting.get() - 1);
        }
        None
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

/// A connection that has no permit yet.
#[derive(Debug)]
struct NewConnection {
    listener: usize,
    socket: TcpStream,
    peer: SocketAddr,
}

/// The connections of one listener that wait for room, and the count of all that do.
struct Waiting<'a> {
    connections: VecDeque<NewConnection>,
    count: &'a Cell<usize>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let others = self.count.get().saturating_sub(self.connections.len());
        self.count.set(others);
    }
}

/// How a connection is closed for want of room.
#[derive(Clone, Copy)]
enum Closed {
    /// Before it was served.
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
