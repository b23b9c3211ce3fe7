/*!
How many connections there may be: in all, and from one address.

A descriptor that a connection holds is one that the backend, the segment log and
the pages for health and metrics cannot have. So receivers leave some, and no
address may have more than its share of the rest.

Where there is no room, a connection on which no request was taken yet gives way:
of the same address, if that has its share, else of all; a silent one before one
whose peer speaks a protocol, and an older one before a younger. So connections
that are only held open keep nobody out, not even a sender that shares their
address. Where all are in use, the new one is closed.

The tables are the accepting thread's; a connection's end, on whatever thread, is
told by its permit. A request costs nothing here, but for the first that is taken
on a connection.
*/

use super::permit::{ConnectionPermit, Counts, OpenConnections, Place, Progress, Standing};
use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// What is over is looked for when there is more than this, and than twice what was
/// left the last time.
const SWEEP: usize = 64;

/// Connections that were told to give way and have not ended, at most: they are open
/// beside as many as there may be.
const LEAVING: usize = 48;

/// How long shards have to close some of those, until it is asked again.
const CLOSING: Duration = Duration::from_millis(2);

/// How long a connection is spared, so that its first request is heard although many
/// others come with it.
const SPARED: Duration = Duration::from_millis(20);

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

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom {
    /// The limit it is over.
    pub(crate) full: Full,
    /// When to try again, where another will give way; None: none will.
    pub(crate) again: Option<Instant>,
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
    pub(crate) fn admit(
        &self,
        peer: IpAddr,
        now: Instant,
    ) -> Result<(ConnectionPermit, Option<Leaver>), NoRoom> {
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
            Some((full, _)) if self.leaving.get() >= LEAVING => {
                let again = Some(now + CLOSING);
                return Err(NoRoom { full, again });
            }
            Some((full, unproven)) => match unproven.take_first(now) {
                Ok((peer, place)) => Some(Leaver { peer, place, full }),
                Err(again) => return Err(NoRoom { full, again }),
            },
        };
        tables.last += 1;
        let counts = Counts {
            all: self.all.clone(),
            of_peer: known.open.clone(),
            leaving: self.leaving.clone(),
        };
        let permit = ConnectionPermit::new(peer, tables.last, now, counts);
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

/// Connections on which no request was taken, the oldest first, and some of which
/// that is no longer true.
#[derive(Debug, Default)]
struct Unproven {
    silent: VecDeque<Arc<Standing>>,
    /// Those that were silent when they were looked at before.
    spoken: VecDeque<Arc<Standing>>,
    sweep_at: usize,
}

impl Unproven {
    fn add(&mut self, standing: Arc<Standing>) {
        if self.len() >= self.sweep_at.max(SWEEP) {
            let is_unproven = |standing: &Arc<Standing>| standing.progress() != Progress::Settled;
            self.silent.retain(is_unproven);
            self.spoken.retain(is_unproven);
            self.sweep_at = 2 * self.len();
        }
        self.silent.push_back(standing);
    }

    fn len(&self) -> usize {
        self.silent.len() + self.spoken.len()
    }

    /// Makes the first give way; else says when one may, if there is one.
    fn take_first(&mut self, now: Instant) -> Result<(IpAddr, Place), Option<Instant>> {
        while let Some(oldest) = self.silent.pop_front() {
            match oldest.progress() {
                Progress::Silent if is_spared(&oldest, now) => {
                    // So are those after it.
                    self.silent.push_front(oldest);
                    break;
                }
                Progress::Silent => {
                    if let Some(place) = oldest.give_way() {
                        return Ok((oldest.peer(), place));
                    }
                }
                Progress::Spoken => self.spoken.push_back(oldest),
                Progress::Settled => {}
            }
        }
        while let Some(oldest) = self.spoken.pop_front() {
            if is_spared(&oldest, now) && oldest.progress() != Progress::Settled {
                self.spoken.push_front(oldest);
                break;
            }
            if let Some(place) = oldest.give_way() {
                return Ok((oldest.peer(), place));
            }
        }
        let next = self.silent.front().into_iter().chain(self.spoken.front());
        Err(next.map(|standing| standing.since() + SPARED).min())
    }
}

fn is_spared(standing: &Standing, now: Instant) -> bool {
    now.saturating_duration_since(standing.since()) < SPARED
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn peer(n: u32) -> IpAddr {
        Ipv4Addr::from(n).into()
    }

    /// A capacity and its clock.
    struct Bench {
        capacity: Capacity,
        now: Instant,
    }

    fn bench(all: usize, per_peer: usize) -> Bench {
        let limits = CapacityLimits { all, per_peer };
        Bench {
            capacity: Capacity::new(limits, OpenConnections::default()),
            now: Instant::now(),
        }
    }

    impl Bench {
        /// A connection from an address, after those before it can give way.
        fn admit(&mut self, of: u32) -> Result<(ConnectionPermit, Option<Leaver>), NoRoom> {
            self.now += SPARED;
            self.capacity.admit(peer(of), self.now)
        }

        /// One on which a request was taken.
        fn proven(&mut self, of: u32) -> Result<ConnectionPermit, NoRoom> {
            let (permit, _) = self.admit(of)?;
            permit.proof().taken();
            Ok(permit)
        }

        fn open(&self) -> usize {
            self.capacity.all.get()
        }
    }

    const PEER: NoRoom = NoRoom {
        full: Full::Peer,
        again: None,
    };
    const ALL: NoRoom = NoRoom {
        full: Full::All,
        again: None,
    };

    #[test]
    fn a_peer_has_its_share_and_all_have_the_whole() {
        let mut bench = bench(5, 2);
        let mut held: Vec<_> = [1, 1, 2, 2].map(|n| bench.proven(n).unwrap()).into();
        assert_eq!(bench.proven(1).unwrap_err(), PEER);
        held.push(bench.proven(3).unwrap());
        assert_eq!(bench.proven(4).unwrap_err(), ALL);
        assert_eq!(bench.proven(1).unwrap_err(), PEER);
        // Its own end is what a peer waits for, and anybody's what others do.
        held.swap_remove(0);
        assert_eq!(bench.open(), 4);
        held.push(bench.proven(1).unwrap());
        assert_eq!(bench.proven(4).unwrap_err(), ALL);
        held.clear();
        assert_eq!(bench.open(), 0);
    }

    #[test]
    fn the_silent_give_way_before_those_who_speak_and_the_old_before_the_young() {
        let mut bench = bench(6, 4);
        let of_one = [1, 1, 1, 1].map(|n| bench.admit(n).unwrap().0);
        let [used, first, second, third] = &of_one;
        used.proof().taken();
        first.proof().spoken();
        second.place_on(7);
        for silent in [second, third] {
            let (newest, leaver) = bench.admit(1).unwrap();
            let leaver = leaver.unwrap();
            assert_eq!((leaver.peer, leaver.full), (peer(1), Full::Peer));
            assert_eq!(leaver.place.number, silent.number());
            newest.proof().taken();
            std::mem::forget(newest);
        }
        // Another address is full: those of all give way, and the last one speaks.
        let others = [2, 2].map(|n| bench.proven(n).unwrap());
        let (newest, leaver) = bench.admit(3).unwrap();
        let leaver = leaver.unwrap();
        assert_eq!((leaver.peer, leaver.full), (peer(1), Full::All));
        assert_eq!(leaver.place.number, first.number());
        newest.proof().taken();
        assert_eq!(bench.admit(3).unwrap_err(), ALL);
        assert_eq!(bench.open(), 6);
        drop((of_one, others, newest));
        assert_eq!((bench.open(), bench.capacity.leaving.get()), (2, 0));
    }

    #[test]
    fn a_connection_has_time_for_its_first_request() {
        let bench = bench(3, 3);
        let at = |ms| bench.now + Duration::from_millis(ms);
        let admit = |ms| bench.capacity.admit(peer(1), at(ms));
        let held: Vec<_> = [0, 1, 2].map(|ms| admit(ms).unwrap().0).into();
        held[0].proof().spoken();
        let refused = NoRoom {
            full: Full::Peer,
            again: Some(bench.now + SPARED),
        };
        assert_eq!(admit(3).unwrap_err(), refused);
        // The second is silent, and old enough as late as that.
        let (_fourth, leaver) = admit(22).unwrap();
        assert_eq!(leaver.unwrap().place.number, held[1].number());
    }

    #[test]
    fn a_shard_that_is_slow_to_close_does_not_let_more_in_without_end() {
        let mut bench = bench(10, 10);
        let mut held = Vec::new();
        let mut refused = 0;
        for _ in 0..1000 {
            match bench.admit(1) {
                Ok((permit, _)) => held.push(permit),
                Err(error) => {
                    let again = Some(bench.now + CLOSING);
                    assert_eq!(error, NoRoom { again, ..PEER });
                    refused += 1;
                }
            }
        }
        assert_eq!((held.len(), refused), (10 + LEAVING, 990 - LEAVING));
        assert_eq!(bench.open(), 10);
        held.clear();
        assert!(bench.admit(1).is_ok());
    }

    #[test]
    fn an_address_is_one_in_whatever_form() {
        let mut bench = bench(10, 1);
        let mapped = Ipv4Addr::from(7).to_ipv6_mapped();
        let _held = bench.proven(7).unwrap();
        let admit = |peer| bench.capacity.admit(peer, bench.now);
        assert_eq!(admit(mapped.into()).unwrap_err(), PEER);
        assert!(admit(Ipv6Addr::LOCALHOST.into()).is_ok());
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut bench = bench(1000, 10);
        let staying: Vec<_> = (0..100).map(|n| bench.proven(n).unwrap()).collect();
        for n in 100..100_000 {
            drop(bench.admit(n).unwrap());
            drop(bench.admit(0).unwrap());
        }
        assert_eq!(bench.open(), staying.len());
        let tables = bench.capacity.tables.borrow();
        assert!(tables.peers.len() <= 2 * staying.len() + 1);
        assert!(tables.unproven.len() <= SWEEP);
        assert!(tables.peers[&peer(0)].unproven.len() <= SWEEP);
        assert!((0..100).all(|n| tables.peers[&peer(n)].open.get() == 1));
    }
}
