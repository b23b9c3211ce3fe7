/*!
What a connection is to those who count connections, from its beginning to its end.

The accepting thread may tell a connection to give way, while its shard hears the
peer speak, takes a request or ends it. One atomic state decides between them, so
that a connection is counted out once.
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
    time::Instant,
};

/// Its peer has not said which protocol it speaks.
const SILENT: u8 = 0;
/// No request was taken on it yet.
const SPOKEN: u8 = 1;
/// Some request was.
const PROVEN: u8 = 2;
/// It was told to give way, and is not counted any more.
const LEAVING: u8 = 3;
/// It is over.
const ENDED: u8 = 4;

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
    since: Instant,
    shard: AtomicUsize,
    state: AtomicU8,
    counts: Counts,
}

/// How far a connection has come that may have to give way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Its peer has not said which protocol it speaks.
    Silent,
    /// No request was taken on it.
    Spoken,
    /// A request was, or it is over: it does not give way.
    Settled,
}

impl Standing {
    /// Returns how far it has come.
    pub(crate) fn progress(&self) -> Progress {
        match self.state.load(Acquire) {
            SILENT => Progress::Silent,
            SPOKEN => Progress::Spoken,
            _ => Progress::Settled,
        }
    }

    /// Returns when it was accepted.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Counts the connection out, if no request was taken on it. None: it stays,
    /// or has ended.
    pub(crate) fn give_way(&self) -> Option<Place> {
        self.pass(SILENT, LEAVING)
            .or_else(|| self.pass(SPOKEN, LEAVING))?;
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
    pub(crate) fn new(peer: IpAddr, number: u64, now: Instant, counts: Counts) -> Self {
        counts.all.begin();
        counts.of_peer.begin();
        Self(Arc::new(Standing {
            peer,
            number,
            since: now,
            shard: AtomicUsize::new(0),
            state: AtomicU8::new(SILENT),
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

    /// Returns what the connection tells how far it has come.
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

/// Told how far a connection has come: the further, the later it gives way to
/// others. By default it is no connection's.
#[derive(Default)]
pub struct ConnectionProof(Cell<Option<Arc<Standing>>>);

impl fmt::Debug for ConnectionProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionProof")
    }
}

impl ConnectionProof {
    /// Notes that the peer speaks a protocol.
    pub(crate) fn spoken(&self) {
        let standing = self.0.take();
        if let Some(standing) = &standing {
            let _ = standing.pass(SILENT, SPOKEN);
        }
        self.0.set(standing);
    }

    /// Notes that a request was taken, after which the connection does not give way:
    /// all but the first time for the price of a look.
    pub(crate) fn taken(&self) {
        if let Some(standing) = self.0.take() {
            let _ = standing
                .pass(SPOKEN, PROVEN)
                .or_else(|| standing.pass(SILENT, PROVEN));
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
        let peer = Ipv4Addr::LOCALHOST.into();
        ConnectionPermit::new(peer, 7, Instant::now(), counts.clone())
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
        let (proof, standing) = (held.proof(), held.standing());
        assert_eq!(standing.progress(), Progress::Silent);
        for _ in 0..2 {
            proof.spoken();
            assert_eq!(standing.progress(), Progress::Spoken);
        }
        for _ in 0..2 {
            proof.taken();
            assert_eq!(standing.progress(), Progress::Settled);
        }
        proof.spoken();
        assert_eq!(standing.give_way(), None);
        drop(held);
        assert_eq!(numbers(&counts), [0, 0, 0]);
        ConnectionProof::default().taken();

        let held = permit(&counts);
        held.proof().spoken();
        assert!(held.standing().give_way().is_some());
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
