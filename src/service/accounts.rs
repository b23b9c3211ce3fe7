/*!
The account of every span, for those who ask: metrics and `/debug/pipelinez`.

All series of one scrape are of one moment, so that they can be held against
each other: accepted + recovered = delivered + refused + dropped + held.
*/

use crate::{
    pipeline::{Balance, DropReason, Route},
    telemetry::{Registry, http::Page},
};
use http::StatusCode;
use std::{
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
};

/// One way of batches, by name.
#[derive(Clone, Debug)]
pub struct Way {
    /// The pipeline's id.
    pub pipeline: String,
    /// The exporter's id.
    pub exporter: String,
    /// The way.
    pub route: Arc<Route>,
}

/// A series: name, help, labels besides pipeline and exporter, and its value.
type Series = (
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
    fn(&Balance) -> u64,
);

const CAME: [Series; 4] = [
    (
        "wayspan_accepted_spans",
        "Spans taken for this exporter: accepted, less those a processor dropped, and aliases.",
        None,
        |b| b.taken,
    ),
    (
        "wayspan_recovered_spans",
        "Spans of an earlier run found in the segment log.",
        None,
        |b| b.recovered,
    ),
    (
        "wayspan_delivered_spans",
        "Spans that the backend took.",
        None,
        |b| b.delivered,
    ),
    (
        "wayspan_refused_spans",
        "Spans that the backend refused for good.",
        None,
        |b| b.refused,
    ),
];

const DROPPED: [fn(&Balance) -> u64; DropReason::ALL.len()] = [
    |b| b.dropped[DropReason::QueueFull as usize],
    |b| b.dropped[DropReason::GaveUp as usize],
    |b| b.dropped[DropReason::Shutdown as usize],
    |b| b.dropped[DropReason::Damaged as usize],
    |b| b.dropped[DropReason::Crashed as usize],
];

/// Where held spans are.
type Place = (&'static str, fn(&Balance) -> u64);

const HELD: [Place; 3] = [
    ("open", |b| b.open),
    ("memory", |b| b.in_memory),
    ("log", |b| b.in_log),
];

/// Registers the series of all ways.
pub fn register(registry: &Registry, ways: &[Way]) {
    let moment = Arc::new(Mutex::new(vec![Balance::default(); ways.len()]));
    {
        let (moment, ways) = (Arc::clone(&moment), ways.to_vec());
        registry.before(move || {
            let mut moment = moment.lock().unwrap_or_else(PoisonError::into_inner);
            for (balance, way) in moment.iter_mut().zip(&ways) {
                *balance = way.route.account.balance();
            }
        });
    }
    for (at, way) in ways.iter().enumerate() {
        let read = |of: fn(&Balance) -> u64| {
            let moment = Arc::clone(&moment);
            move || {
                let moment = moment.lock().unwrap_or_else(PoisonError::into_inner);
                moment.get(at).map_or(0, of)
            }
        };
        let mut labels = vec![
            ("pipeline", way.pipeline.as_str()),
            ("exporter", way.exporter.as_str()),
        ];
        for (name, help, _, of) in CAME {
            registry.counter_fn(name, help, &labels, read(of));
        }
        for (reason, of) in DropReason::ALL.into_iter().zip(DROPPED) {
            labels.push(("reason", reason.label()));
            let help = "Spans accepted and then lost, by reason.";
            registry.counter_fn("wayspan_dropped_spans", help, &labels, read(of));
            labels.pop();
        }
        for (place, of) in HELD {
            labels.push(("in", place));
            let read = read(of);
            let help = "Spans accepted and not yet settled: in open batches, in memory, in the \
                        segment log alone.";
            registry.gauge("wayspan_held_spans", help, &labels, move || read() as f64);
            labels.pop();
        }
    }
}

/// `/debug/pipelinez`: what became of every span, as a table in plain text.
pub fn page(ways: &[Way]) -> Page {
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
    for way in ways {
        let balance = way.route.account.balance();
        let difference = match balance.difference() {
            0 => "0".to_owned(),
            wrong => format!("{wrong} (a bug: please report it)"),
        };
        rows.push([
            way.pipeline.clone(),
            way.exporter.clone(),
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
                let (pipeline, exporter) = (&way.pipeline, &way.exporter);
                let label = reason.label();
                let _ = writeln!(
                    reasons,
                    "{pipeline} -> {exporter}: dropped {spans}, {label}"
                );
            }
        }
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if !reasons.is_empty() {
        text.push('\n');
        text.push_str(&reasons);
    }
    (StatusCode::OK, "text/plain; charset=utf-8", text)
}
