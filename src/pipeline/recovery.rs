/*!
What an earlier run has left in a segment log: looked through beside the start,
then delivered first.

Until a part of it was looked through, what it has is in no account.
*/

use super::Route;
use crate::queue::log::{LaneScan, Log, OldLane, Recovered};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::task::spawn_blocking;

/// Looks through the lanes of earlier runs, oldest first, and puts what is
/// undelivered in front of what this run leaves. `routes` are in the order of
/// the log's exporters; `unread` goes down to zero.
pub(crate) async fn recover(
    log: &Log,
    recovered: Option<Recovered>,
    routes: &[Arc<Route>],
    unread: &AtomicUsize,
) {
    let Some(recovered) = recovered.filter(|r| !r.lanes.is_empty()) else {
        return;
    };
    let directory = log.directory().display();
    let bytes: u64 = recovered.lanes.iter().map(|lane| lane.bytes).sum();
    tracing::info!(
        "{directory}: looking through {} MiB that an earlier run left",
        bytes.div_ceil(1 << 20)
    );
    let mut found = Found {
        spans: vec![0; routes.len()],
        ..Found::default()
    };
    for lane in recovered.lanes {
        let (id, of) = (lane.id, log.clone());
        let scan = match spawn_blocking(move || of.scan(id)).await {
            Ok(scan) => scan,
            Err(panicked) => {
                tracing::error!(
                    "reading the segment log failed because of a bug in wayspan: {panicked}"
                );
                return;
            }
        };
        if let Some(error) = &scan.error {
            tracing::error!("cannot read all of {directory}: {error}");
        }
        found.add(&lane, &scan, routes);
        unread.fetch_sub(1, Relaxed);
    }
    tracing::info!("{directory}: {}", found.told(routes.len()));
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    /// Undelivered spans, by exporter.
    spans: Vec<u64>,
    /// Unreadable records.
    damaged: u64,
    /// Bytes of unfinished writes.
    torn: u64,
}

impl Found {
    fn add(&mut self, lane: &OldLane, scan: &LaneScan, routes: &[Arc<Route>]) {
        self.damaged += scan.damaged;
        self.torn += scan.torn_bytes;
        for (at, route) in routes.iter().enumerate() {
            let of = |spans: &[u64]| spans.get(at).copied().unwrap_or(0);
            let (pending, damaged) = (of(&scan.pending_items), of(&scan.damaged_items));
            let first = lane.pending.get(at).copied().flatten();
            let (Some(cursor), Some(first)) = (route.cursor(), first) else {
                continue;
            };
            route.account.recovered(pending + damaged);
            route.account.damaged(damaged);
            cursor.recover(lane.id, first..scan.end, pending);
            route.wake();
            if let Some(spans) = self.spans.get_mut(at) {
                *spans += pending;
            }
        }
    }

    fn told(&self, exporters: usize) -> String {
        let spans: Vec<String> = self.spans.iter().map(u64::to_string).collect();
        let each = match exporters {
            1 => "",
            _ => " (by exporter)",
        };
        let loss = match (self.damaged, self.torn) {
            (0, 0) => String::new(),
            (0, torn) => format!("; the last {torn} bytes were never answered for, and are cut"),
            (damaged, _) => format!("; {damaged} damaged records cannot be read and are lost"),
        };
        format!(
            "{} spans{each} of an earlier run are undelivered and go first{loss}",
            spans.join(", ")
        )
    }
}
