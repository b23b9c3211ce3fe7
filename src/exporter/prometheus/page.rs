/*!
The page: Prometheus' text format, and OpenMetrics for who asks for it.
*/

use super::{
    point::{Exemplar, Histogram, Point, Value},
    read::Kind,
    settings::Settings,
    store::Store,
};
use crate::prometheus::{
    names,
    text::{Escaped, Number},
};
use std::fmt::{Display, Write};

/// The content type of OpenMetrics.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes all that is in `store`.
pub(super) fn write(store: &Store, settings: &Settings, is_open: bool) -> String {
    let mut page = Page {
        out: String::new(),
        is_open,
        has_timestamps: settings.has_timestamps,
    };
    for (name, family) in &store.families {
        page.head(name, &family.help, family.kind);
        for (labels, series) in &family.series {
            page.series(name, family.kind, labels, &series.point);
        }
    }
    if !store.targets.is_empty() {
        let prefix = names::label(&settings.namespace);
        let prefix = prefix.map_or_else(String::new, |prefix| prefix + "_");
        let name = format!("{prefix}target_info");
        page.head(&name, "Target metadata", Kind::Gauge);
        for (labels, _) in store.targets.values() {
            page.sample((&name, ""), labels, &Number(1.0, is_open), None);
        }
    }
    if is_open {
        page.out.push_str("# EOF\n");
    }
    page.out
}

struct Page {
    out: String,
    is_open: bool,
    has_timestamps: bool,
}

// Writing to a String does not fail.
impl Page {
    fn head(&mut self, name: &str, help: &str, kind: Kind) {
        // OpenMetrics calls a counter by its name without the end.
        let name = match kind {
            Kind::Counter if self.is_open => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        if !help.is_empty() || !self.is_open {
            let _ = writeln!(self.out, "# HELP {name} {}", Escaped(help, self.is_open));
        }
        let _ = writeln!(self.out, "# TYPE {name} {}", kind.word());
    }

    fn series(&mut self, name: &str, kind: Kind, labels: &str, point: &Point) {
        let time = self.has_timestamps.then_some(point.time);
        match &point.value {
            Value::Number(value) => {
                let end = match kind {
                    Kind::Counter if self.is_open && !name.ends_with("_total") => "_total",
                    _ => "",
                };
                let is_counter = kind == Kind::Counter;
                let exemplar = point.exemplars.last().filter(|_| is_counter);
                self.put(
                    (name, end),
                    labels,
                    &Number(*value, self.is_open),
                    (time, exemplar),
                );
            }
            Value::Histogram(histogram) => self.histogram(name, labels, histogram, point),
            Value::Summary {
                count,
                sum,
                quantiles,
            } => {
                for (quantile, value) in quantiles {
                    let quantile = Number(*quantile, self.is_open);
                    let labels = with(labels, &format!("quantile=\"{quantile}\""));
                    self.sample((name, ""), &labels, &Number(*value, self.is_open), time);
                }
                self.sample((name, "_sum"), labels, &Number(*sum, self.is_open), time);
                self.count((name, "_count"), labels, *count, (time, None));
            }
        }
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram, point: &Point) {
        let time = self.has_timestamps.then_some(point.time);
        let counts = histogram.counts.iter().copied().chain(std::iter::repeat(0));
        let mut buckets: Vec<(f64, u64)> = histogram.bounds.iter().copied().zip(counts).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Of bounds that come twice the first counts, as it does in the Collector.
        buckets.dedup_by_key(|(bound, _)| *bound);
        let mut sum = 0;
        let mut below = f64::NEG_INFINITY;
        let last = [(f64::INFINITY, histogram.count)];
        let has_last = buckets
            .last()
            .is_some_and(|(bound, _)| *bound == f64::INFINITY);
        let buckets = buckets.into_iter().map(|(bound, count)| {
            sum += count;
            (bound, sum)
        });
        let buckets: Vec<_> = buckets
            .chain(last.into_iter().filter(|_| !has_last))
            .collect();
        for (bound, count) in buckets {
            let falls_in = |exemplar: &&Exemplar| below < exemplar.value && exemplar.value <= bound;
            let exemplar = point.exemplars.iter().rfind(falls_in);
            let labels = with(labels, &format!("le=\"{}\"", Number(bound, self.is_open)));
            self.count((name, "_bucket"), &labels, count, (time, exemplar));
            below = bound;
        }
        self.sample(
            (name, "_sum"),
            labels,
            &Number(histogram.sum, self.is_open),
            time,
        );
        self.count((name, "_count"), labels, histogram.count, (time, None));
    }

    fn count(
        &mut self,
        name: (&str, &str),
        labels: &str,
        count: u64,
        more: (Option<u64>, Option<&Exemplar>),
    ) {
        match self.is_open {
            true => self.put(name, labels, &count, more),
            false => self.put(name, labels, &Number(count as f64, false), more),
        }
    }

    fn sample(&mut self, name: (&str, &str), labels: &str, value: &dyn Display, time: Option<u64>) {
        self.put(name, labels, value, (time, None));
    }

    fn put(
        &mut self,
        (name, end): (&str, &str),
        labels: &str,
        value: &dyn Display,
        (time, exemplar): (Option<u64>, Option<&Exemplar>),
    ) {
        let out = &mut self.out;
        let _ = match labels.is_empty() {
            true => write!(out, "{name}{end} {value}"),
            false => write!(out, "{name}{end}{{{labels}}} {value}"),
        };
        if let Some(time) = time {
            let _ = match self.is_open {
                true => write!(out, " {}", time as f64 / 1e9),
                false => write!(out, " {}", time / 1_000_000),
            };
        }
        if let Some(exemplar) = exemplar.filter(|_| self.is_open) {
            let (labels, value) = (&exemplar.labels, Number(exemplar.value, true));
            let _ = write!(
                out,
                " # {{{labels}}} {value} {}",
                exemplar.time as f64 / 1e9
            );
        }
        out.push('\n');
    }
}

/// Labels with one more at the end.
fn with(labels: &str, more: &str) -> String {
    match labels.is_empty() {
        true => more.to_owned(),
        false => format!("{labels},{more}"),
    }
}
