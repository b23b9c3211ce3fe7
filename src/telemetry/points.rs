/*!
wayspan's own metrics as OTLP bytes, under the names that the Collector gives them when it
pushes: without suffixes, in scopes, with units.
*/

use super::{
    Metric, MetricKind, Resource,
    histogram::Distribution,
    snapshot::{Labels, Number, Snapshot, Value},
};
use crate::pdata::{
    metric::{
        HISTOGRAM_ATTRIBUTES, NUMBER_ATTRIBUTES, PointKind, Temporality, put_double, put_fraction,
        put_int, put_metric, put_packed, put_times,
    },
    time::unix_nanos,
    wire::{put_bytes, put_fixed64, put_message},
};
use std::{collections::BTreeMap, time::SystemTime};

/// Metrics and labels that have dots where Prometheus has none.
const DOTTED: &[(&str, &str)] = &[
    ("otel_signal", "otel.signal"),
    ("otelcol_k8s_pod_association", "otelcol.k8s.pod.association"),
    (
        "otelcol_processor_filter_spans_filtered",
        "otelcol_processor_filter_spans.filtered",
    ),
];

fn dotted(name: &str) -> &str {
    let known = DOTTED.iter().find(|(known, _)| *known == name);
    known.map_or(name, |(_, dotted)| dotted)
}

/// `temporality_preference`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemporalityPreference {
    /// Everything counts from the start.
    Cumulative,
    /// Counters and histograms count from the push before.
    Delta,
    /// The same, but for what is read from the system when it is asked for.
    LowMemory,
}

impl TemporalityPreference {
    fn of(self, metric: &Metric) -> Temporality {
        match self {
            Self::Cumulative => Temporality::Cumulative,
            Self::Delta => Temporality::Delta,
            Self::LowMemory if metric.is_of_process() => Temporality::Cumulative,
            Self::LowMemory => Temporality::Delta,
        }
    }
}

/// What one reader has told so far.
#[derive(Debug)]
pub(crate) struct PointWriter {
    preference: TemporalityPreference,
    /// A resource's payload.
    resource: Vec<u8>,
    started: SystemTime,
    /// What was told last, and when.
    told: Option<(Snapshot, SystemTime)>,
}

impl PointWriter {
    /// A writer for a reader that begins now.
    pub(crate) fn new(resource: &Resource, preference: TemporalityPreference) -> Self {
        Self {
            preference,
            resource: resource.encode(),
            started: SystemTime::now(),
            told: None,
        }
    }

    /// Writes a request of all metrics.
    pub(crate) fn write(&self, snapshot: &Snapshot, now: SystemTime) -> Vec<u8> {
        let mut scopes: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for (name, family) in &snapshot.families {
            let metrics = scopes.entry(family.metric.scope()).or_default();
            self.metric(name, &family.metric, &family.series, now, metrics);
        }
        let mut out = Vec::new();
        put_message(1, &mut out, |group| {
            put_bytes(1, &self.resource, group);
            for (scope, metrics) in &scopes {
                put_message(2, group, |in_scope| {
                    put_message(1, in_scope, |out| put_bytes(1, scope.as_bytes(), out));
                    in_scope.extend_from_slice(metrics);
                });
            }
        });
        out
    }

    /// Notes that the backend has what was written of `snapshot` at `at`.
    pub(crate) fn told(&mut self, snapshot: Snapshot, at: SystemTime) {
        self.told = Some((snapshot, at));
    }

    fn metric(
        &self,
        name: &str,
        metric: &Metric,
        series: &BTreeMap<Labels, Value>,
        now: SystemTime,
        out: &mut Vec<u8>,
    ) {
        let temporality = match metric.kind {
            MetricKind::Gauge => Temporality::Cumulative,
            MetricKind::Counter | MetricKind::Histogram => self.preference.of(metric),
        };
        let (before, start) = match (&self.told, temporality) {
            (Some((before, at)), Temporality::Delta) => (Some(before), *at),
            _ => (None, self.started),
        };
        let times = (unix_nanos(start), unix_nanos(now));
        let mut points = Vec::new();
        for (labels, value) in series {
            let before = before.and_then(|before| before.get(name, labels));
            put_point(times, labels, &since(value, before), &mut points);
        }
        let help = metric.help();
        let about = (dotted(name), help.as_str(), metric.unit());
        let kind = match metric.kind {
            MetricKind::Counter => PointKind::Counter,
            MetricKind::Gauge if metric.is_sum => PointKind::Sum,
            MetricKind::Gauge => PointKind::Gauge,
            MetricKind::Histogram => PointKind::Histogram,
        };
        put_metric(about, kind, temporality, &points, out);
    }
}

/// What came to a value since it was `before`. One that is less has begun anew.
fn since(value: &Value, before: Option<&Value>) -> Value {
    match (value, before) {
        (Value::Number(Number::Int(now)), Some(Value::Number(Number::Int(before)))) => {
            Value::Number(Number::Int(now.checked_sub(*before).unwrap_or(*now)))
        }
        (Value::Number(Number::Double(now)), Some(Value::Number(Number::Double(before))))
            if now >= before =>
        {
            Value::Number(Number::Double(now - before))
        }
        (Value::Distribution(now), Some(Value::Distribution(before)))
            if now.count() >= before.count() =>
        {
            let counts = now.counts.iter().zip(&before.counts);
            Value::Distribution(Distribution {
                bounds: now.bounds,
                counts: counts.map(|(now, b)| now.saturating_sub(*b)).collect(),
                sum: now.sum - before.sum,
            })
        }
        _ => value.clone(),
    }
}

fn put_point(times: (u64, u64), labels: &Labels, value: &Value, out: &mut Vec<u8>) {
    put_message(1, out, |point| {
        put_times(times, point);
        let attributes = match value {
            Value::Number(Number::Int(value)) => {
                put_int(*value, point);
                NUMBER_ATTRIBUTES
            }
            Value::Number(Number::Double(value)) => {
                put_fraction(*value, point);
                NUMBER_ATTRIBUTES
            }
            Value::Distribution(values) => {
                put_fixed64(4, values.count(), point);
                put_double(5, values.sum, point);
                put_packed(6, values.counts.iter().copied(), point);
                put_packed(7, values.bounds.iter().map(|bound| bound.to_bits()), point);
                HISTOGRAM_ATTRIBUTES
            }
        };
        for (label, value) in labels {
            put_message(attributes, point, |pair| {
                put_bytes(1, dotted(label).as_bytes(), pair);
                put_message(2, pair, |any| put_bytes(1, value.as_bytes(), any));
            });
        }
    });
}

#[cfg(test)]
mod tests;
