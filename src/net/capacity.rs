/*!
How many connections there may be: in all, and from one address.

A descriptor that a connection holds is one that the backend, the segment log and
the pages for health and metrics cannot have. So receivers leave some, and no
address may have more than its share of the rest.

Where there is no room, the oldest connection on which no request was taken yet
gives way: of the same address, if that has its share, else of all. So connections
that are only held open keep nobody out, not even a sender that shares their
address. Where all are in use, the new one is closed.

The tables are the accepting thread's; a connection's end, on whatever thread, is
told by its permit. A request costs nothing here, but for the first that is taken
on a connection.
*/

use super::permit::{ConnectionPermit, Counts, OpenConnections, Place, Standing};
use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

/// What is over is looked for when there is more than this, and than twice what was
/// left the last time.
const SWEEP: usize = 64;

/// Connections that were told to give way and have not ended, at most: they are open
/// beside as many as there may be.
const LEAVING: usize = 32;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapacityLimits {
    /// Of all receivers together.
    pub all: usize,
    /// From one address.
    pub per_peer: usize,
}

/// Which limit a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// That of all connections.
    All,
    /// That of the peer's address.
    Peer,
}

/// A connection that is to be closed for another's sake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaver {
    /// Whose it is.
    pub(crate) peer: IpAddr,
    /// Where it is.
    pub(crate) place: Place,
    /// What there is no room in.
    pub(crate) full: Full,
}

/// The connections of all receivers.
#[derive(Debug)]
pub(crate) struct Capacity {
    limits: CapacityLimits,
    all: OpenConnections,
    leaving: OpenConnections,
    tables: RefCell<Tables>,
}

#[derive(Debug)]
struct Tables {
    peers: HashMap<IpAddr, Peer>,
    sweep_at: usize,
    unproven: Unproven,
    last: u64,
}

#[derive(Debug, Default)]
struct Peer {
    open: OpenConnections,
    unproven: Unproven,
}

impl Capacity {
    /// Takes as many as `limits` say, and counts them in `all`.
    pub(crate) fn new(limits: CapacityLimits, all: OpenConnections) -> Self {
        Self {
            limits,
            all,
            leaving: OpenConnections::default(),
            tables: RefCell::new(Tables {
                peers: HashMap::new(),
                sweep_at: SWEEP,
                unproven: Unproven::default(),
                last: 0,
            }),
        }
    }

    /// Returns the limits.
    pub(crate) fn limits(&self) -> CapacityLimits {
        self.limits
    }

    /// Takes a connection from `peer`, and says which one gives way to it.
    ///
    /// # Errors
    ///
    /// When there are as many already as there may be, and none gives way.
    pub(crate) fn admit(&self, peer: IpAddr) -> Result<(ConnectionPermit, Option<Leaver>), Full> {
        // A socket for both families shows IPv4 addresses mapped.
        let peer = peer.to_canonical();
        let tables = &mut *self.tables.borrow_mut();
        tables.sweep();
        let known = tables.peers.entry(peer).or_default();
        let full = if known.open.get() >= self.limits.per_peer {
            Some((Full::Peer, &mut known.unproven))
        } else if self.all.get() >= self.limits.all {
            Some((Full::All, &mut tables.unproven))
        } else {
            None
        };
        let leaver = match full {
            None => None,
            Some((full, _)) if self.leaving.get() >= LEAVING => return Err(full),
            Some((full, unproven)) => Some(unproven.take_oldest(full).ok_or(full)?),
        };
        tables.last += 1;
        let counts = Counts {
            all: self.all.clone(),
            of_peer: known.open.clone(),
            leaving: self.leaving.clone(),
        };
        let permit = ConnectionPermit::new(peer, tables.last, counts);
        known.unproven.add(permit.standing());
        tables.unproven.add(permit.standing());
        Ok((permit, leaver))
    }
}

impl Tables {
    /// Forgets addresses whose connections have all ended.
    fn sweep(&mut self) {
        if self.peers.len() >= self.sweep_at {
            self.peers.retain(|_, peer| peer.open.get() > 0);
            self.sweep_at = SWEEP.max(2 * self.peers.len());
        }
    }
}

/// Connections on which no request was taken, the oldest first; and some of which
/// that is no longer true.
#[derive(Debug, Default)]
struct Unproven {
    queue: VecDeque<Arc<Standing>>,
    sweep_at: usize,
}

impl Unproven {
    fn add(&mut self, standing: Arc<Standing>) {
        if self.queue.len() >= self.sweep_at.max(SWEEP) {
            self.queue.retain(|standing| standing.is_unproven());
            self.sweep_at = 2 * self.queue.len();
        }
        self.queue.push_back(standing);
    }

    fn take_oldest(&mut self, full: Full) -> Option<Leaver> {
        loop {
            let oldest = self.queue.pop_front()?;
            if let Some(place) = oldest.give_way() {
                return Some(Leaver {
                    peer: oldest.peer(),
                    place,
                    full,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn peer(n: u32) -> IpAddr {
        Ipv4Addr::from(n).into()
    }

    fn capacity(all: usize, per_peer: usize) -> Capacity {
        let limits = CapacityLimits { all, per_peer };
        Capacity::new(limits, OpenConnections::default())
    }

    /// A connection on which a request was taken.
    fn proven(capacity: &Capacity, of: u32) -> Result<ConnectionPermit, Full> {
        let (permit, _) = capacity.admit(peer(of))?;
        permit.proof().give();
        Ok(permit)
    }

    #[test]
    fn a_peer_has_its_share_and_all_have_the_whole() {
        let capacity = capacity(5, 2);
        let mut held: Vec<_> = [1, 1, 2, 2].map(|n| proven(&capacity, n).unwrap()).into();
        assert_eq!(proven(&capacity, 1).unwrap_err(), Full::Peer);
        held.push(proven(&capacity, 3).unwrap());
        assert_eq!(proven(&capacity, 4).unwrap_err(), Full::All);
        assert_eq!(proven(&capacity, 1).unwrap_err(), Full::Peer);
        // Its own end is what a peer waits for, and anybody's what others do.
        held.swap_remove(0);
        assert_eq!(capacity.all.get(), 4);
        held.push(proven(&capacity, 1).unwrap());
        assert_eq!(proven(&capacity, 4).unwrap_err(), Full::All);
        held.clear();
        assert_eq!(capacity.all.get(), 0);
    }

    #[test]
    fn the_oldest_on_which_nothing_was_taken_gives_way() {
        let capacity = capacity(5, 3);
        let first = proven(&capacity, 1).unwrap();
        let (second, _) = capacity.admit(peer(1)).unwrap();
        let (third, _) = capacity.admit(peer(1)).unwrap();
        second.place_on(1);
        let (fourth, leaver) = capacity.admit(peer(1)).unwrap();
        let leaver = leaver.unwrap();
        assert_eq!((leaver.peer, leaver.full), (peer(1), Full::Peer));
        assert_eq!(leaver.place.number, second.number());
        assert_eq!(leaver.place.shard, 1);
        drop(second);
        assert_eq!(capacity.all.get(), 3);
        // Another address is full: the oldest of all goes.
        let other = [2, 2].map(|n| proven(&capacity, n).unwrap());
        let (fifth, leaver) = capacity.admit(peer(3)).unwrap();
        let leaver = leaver.unwrap();
        assert_eq!((leaver.peer, leaver.full), (peer(1), Full::All));
        assert_eq!(leaver.place.number, third.number());
        for permit in [&fourth, &fifth] {
            permit.proof().give();
        }
        assert_eq!(capacity.admit(peer(3)).unwrap_err(), Full::All);
        drop((first, third, fourth, fifth, other));
        assert_eq!(capacity.all.get(), 0);
        assert_eq!(capacity.leaving.get(), 0);
    }

    #[test]
    fn a_shard_that_is_slow_to_close_does_not_let_more_in_without_end() {
        let capacity = capacity(10, 10);
        let mut held = Vec::new();
        let mut refused = 0;
        for _ in 0..1000 {
            match capacity.admit(peer(1)) {
                Ok((permit, _)) => held.push(permit),
                Err(full) => {
                    assert_eq!(full, Full::Peer);
                    refused += 1;
                }
            }
        }
        assert_eq!((held.len(), refused), (10 + LEAVING, 990 - LEAVING));
        assert_eq!(capacity.all.get(), 10);
        held.clear();
        assert!(capacity.admit(peer(1)).is_ok());
    }

    #[test]
    fn an_address_is_one_in_whatever_form() {
        let capacity = capacity(10, 1);
        let mapped = Ipv4Addr::from(7).to_ipv6_mapped();
        let _held = proven(&capacity, 7).unwrap();
        assert_eq!(capacity.admit(mapped.into()).unwrap_err(), Full::Peer);
        assert!(capacity.admit(Ipv6Addr::LOCALHOST.into()).is_ok());
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let capacity = capacity(1000, 10);
        let staying: Vec<_> = (0..100).map(|n| proven(&capacity, n).unwrap()).collect();
        for n in 100..100_000 {
            drop(capacity.admit(peer(n)).unwrap());
            drop(capacity.admit(peer(0)).unwrap());
        }
        assert_eq!(capacity.all.get(), staying.len());
        let tables = capacity.tables.borrow();
        assert!(tables.peers.len() <= 2 * staying.len() + 1);
        assert!(tables.unproven.queue.len() <= SWEEP);
        assert!(tables.peers[&peer(0)].unproven.queue.len() <= SWEEP);
        assert!((0..100).all(|n| tables.peers[&peer(n)].open.get() == 1));
    }
}
