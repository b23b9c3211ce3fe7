/*!
The metric that names whom receivers refused something.

A scrape must stay small, and so must what Prometheus keeps of all scrapes: so only
the peers with the most refusals get series of their own, and only so many ever.
What is refused to others is shown together; `/debug/pipelinez` names those too.
*/

use crate::{
    receiver::HANDSHAKE,
    telemetry::{Counters, LimitedPeers, Metric, RefusedRequests, Registry},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const LIMITED: Metric = Metric::gauge(
    "wayspan_receiver_limited_peers",
    "Requests and connections of this peer that were refused, as long as it is among those \
     refused last. Peer: an address; other, all but the ten with the most, and all new ones after \
     32 different ones.",
    &["peer", "reason"],
);

/// Peers that one scrape gives series of their own, at most.
const AT_ONCE: usize = 10;
/// Peers that ever have series of their own.
const EVER: usize = 32;
/// In place of the others.
const OTHER: &str = "other";
/// Why connections are refused, beside why requests are.
const CONNECTIONS: [&str; 3] = ["connections", "peer_connections", HANDSHAKE];

type Series = (String, &'static str);

#[derive(Debug, Default)]
struct Shown {
    named: BTreeSet<IpAddr>,
    counts: BTreeMap<Series, u64>,
}

/// Registers the metric, which shows what is in `tables`.
pub(super) fn register(registry: &Arc<Registry>, tables: Vec<LimitedPeers>) {
    let shown = Arc::<Mutex<Shown>>::default();
    let of_requests = RefusedRequests::COUNTERS.iter();
    let reasons = of_requests.flat_map(|counter| counter.label.iter().map(|(_, value)| *value));
    for reason in reasons.chain(CONNECTIONS) {
        show(registry, &shown, (OTHER.to_owned(), reason));
    }
    let weak = Arc::downgrade(registry);
    registry.before(move || {
        let new = lock(&shown).read(&tables);
        if let Some(registry) = weak.upgrade() {
            for series in new {
                show(&registry, &shown, series);
            }
        }
    });
}

fn show(registry: &Registry, shown: &Arc<Mutex<Shown>>, series: Series) {
    let shown = Arc::clone(shown);
    let (peer, reason) = series.clone();
    registry.gauge(&LIMITED, &[&peer, reason], move || {
        let count = lock(&shown).counts.get(&series).copied();
        count.unwrap_or_default()
    });
}

fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    // A panic leaves figures of an older scrape at worst.
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shown {
    /// Reads the tables; returns the series that had no value before.
    fn read(&mut self, tables: &[LimitedPeers]) -> Vec<Series> {
        let mut peers = LimitedPeers::merged(tables);
        peers.sort_by_key(|(_, known)| std::cmp::Reverse(known.total()));
        let before = std::mem::take(&mut self.counts);
        let mut new = Vec::new();
        for (at, (peer, known)) in peers.into_iter().enumerate() {
            if at < AT_ONCE && self.named.len() < EVER {
                self.named.insert(peer);
            }
            let label = match at < AT_ONCE && self.named.contains(&peer) {
                true => peer.to_string(),
                false => OTHER.to_owned(),
            };
            for (reason, count) in known.counts {
                let series = (label.clone(), reason);
                if label != OTHER && !before.contains_key(&series) {
                    new.push(series.clone());
                }
                *self.counts.entry(series).or_default() += count;
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn peer(n: u32) -> IpAddr {
        Ipv4Addr::from(n).into()
    }

    fn count(shown: &Shown, peer: &str) -> Option<u64> {
        shown.counts.get(&(peer.to_owned(), "busy")).copied()
    }

    #[test]
    fn the_peers_with_the_most_are_named_and_the_rest_is_one() {
        let (mut shown, table) = (Shown::default(), LimitedPeers::default());
        for n in 0..20_u32 {
            (0..=n).for_each(|_| table.note(peer(n), "busy"));
        }
        let new = shown.read(std::slice::from_ref(&table));
        assert_eq!(new.len(), AT_ONCE);
        assert_eq!(count(&shown, "0.0.0.19"), Some(20));
        assert_eq!(count(&shown, "0.0.0.10"), Some(11));
        assert_eq!(count(&shown, "0.0.0.9"), None);
        assert_eq!(count(&shown, OTHER), Some((1..=10).sum()));
        assert_eq!(shown.read(&[table]), []);
    }

    #[test]
    fn a_sender_with_many_addresses_makes_no_series_without_end() {
        let (mut shown, table) = (Shown::default(), LimitedPeers::default());
        let mut series = BTreeSet::new();
        for n in 0..1000 {
            table.note(peer(n), "busy");
            table.note(peer(n), "busy");
            series.extend(shown.read(std::slice::from_ref(&table)));
        }
        assert!(series.len() <= EVER, "{}", series.len());
        assert!(count(&shown, OTHER).is_some_and(|count| count > 0));
    }

    #[test]
    fn series_are_there_from_the_start_and_peers_have_theirs_with_the_next_scrape() {
        let registry = Arc::new(Registry::default());
        let table = LimitedPeers::default();
        register(&registry, vec![table.clone()]);
        let other = r#"wayspan_receiver_limited_peers{peer="other",reason="too_large"} 0"#;
        assert!(registry.render().contains(other), "{}", registry.render());
        table.note(peer(7), "too_large");
        let seven = r#"wayspan_receiver_limited_peers{peer="0.0.0.7",reason="too_large"} 1"#;
        assert!(registry.render().contains(seven), "{}", registry.render());
    }
}
