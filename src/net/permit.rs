/*!
What a connection is to those who count connections, from its beginning to its end.

Three threads' worth of events meet here: the accepting thread tells a connection to
give way, its shard takes a request on it or ends it. One atomic state decides
between them, so that a connection is counted out once.
*/

use std::{
    cell::Cell,
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{
            AtomicU8, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
};

/// No request was taken on it yet.
const UNPROVEN: u8 = 0;
/// Some request was.
const PROVEN: u8 = 1;
/// It was told to give way, and is not counted any more.
const LEAVING: u8 = 2;
/// It is over.
const ENDED: u8 = 3;

/// How many connections are open; any thread may ask.
#[derive(Clone, Debug, Default)]
pub struct OpenConnections(Arc<AtomicUsize>);

impl OpenConnections {
    /// Returns how many there are now.
    pub fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn begin(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn end(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// In what a connection is counted.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    /// All connections.
    pub(crate) all: OpenConnections,
    /// Those from its address.
    pub(crate) of_peer: OpenConnections,
    /// Those that were told to give way and have not ended.
    pub(crate) leaving: OpenConnections,
}

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index of the shard that serves it.
    pub(crate) shard: usize,
    /// Its number, which no other connection has.
    pub(crate) number: u64,
}

/// A connection that is counted.
#[derive(Debug)]
pub(crate) struct Standing {
    peer: IpAddr,
    number: u64,
    shard: AtomicUsize,
    state: AtomicU8,
    counts: Counts,
}

impl Standing {
    /// Returns true while no request was taken on it.
    pub(crate) fn is_unproven(&self) -> bool {
        self.state.load(Acquire) == UNPROVEN
    }

    /// Counts the connection out, if no request was taken on it. None: it stays,
    /// or has ended.
    pub(crate) fn give_way(&self) -> Option<Place> {
        self.pass(UNPROVEN, LEAVING)?;
        self.counts.leaving.begin();
        self.counts.all.end();
        self.counts.of_peer.end();
        Some(Place {
            shard: self.shard.load(Relaxed),
            number: self.number,
        })
    }

    /// Returns the address of the peer.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    fn pass(&self, from: u8, to: u8) -> Option<()> {
        let passed = self.state.compare_exchange(from, to, AcqRel, Relaxed);
        passed.ok().map(|_| ())
    }
}

/// Keeps one connection counted until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit(Arc<Standing>);

impl ConnectionPermit {
    /// Counts connection number `number`.
    pub(crate) fn new(peer: IpAddr, number: u64, counts: Counts) -> Self {
        counts.all.begin();
        counts.of_peer.begin();
        Self(Arc::new(Standing {
            peer,
            number,
            shard: AtomicUsize::new(0),
            state: AtomicU8::new(UNPROVEN),
            counts,
        }))
    }

    /// Returns what stays when the permit has gone to the connection.
    pub(crate) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.0)
    }

    /// Notes which shard serves the connection.
    pub(crate) fn place_on(&self, shard: usize) {
        self.0.shard.store(shard, Relaxed);
    }

    /// Returns the connection's number.
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// Returns what the connection tells its first request to.
    pub(crate) fn proof(&self) -> ConnectionProof {
        ConnectionProof(Cell::new(Some(self.standing())))
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let counts = &self.0.counts;
        match self.0.state.swap(ENDED, AcqRel) {
            LEAVING => counts.leaving.end(),
            _ => {
                counts.all.end();
                counts.of_peer.end();
            }
        }
    }
}

/// Told when a request was taken on the connection, which does not give way to
/// others from then on. By default it is no connection's.
#[derive(Default)]
pub struct ConnectionProof(Cell<Option<Arc<Standing>>>);

impl fmt::Debug for ConnectionProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionProof")
    }
}

impl ConnectionProof {
    /// Notes that a request was taken: all but the first time for the price of a look.
    pub(crate) fn give(&self) {
        if let Some(standing) = self.0.take() {
            let _ = standing.pass(UNPROVEN, PROVEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, thread};

    fn counts() -> Counts {
        Counts {
            all: OpenConnections::default(),
            of_peer: OpenConnections::default(),
            leaving: OpenConnections::default(),
        }
    }

    fn numbers(counts: &Counts) -> [usize; 3] {
        [&counts.all, &counts.of_peer, &counts.leaving].map(OpenConnections::get)
    }

    fn permit(counts: &Counts) -> ConnectionPermit {
        ConnectionPermit::new(Ipv4Addr::LOCALHOST.into(), 7, counts.clone())
    }

    #[test]
    fn it_is_counted_out_once_whatever_ends_it() {
        let counts = counts();
        let held = permit(&counts);
        assert_eq!(numbers(&counts), [1, 1, 0]);
        drop(held);
        assert_eq!(numbers(&counts), [0, 0, 0]);

        let held = permit(&counts);
        held.place_on(3);
        let standing = held.standing();
        let place = Place {
            shard: 3,
            number: 7,
        };
        assert_eq!(standing.give_way(), Some(place));
        assert_eq!(numbers(&counts), [0, 0, 1]);
        assert_eq!(standing.give_way(), None);
        drop(held);
        assert_eq!(numbers(&counts), [0, 0, 0]);
        assert_eq!(standing.give_way(), None);
    }

    #[test]
    fn it_does_not_give_way_once_a_request_was_taken() {
        let counts = counts();
        let held = permit(&counts);
        let proof = held.proof();
        proof.give();
        proof.give();
        assert_eq!(held.standing().give_way(), None);
        drop(held);
        assert_eq!(numbers(&counts), [0, 0, 0]);
        ConnectionProof::default().give();
    }

    #[test]
    fn its_end_and_the_word_to_give_way_may_meet() {
        let counts = counts();
        for _ in 0..1000 {
            let held = permit(&counts);
            let standing = held.standing();
            let end = thread::spawn(move || drop(held));
            standing.give_way();
            assert!(end.join().is_ok());
            assert_eq!(numbers(&counts), [0, 0, 0]);
        }
    }
}
