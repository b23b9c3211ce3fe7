/*!
The metrics of the accounts.

All series of one scrape are of one moment, so that they can be held against
each other: accepted + recovered = delivered + refused + dropped + held.
*/

use super::{Balance, DropReason, NamedRoute};
use crate::telemetry::{Metric, Registry};
use std::sync::{Arc, Mutex, PoisonError};

const LABELS: &[&str] = &["pipeline", "exporter"];

/// A counter, and where its value stands.
type Row = (Metric, Read);

/// Reads a number off a balance.
type Read = fn(&Balance) -> u64;

const COUNTERS: [Row; 4] = [
    (
        Metric::counter(
            "wayspan_accepted_{items}",
            "Items put into the pipeline's batches for this exporter: accepted from senders, less \
             those that a processor dropped, and aliases.",
            LABELS,
        ),
        |balance| balance.taken,
    ),
    (
        Metric::counter(
            "wayspan_recovered_{items}",
            "Items found undelivered in the segment log of an earlier run.",
            LABELS,
        ),
        |balance| balance.recovered,
    ),
    (
        Metric::counter(
            "wayspan_delivered_{items}",
            "Items that the backend took.",
            LABELS,
        ),
        |balance| balance.delivered,
    ),
    (
        Metric::counter(
            "wayspan_refused_{items}",
            "Items that the backend refused for good: partial success, invalid, or too large.",
            LABELS,
        ),
        |balance| balance.refused,
    ),
];

const DROPPED: Metric = Metric::counter(
    "wayspan_dropped_{items}",
    "Items accepted and then lost. By reason: queue_full, no room for this exporter while others \
     had room; gave_up, max_elapsed_time was over; shutdown, undelivered at the end of the drain \
     and in no log; damaged, unreadable in the log; crashed, a bug in wayspan.",
    &["pipeline", "exporter", "reason"],
);

const HELD: Metric = Metric::gauge(
    "wayspan_held_{items}",
    "Items accepted and not yet settled. In: open, a batch that is filling; memory, sealed \
     batches; log, on disk and not in memory.",
    &["pipeline", "exporter", "in"],
);

/// Where held items are, as the label `in` has it.
const HELD_IN: [(&str, Read); 3] = [
    ("open", |balance| balance.open),
    ("memory", |balance| balance.in_memory),
    ("log", |balance| balance.in_log),
];

/// Registers the series of all accounts.
pub(crate) fn register(registry: &Registry, routes: &[NamedRoute]) {
    let moment = Arc::new(Mutex::new(vec![Balance::default(); routes.len()]));
    {
        let (moment, routes) = (Arc::clone(&moment), routes.to_vec());
        registry.before(move || {
            let mut moment = moment.lock().unwrap_or_else(PoisonError::into_inner);
            for (balance, named) in moment.iter_mut().zip(&routes) {
                *balance = named.route.account.balance();
            }
        });
    }
    for (at, named) in routes.iter().enumerate() {
        let moment = &moment;
        let read = move |of: Read| {
            let moment = Arc::clone(moment);
            move || {
                let moment = moment.lock().unwrap_or_else(PoisonError::into_inner);
                moment.get(at).map_or(0, of)
            }
        };
        let signal = named.route.signal;
        let (pipeline, exporter) = (named.pipeline.as_str(), named.exporter.as_str());
        for (metric, of) in COUNTERS {
            registry.counter(&metric.of(signal), &[pipeline, exporter], read(of));
        }
        for reason in DropReason::ALL {
            let labels = [pipeline, exporter, reason.label()];
            let moment = Arc::clone(moment);
            registry.counter(&DROPPED.of(signal), &labels, move || {
                let moment = moment.lock().unwrap_or_else(PoisonError::into_inner);
                let balance = moment.get(at);
                balance.map_or(0, |balance| balance.dropped[reason as usize])
            });
        }
        for (place, of) in HELD_IN {
            let (labels, read) = ([pipeline, exporter, place], read(of));
            registry.gauge(&HELD.of(signal), &labels, read);
        }
    }
}
