/*!
The page of wayspan's own metrics, as Prometheus scrapes it: [`Style`] has the keys of a reader.
*/

use super::{
    MetricKind, Resource,
    histogram::Distribution,
    snapshot::{Family, Number, Snapshot, Value},
};
use crate::prometheus::{
    names::{self, Named},
    text,
};
use metrics::{Key, Label};
use metrics_exporter_prometheus::{
    LabelSet,
    formatting::{write_help_line, write_metric_line, write_type_line},
};
use std::fmt::Display;

/// How the page of a Prometheus reader is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Names end in units, those of counters in `_total`.
    pub suffixes: bool,
    /// Series have the labels of their scopes.
    pub scopes: bool,
    /// Which attributes of the resource are labels of every series; None: none is.
    pub resource: Option<Selection>,
}

/// `included` and `excluded`: which names of attributes are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// None but these; empty: all.
    pub included: Vec<String>,
    /// And not these.
    pub excluded: Vec<String>,
}

impl Selection {
    fn has(&self, name: &str) -> bool {
        let is_in = |names: &[String]| names.iter().any(|other| other == name);
        !is_in(&self.excluded) && (self.included.is_empty() || is_in(&self.included))
    }
}

/// Writes the page.
pub(crate) fn write(snapshot: &Snapshot, resource: &Resource, style: &Style) -> String {
    let mut page = Page {
        out: String::new(),
        style,
        resource: Vec::new(),
    };
    if let Some(selection) = &style.resource {
        page.resource = labels_of(resource, |name| selection.has(name));
    }
    for (name, family) in &snapshot.families {
        page.family(name, family);
    }
    page.head("target_info", "Target metadata", "gauge");
    let labels = label_set(labels_of(resource, |_| true));
    page.sample(("target_info", None), &labels, None, 1);
    page.out
}

fn labels_of(resource: &Resource, takes: impl Fn(&str) -> bool) -> Vec<Label> {
    let taken = resource.0.iter().filter(|(name, _)| takes(name));
    let labels = taken.filter_map(|(name, value)| {
        let name = names::label(name)?;
        Some(Label::new(name, value.to_string()))
    });
    labels.collect()
}

/// Labels as they are written. The last of those with the same name counts.
fn label_set(labels: Vec<Label>) -> LabelSet {
    LabelSet::from_key_and_global(&Key::from_parts("", labels), &Default::default())
}

struct Page<'s> {
    out: String,
    style: &'s Style,
    /// The labels that every series has.
    resource: Vec<Label>,
}

impl Page<'_> {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        write_help_line(&mut self.out, name, None, None, help);
        write_type_line(&mut self.out, name, None, None, kind);
    }

    fn family(&mut self, name: &str, family: &Family) {
        let metric = &family.metric;
        let (named, kind) = match metric.kind {
            MetricKind::Counter => (Named::Counter, "counter"),
            MetricKind::Gauge => (Named::Gauge, "gauge"),
            MetricKind::Histogram => (Named::Other, "histogram"),
        };
        let suffixed = self.style.suffixes.then(|| {
            let unit = metric.unit();
            names::metric(name, unit, named, ("", true))
        });
        let name = suffixed.flatten().unwrap_or_else(|| name.to_owned());
        self.head(&name, &metric.help(), kind);
        for (pairs, value) in &family.series {
            let pairs = pairs.iter();
            let mut labels: Vec<_> = pairs
                .map(|(label, value)| Label::new(*label, value.clone()))
                .collect();
            if self.style.scopes {
                labels.extend([
                    Label::new("otel_scope_name", metric.scope()),
                    Label::new("otel_scope_schema_url", ""),
                    Label::new("otel_scope_version", ""),
                ]);
            }
            labels.extend_from_slice(&self.resource);
            let labels = label_set(labels);
            match value {
                Value::Number(Number::Int(value)) => {
                    self.sample((&name, None), &labels, None, value);
                }
                Value::Number(Number::Double(value)) => {
                    self.sample((&name, None), &labels, None, text::Number(*value, false));
                }
                Value::Distribution(values) => self.distribution(&name, &labels, values),
            }
        }
    }

    fn distribution(&mut self, name: &str, labels: &LabelSet, values: &Distribution) {
        let bounds = values.bounds.iter().copied().chain([f64::INFINITY]);
        let mut below = 0;
        for (bound, count) in bounds.zip(&values.counts) {
            below += count;
            self.sample((name, Some("bucket")), labels, Some(bound), below);
        }
        let sum = text::Number(values.sum, false);
        self.sample((name, Some("sum")), labels, None, sum);
        self.sample((name, Some("count")), labels, None, values.count());
    }

    /// Writes a line; `below`: the bucket's upper bound.
    fn sample(
        &mut self,
        (name, suffix): (&str, Option<&'static str>),
        labels: &LabelSet,
        below: Option<f64>,
        value: impl Display,
    ) {
        let below = below.map(|bound| ("le", text::Number(bound, false)));
        write_metric_line(&mut self.out, name, suffix, labels, below, value, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Metric, Registry};

    const QUEUE: Metric = Metric::gauge("otelcol_exporter_queue_size", "Waits.", &["exporter"]);
    const UPTIME: Metric = Metric::counter("otelcol_process_uptime", "Since start.", &[]);
    const SIZE: Metric = Metric::histogram("x_bytes", "Sizes.", &[], &[128.0]);

    fn page(style: &Style) -> String {
        let registry = Registry::default();
        registry.gauge(&QUEUE.in_unit("{batch}"), &["a\"b"], || 3_u64);
        registry.counter(&UPTIME.in_unit("s"), &[], || 1.5);
        registry.histogram(&SIZE, &[]).record(1e6);
        let mut snapshot = Snapshot::default();
        registry.read(&mut snapshot);
        let mut resource = Resource::default();
        resource.0.insert("team.name".to_owned(), "mesh".into());
        write(&snapshot, &resource, style)
    }

    #[test]
    fn the_suffixes_are_the_collectors() {
        let plain = page(&Style::default());
        let suffixed = page(&Style {
            suffixes: true,
            ..Style::default()
        });
        for (page, lines) in [
            (
                &plain,
                [
                    "# TYPE otelcol_process_uptime counter\notelcol_process_uptime 1.5\n",
                    "otelcol_exporter_queue_size{exporter=\"a\\\"b\"} 3\n",
                    "x_bytes_bucket{le=\"128\"} 0\nx_bytes_bucket{le=\"+Inf\"} 1\nx_bytes_sum 1e+06\n",
                ],
            ),
            (
                &suffixed,
                [
                    "otelcol_process_uptime_seconds_total 1.5\n",
                    "otelcol_exporter_queue_size{exporter=\"a\\\"b\"} 3\n",
                    "x_bytes_count 1\n",
                ],
            ),
        ] {
            for line in lines {
                assert!(page.contains(line), "{line} in {page}");
            }
        }
    }

    #[test]
    fn the_resource_is_told_once_and_where_it_is_asked_for() {
        let told = page(&Style::default());
        assert!(told.contains("target_info{service_instance_id="), "{told}");
        assert_eq!(told.matches("team_name=\"mesh\"").count(), 1, "{told}");
        let labelled = page(&Style {
            scopes: true,
            resource: Some(Selection {
                included: vec!["team.name".to_owned()],
                excluded: Vec::new(),
            }),
            ..Style::default()
        });
        let line = "otelcol_process_uptime{otel_scope_name=\"go.opentelemetry.io/collector/service\",\
                    otel_scope_schema_url=\"\",otel_scope_version=\"\",team_name=\"mesh\"} 1.5\n";
        assert!(labelled.contains(line), "{labelled}");
    }
}
