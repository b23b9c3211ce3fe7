/*!
Which peers were refused something, and why.

Each thread that refuses has a table of its own, and a reader merges them: so
threads do not wait for each other, even under a flood of refusals. A table has a
bounded number of peers; the one that was refused nothing for longest goes first.
*/

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Peers in one table.
const PEERS: usize = 64;

/// A table. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct LimitedPeers(Arc<Mutex<BTreeMap<IpAddr, LimitedPeer>>>);

/// What one peer was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitedPeer {
    /// When it was refused something last.
    pub last: Instant,
    /// How often it was, by reason.
    pub counts: BTreeMap<&'static str, u64>,
}

impl LimitedPeers {
    /// Notes that `peer` was refused something for `reason`, one of a fixed set.
    pub fn note(&self, peer: IpAddr, reason: &'static str) {
        self.note_at(peer, reason, Instant::now());
    }

    fn note_at(&self, peer: IpAddr, reason: &'static str, now: Instant) {
        let peer = peer.to_canonical();
        let mut peers = self.lock();
        if !peers.contains_key(&peer) && peers.len() >= PEERS {
            let oldest = peers.iter().min_by_key(|(_, known)| known.last);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                peers.remove(&oldest);
            }
        }
        let known = peers.entry(peer).or_insert_with(|| LimitedPeer {
            last: now,
            counts: BTreeMap::new(),
        });
        known.last = now;
        *known.counts.entry(reason).or_default() += 1;
    }

    /// Merges tables: the peer that was refused something last comes first.
    pub fn merged<'t>(tables: impl IntoIterator<Item = &'t Self>) -> Vec<(IpAddr, LimitedPeer)> {
        let mut all = BTreeMap::<IpAddr, LimitedPeer>::new();
        for table in tables {
            // Copied, so that a thread that refuses does not wait for the rest.
            let peers = table.lock().clone();
            for (peer, more) in peers {
                match all.get_mut(&peer) {
                    None => drop(all.insert(peer, more)),
                    Some(known) => known.add(&more),
                }
            }
        }
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by_key(|(_, known)| std::cmp::Reverse(known.last));
        all
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, LimitedPeer>> {
        // Whoever panicked with it left counts that are whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LimitedPeer {
    /// How often it was refused something.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    fn add(&mut self, more: &Self) {
        self.last = self.last.max(more.last);
        for (reason, count) in &more.counts {
            *self.counts.entry(reason).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, time::Duration};

    fn peer(n: u32) -> IpAddr {
        Ipv4Addr::from(n).into()
    }

    #[test]
    fn tables_are_merged_and_the_latest_is_first() {
        let (a, b) = (LimitedPeers::default(), LimitedPeers::default());
        let begin = Instant::now();
        let at = |s| begin + Duration::from_secs(s);
        a.note_at(peer(1), "too_large", at(1));
        a.note_at(peer(2), "too_large", at(2));
        b.note_at(peer(1), "too_large", at(3));
        b.note_at(Ipv4Addr::from(1).to_ipv6_mapped().into(), "busy", at(3));
        let merged = LimitedPeers::merged([&a, &b]);
        let rows: Vec<_> = merged
            .iter()
            .map(|(peer, known)| (*peer, known.total(), known.last))
            .collect();
        assert_eq!(rows, [(peer(1), 3, at(3)), (peer(2), 1, at(2))]);
        let of_first = &merged[0].1.counts;
        assert_eq!(of_first, &BTreeMap::from([("busy", 1), ("too_large", 2)]));
    }

    #[test]
    fn the_peer_that_was_refused_nothing_for_longest_goes() {
        let table = LimitedPeers::default();
        let begin = Instant::now();
        let at = |s: u32| begin + Duration::from_secs(s.into());
        for n in 0..1000 {
            table.note_at(peer(n), "busy", at(n));
            table.note_at(peer(0), "busy", at(n));
        }
        let merged = LimitedPeers::merged([&table]);
        assert_eq!(merged.len(), PEERS);
        let total = |n| {
            merged
                .iter()
                .find(|(p, _)| *p == peer(n))
                .map(|(_, p)| p.total())
        };
        assert_eq!(total(0), Some(1001));
        let newest = 1000 - PEERS as u32 + 1..1000;
        assert!(newest.into_iter().all(|n| total(n) == Some(1)));
    }
}
