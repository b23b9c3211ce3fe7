/*!
`zpages`: the page `/debug/pipelinez`, which shows the account of every pipeline
and exporter.
*/

pub(crate) mod config;

use crate::{
    pipeline::{DropReason, NamedRoute},
    telemetry::http::PageAnswer,
};
use http::StatusCode;
use std::fmt::Write;

/// Writes `/debug/pipelinez`: what became of every item, as a table in plain text.
pub(crate) fn page(routes: &[NamedRoute]) -> PageAnswer {
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
