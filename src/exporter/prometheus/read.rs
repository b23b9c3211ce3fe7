/*!
Metrics requests, as far as Prometheus has words for them.

A request is read through views and not decoded. What is wrong is left out: a metric without a name, or
with two labels of one name.
*/

use super::{
    labels::Labels,
    point::{Exemplar, Histogram, Point, ReadPoint, Temporality, Value},
    settings::Settings,
};
use crate::{
    pdata::{
        message::Message,
        number::ShowHex,
        wire::{WireFields, WireValue},
    },
    prometheus::names::{self, Named},
};
use std::fmt::Write;

/// What a metric is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl Kind {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// So many exemplars of a point are kept.
const MOST_EXEMPLARS: usize = 64;

/// Attributes of a resource that are not labels of their own.
const SERVICE: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

/// What was read of a request.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Name, kind, help and points of each metric.
    pub(super) metrics: Vec<(String, Kind, String, Vec<ReadPoint>)>,
    /// Labels of `target_info`, by job and instance.
    pub(super) targets: Vec<((String, String), String)>,
    /// Metrics that were left out.
    pub(super) left_out: usize,
}

/// What the points of a scope have in common.
struct Context<'a> {
    settings: &'a Settings,
    resource: Message<'a>,
    scope: Message<'a>,
    schema_url: &'a str,
    job: Option<String>,
    instance: Option<String>,
}

/// Reads a request.
pub(super) fn read(request: &[u8], settings: &Settings) -> Read {
    let mut read = Read::default();
    for group in Message(request).messages(1) {
        let resource = group.message(1);
        let of_service = SERVICE.map(|name| {
            let mut attributes = resource.attributes(1);
            let found = attributes.find(|attribute| attribute.key == name)?;
            let mut text = String::new();
            crate::pdata::text::put_text(found.value, &mut text);
            Some(text)
        });
        let [name, namespace, instance] = of_service;
        let job = name.map(|name| match namespace {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name,
        });
        read.add_target(resource, (job.as_deref(), instance.as_deref()));
        for scope in group.messages(2) {
            let context = Context {
                settings,
                resource,
                scope: scope.message(1),
                schema_url: scope.text(3),
                job: job.clone(),
                instance: instance.clone(),
            };
            for metric in scope.messages(2) {
                match context.metric(metric) {
                    Some(metric) => read.metrics.push(metric),
                    None => read.left_out += 1,
                }
            }
        }
    }
    read
}

impl Read {
    fn add_target(&mut self, resource: Message<'_>, (job, instance): (Option<&str>, Option<&str>)) {
        let (Some(job), Some(instance)) = (job, instance) else {
            return;
        };
        if job.is_empty() || instance.is_empty() {
            return;
        }
        let mut labels = Labels::default();
        let attributes = resource.attributes(1);
        let others = attributes.filter(|attribute| !SERVICE.contains(&attribute.key));
        if !labels.add_all(others, "") {
            return;
        }
        labels.join();
        labels.add("job", job);
        labels.add("instance", instance);
        if let Some(labels) = labels.show() {
            let id = (job.to_owned(), instance.to_owned());
            self.targets.push((id, labels));
        }
    }
}

/// Fields of data points.
struct PointFields {
    attributes: u32,
    exemplars: u32,
    flags: u32,
}

impl Context<'_> {
    fn metric(&self, metric: Message<'_>) -> Option<(String, Kind, String, Vec<ReadPoint>)> {
        let data =
            WireFields::new(metric.0).find(|field| matches!(field.number, 5 | 7 | 9 | 10 | 11))?;
        let payload = Message(data.bytes()?);
        let temporality = match (data.number, payload.number(2)) {
            (5 | 11, _) => Temporality::None,
            (_, 1) => Temporality::Delta,
            (_, 2) => Temporality::Cumulative,
            _ => return None,
        };
        let is_monotonic = payload.number(3) != 0;
        let (kind, named) = match data.number {
            5 => (Kind::Gauge, Named::Gauge),
            7 if is_monotonic => (Kind::Counter, Named::Counter),
            // A difference is not what a gauge shows.
            7 if temporality == Temporality::Delta => return None,
            7 => (Kind::Gauge, Named::Other),
            9 | 10 => (Kind::Histogram, Named::Other),
            _ => (Kind::Summary, Named::Other),
        };
        let fields = match data.number {
            5 | 7 => PointFields {
                attributes: 7,
                exemplars: 5,
                flags: 8,
            },
            9 => PointFields {
                attributes: 9,
                exemplars: 8,
                flags: 10,
            },
            10 => PointFields {
                attributes: 1,
                exemplars: 11,
                flags: 10,
            },
            // Summaries have no exemplars.
            _ => PointFields {
                attributes: 7,
                exemplars: 0,
                flags: 8,
            },
        };
        let settings = self.settings;
        let style = (&*settings.namespace, settings.has_suffixes);
        let name = names::metric(metric.text(1), metric.text(3), named, style)?;
        let mut points = Vec::new();
        for point in payload.messages(1) {
            let labels = self.labels(point, &fields)?;
            let has_ended = point.number(fields.flags) & 1 != 0;
            let value = (!has_ended).then(|| self.point(data.number, point, &fields));
            points.push((labels, temporality, value));
        }
        Some((name, kind, metric.text(2).to_owned(), points))
    }

    fn labels(&self, point: Message<'_>, fields: &PointFields) -> Option<String> {
        let settings = self.settings;
        let mut labels = Labels::default();
        if settings.resource_labels {
            // A resource's attribute takes the place of a point's.
            let resource: Vec<_> = self.resource.attributes(1).collect();
            let is_own = |key: &str| !resource.iter().any(|attribute| attribute.key == key);
            let own = point
                .attributes(fields.attributes)
                .filter(|a| is_own(a.key));
            let resource = resource
                .iter()
                .filter(|a| settings.service_labels || !SERVICE.contains(&a.key));
            if !labels.add_all(own, "") || !labels.add_all(resource.copied(), "") {
                return None;
            }
        } else if !labels.add_all(point.attributes(fields.attributes), "") {
            return None;
        }
        if settings.scope_labels {
            let reserved = ["name", "version", "schema_url"];
            let scope = self.scope.attributes(3);
            if !labels.add_all(scope.filter(|a| !reserved.contains(&a.key)), "otel_scope_") {
                return None;
            }
            labels.add("otel_scope_name", self.scope.text(1));
            labels.add("otel_scope_version", self.scope.text(2));
            labels.add("otel_scope_schema_url", self.schema_url);
        }
        for (name, value) in [("job", &self.job), ("instance", &self.instance)] {
            if let Some(value) = value {
                labels.add(name, value);
            }
        }
        for (name, value) in &settings.const_labels {
            labels.add(name, value);
        }
        labels.show()
    }

    fn point(&self, kind: u32, point: Message<'_>, fields: &PointFields) -> Point {
        Point {
            value: match kind {
                5 | 7 => Value::Number(number(point, 4)),
                9 => Value::Histogram(Histogram {
                    count: point.number(4),
                    sum: double(point, 5),
                    bounds: packed(point, 7).map(f64::from_bits).collect(),
                    counts: packed(point, 6).collect(),
                }),
                10 => Value::Histogram(Histogram {
                    count: point.number(4),
                    sum: double(point, 5),
                    ..Histogram::default()
                }),
                _ => Value::Summary {
                    count: point.number(4),
                    sum: double(point, 5),
                    quantiles: (point.messages(6))
                        .map(|quantile| (double(quantile, 1), double(quantile, 2)))
                        .collect(),
                },
            },
            start: point.number(2),
            time: point.number(3),
            exemplars: match self.settings.has_open_metrics {
                true => (point.messages(fields.exemplars).take(MOST_EXEMPLARS))
                    .map(exemplar)
                    .collect(),
                false => Vec::new(),
            },
        }
    }
}

/// The value of a number's point or of an exemplar: the field `double`, or an integer in field 6.
fn number(message: Message<'_>, double: u32) -> f64 {
    let values = WireFields::new(message.0).filter_map(|field| match field.value {
        WireValue::Fixed64(bits) if field.number == double => Some(f64::from_bits(bits)),
        WireValue::Fixed64(value) if field.number == 6 => Some(value as i64 as f64),
        _ => None,
    });
    values.last().unwrap_or(0.0)
}

fn exemplar(exemplar: Message<'_>) -> Exemplar {
    let mut labels = String::new();
    for (name, id) in [
        ("trace_id", exemplar.bytes(5)),
        ("span_id", exemplar.bytes(4)),
    ] {
        if id.iter().any(|byte| *byte != 0) {
            let comma = if labels.is_empty() { "" } else { "," };
            // Writing to a String does not fail.
            let _ = write!(labels, "{comma}{name}=\"{}\"", ShowHex(id));
        }
    }
    Exemplar {
        labels,
        value: number(exemplar, 3),
        time: exemplar.number(2),
    }
}

fn double(message: Message<'_>, number: u32) -> f64 {
    f64::from_bits(message.number(number))
}

/// The values of a list of eight bytes each, packed or one by one.
fn packed(message: Message<'_>, number: u32) -> impl Iterator<Item = u64> {
    let fields = WireFields::new(message.0).filter(move |field| field.number == number);
    fields.flat_map(|field| {
        let (one, many) = match field.value {
            WireValue::Fixed64(value) => (Some(value), &[][..]),
            WireValue::Len(bytes) => (None, bytes.as_chunks::<8>().0),
            _ => (None, &[][..]),
        };
        let many = many.iter().map(|bytes| u64::from_le_bytes(*bytes));
        one.into_iter().chain(many)
    })
}
