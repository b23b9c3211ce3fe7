/*!
The account of every pipeline and exporter, and whom receivers refused something, in plain
text.
*/

use super::{peers, table::put_table};
use crate::{
    pipeline::{DropReason, NamedRoute},
    telemetry::LimitedPeers,
};
use std::{fmt::Write, time::Instant};

/// Says what became of every item, and tells of the peers in the tables `limited`.
pub(super) fn text(routes: &[NamedRoute], limited: &[LimitedPeers]) -> String {
    let mut text = String::from(
        "Spans by pipeline and exporter. accepted + recovered = delivered + refused + dropped + \
         held\n\n",
    );
    let head = [
        "PIPELINE",
        "EXPORTER",
        "ACCEPTED",
        "RECOVERED",
        "DELIVERED",
        "REFUSED",
        "DROPPED",
        "OPEN",
        "MEMORY",
        "LOG",
        "BALANCE",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    let mut reasons = String::new();
    for named in routes {
        let balance = named.route.account.balance();
        let difference = match balance.difference() {
            0 => "0".to_owned(),
            wrong => format!("{wrong} (a bug: please report it)"),
        };
        rows.push([
            named.pipeline.clone(),
            named.exporter.clone(),
            balance.taken.to_string(),
            balance.recovered.to_string(),
            balance.delivered.to_string(),
            balance.refused.to_string(),
            balance.dropped().to_string(),
            balance.open.to_string(),
            balance.in_memory.to_string(),
            balance.in_log.to_string(),
            difference,
        ]);
        for reason in DropReason::ALL {
            let spans = balance.dropped[reason as usize];
            if spans > 0 {
                let (pipeline, exporter) = (&named.pipeline, &named.exporter);
                let label = reason.label();
                let _ = writeln!(
                    reasons,
                    "{pipeline} -> {exporter}: dropped {spans}, {label}"
                );
            }
        }
    }
    put_table(&mut text, &rows);
    if !reasons.is_empty() {
        text.push('\n');
        text.push_str(&reasons);
    }
    let peers = LimitedPeers::merged(limited);
    if !peers.is_empty() {
        text.push('\n');
        peers::put(&mut text, &peers, Instant::now());
    }
    text
}
