/*! Whom receivers refused something, as a table. */

use super::table::put_table;
use crate::telemetry::LimitedPeer;
use std::{net::IpAddr, time::Instant};

/// Appends the table of `peers`, as of `now`.
pub(super) fn put(text: &mut String, peers: &[(IpAddr, LimitedPeer)], now: Instant) {
    text.push_str(
        "Peers that were refused requests or connections, the latest first. An older one is \
         forgotten when there are many.\n\n",
    );
    let head = ["PEER", "LAST", "REFUSED", "WHY"].map(str::to_owned);
    let mut rows = vec![head];
    for (peer, known) in peers {
        let ago = now.saturating_duration_since(known.last).as_secs();
        let counts = known.counts.iter();
        let why: Vec<_> = counts.map(|(reason, n)| format!("{reason} {n}")).collect();
        rows.push([
            peer.to_string(),
            format!("{ago} s ago"),
            known.total().to_string(),
            why.join(", "),
        ]);
    }
    put_table(text, &rows);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

    #[test]
    fn a_peer_is_a_row() {
        let last = Instant::now();
        let known = LimitedPeer {
            last,
            counts: BTreeMap::from([("busy", 3), ("too_large", 12)]),
        };
        let mut text = String::new();
        let now = last + Duration::from_secs(61);
        put(&mut text, &[(Ipv4Addr::LOCALHOST.into(), known)], now);
        let row = "127.0.0.1  61 s ago  15       busy 3, too_large 12\n";
        assert!(text.ends_with(row), "{text}");
    }
}
