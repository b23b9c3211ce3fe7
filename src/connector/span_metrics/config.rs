/*! The keys of `span_metrics`. */

use super::{
    SpanMetrics,
    settings::{Buckets, Counted, Dimension, Meter, OwnDimensions, Settings, Unit},
};
use crate::{
    config::{Field, Id, KeyReader, Setting, Spot, Word},
    connector::{ConfiguredConnector, ConnectorSettings},
    pdata::{Signal, metric::Temporality},
    pipeline::Connector,
};
use std::{sync::Arc, time::Duration};

/// The Collector's buckets, in milliseconds.
const MILLISECONDS: [u64; 16] = [
    2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400, 2000, 5000, 10_000, 15_000,
];

/// What every series has, in this order.
const OWN: [&str; 5] = [
    "service.name",
    "span.name",
    "span.kind",
    "status.code",
    "collector.instance.id",
];

/// More often than that is not reported.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

impl Word for Unit {
    const WORDS: &'static [(&'static str, Self)] =
        &[("ms", Self::Milliseconds), ("s", Self::Seconds)];
}

impl Word for Temporality {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("AGGREGATION_TEMPORALITY_CUMULATIVE", Self::Cumulative),
        ("AGGREGATION_TEMPORALITY_DELTA", Self::Delta),
    ];
}

impl ConnectorSettings for Settings {
    fn gives(&self, signal: Signal) -> Option<Signal> {
        (signal == Signal::Traces).then_some(Signal::Metrics)
    }

    fn describe(&self) -> Vec<String> {
        let own = self.own;
        let shown = [
            own.service_name,
            own.span_name,
            own.span_kind,
            own.status_code,
            own.instance,
        ];
        let own = OWN.iter().zip(shown).filter(|(_, is_shown)| *is_shown);
        let own = own.map(|(name, _)| *name);
        let named = self.dimensions.iter().map(|dimension| &*dimension.name);
        let names: Vec<_> = own.chain(named).collect();
        let what = match self.meters.iter().any(Meter::has_durations) {
            true => "counts and times",
            false => "counts",
        };
        vec![format!(
            "{what} spans by {}, every {}",
            names.join(", "),
            humantime::format_duration(self.interval)
        )]
    }

    fn build(&self, _: &Id, instance: &str) -> Option<Arc<dyn Connector>> {
        Some(Arc::new(SpanMetrics::new(self.clone(), instance)))
    }
}

/// Reads a `span_metrics` connector.
pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredConnector> {
    let namespace = keys.or(
        "namespace",
        "traces.span.metrics".to_owned(),
        "names begin with it: `NAMESPACE.calls`, `NAMESPACE.duration`, `NAMESPACE.events`",
    );
    let mut lists = DimensionLists::default();
    let common = lists.read("dimensions", &OWN, keys);
    let calls = lists.read("calls_dimensions", &OWN, keys);
    let excluded: Texts = keys.get(
        "exclude_dimensions",
        "none",
        "of the dimensions that all series have: service.name, span.name, span.kind, status.code, collector.instance.id",
    );
    let histogram = keys.section("histogram", |keys| histogram(keys, &mut lists));
    let events = keys.section("events", |keys| events(keys, &mut lists));
    let resource_key: Texts = keys.get(
        "resource_metrics_key_attributes",
        "all",
        "resource attributes by which resources are told apart; with `service.name` alone, replicas of a service are one",
    );
    let most_resources = keys.or(
        "resource_metrics_cache_size",
        1000_u64,
        "resources that are kept; those whose spans came longest ago go first",
    );
    let temporality = keys.or(
        "aggregation_temporality",
        Temporality::Cumulative,
        "whether points count since their start, or since the point before",
    );
    let interval = keys.or(
        "metrics_flush_interval",
        Duration::from_secs(60),
        "how often metrics are made",
    );
    let resource_expiration = keys.or(
        "metrics_expiration",
        Duration::ZERO,
        "after this time without spans a resource's series end; `0s`: never",
    );
    let series_expiration = keys.or(
        "series_expiration",
        Duration::ZERO,
        "after this time without spans a series ends; `0s`: never",
    );
    let remembered = keys.or(
        "metric_timestamp_cache_size",
        1000_u64,
        "delta series that are remembered for the start of their next points",
    );
    let exemplars = keys.section("exemplars", |keys| {
        let enabled = keys.or("enabled", false, "points name some of their spans");
        let most = keys.or("max_per_data_point", 5_u64, "how many");
        if enabled.value {
            most.value.min(1000)
        } else {
            0
        }
    });
    let scopes: Texts = keys.get(
        "include_instrumentation_scope",
        "none",
        "scopes whose name and version are dimensions of their spans' series",
    );
    let most_series = keys.or(
        "aggregation_cardinality_limit",
        0_u64,
        "series of a resource and metric; spans of others are counted in one with `otel.metric.overflow`; `0`: no limit but memory",
    );
    let says_sampling = keys.or(
        "enable_metrics_sampling_method",
        false,
        "a dimension `sampling.method` says whether spans stand for others that samplers dropped",
    );
    keys.ignored(&["dimensions_cache_size", "add_resource_attributes"]);

    let cx = keys.reading();
    let own = own_dimensions(&excluded, keys);
    if interval.value < LEAST_INTERVAL {
        cx.error(interval.spot, "at least 10ms");
        return None;
    }
    if most_resources.value == 0 {
        cx.error(most_resources.spot, "at least 1");
        return None;
    }
    let given = |expiration: Setting<Duration>| {
        let given = Some(expiration.value);
        given.filter(|given| !given.is_zero())
    };
    Some(ConfiguredConnector {
        id: id.clone(),
        settings: Arc::new(Settings {
            namespace: namespace.value,
            meters: meters(&common, &calls, &histogram, events),
            dimensions: lists.all,
            own,
            unit: histogram.unit,
            buckets: histogram.buckets,
            resource_key: texts(&resource_key),
            most_resources: number(most_resources.value),
            temporality: temporality.value,
            interval: interval.value,
            resource_expiration: given(resource_expiration),
            series_expiration: given(series_expiration),
            most_exemplars: number(exemplars),
            scopes: texts(&scopes),
            most_series: Some(number(most_series.value)).filter(|most| *most > 0),
            most_remembered: number(remembered.value).max(1),
            says_sampling: says_sampling.value,
        }),
    })
}

type Texts = Field<Vec<Field<String>>>;

fn texts(field: &Texts) -> Vec<String> {
    let items = field.value.iter().flatten();
    items.filter_map(|item| item.value.clone()).collect()
}

fn number(given: u64) -> usize {
    usize::try_from(given).unwrap_or(usize::MAX)
}

fn own_dimensions(excluded: &Texts, keys: &KeyReader<'_>) -> OwnDimensions {
    let cx = keys.reading();
    for item in excluded.value.iter().flatten() {
        let name = item.value.as_deref().unwrap_or_default();
        if !OWN.contains(&name) {
            let message = format!("excludes nothing: expected some of {}", OWN.join(", "));
            cx.warn(item.spot, &message);
        }
    }
    let excluded = texts(excluded);
    let [service_name, span_name, span_kind, status_code, instance] =
        OWN.map(|name| !excluded.iter().any(|other| other == name));
    OwnDimensions {
        service_name,
        span_name,
        span_kind,
        status_code,
        instance,
    }
}

/// The dimensions of all lists, each once.
#[derive(Default)]
struct DimensionLists {
    all: Vec<Dimension>,
}

impl DimensionLists {
    /// Reads a list of dimensions, none of which may be in `taken`; their indices.
    fn read(&mut self, key: &'static str, taken: &[&str], keys: &mut KeyReader<'_>) -> Vec<usize> {
        let list = keys.sections(key, |keys| {
            let name: Field<String> = keys.get(
                "name",
                "required",
                "an attribute of spans, else of their resource",
            );
            let default: Field<String> =
                keys.get("default", "none", "its value where neither has it");
            let glob: Field<String> = keys.get(
                "glob",
                "none",
                "several attributes by a pattern: left out with a warning",
            );
            let cx = keys.reading();
            if glob.spot.is_some() && keys.is_used() {
                let message = "patterns are not served: series do not have these dimensions; give \
                               each by `name`";
                cx.warn(glob.spot, message);
            }
            let spot = name.spot.or(keys.spot());
            let name = name.trimmed().map(str::to_owned);
            if name.is_none() && glob.spot.is_none() {
                cx.error_at_key(spot, "a dimension needs a name", "");
            }
            Some((name?, default.value, spot))
        });
        let mut indices = Vec::new();
        for (name, default, spot) in list.value.into_iter().flatten().flatten() {
            let of = |index: &usize| &self.all[*index].name;
            if taken.contains(&&*name) || indices.iter().any(|index| *of(index) == name) {
                report_twice(&name, spot, keys);
                continue;
            }
            let dimension = Dimension { name, default };
            let known = self.all.iter().position(|known| *known == dimension);
            indices.push(known.unwrap_or_else(|| {
                self.all.push(dimension);
                self.all.len() - 1
            }));
        }
        indices
    }
}

fn report_twice(name: &str, spot: Option<Spot>, keys: &KeyReader<'_>) {
    let message = format!("series have the dimension {name} already");
    keys.reading().error_at_key(spot, &message, "");
}

/// `histogram`.
struct Histogram {
    is_disabled: bool,
    unit: Unit,
    buckets: Buckets,
    dimensions: Vec<usize>,
}

fn histogram(keys: &mut KeyReader<'_>, lists: &mut DimensionLists) -> Histogram {
    let is_disabled = keys.or("disable", false, "`true`: durations are not measured");
    let unit = keys.or("unit", Unit::Milliseconds, "of durations: `ms` or `s`");
    let explicit = keys.section("explicit", |keys| {
        let bounds: Field<Vec<Field<Duration>>> = keys.get(
            "buckets",
            "2ms, 4ms, 6ms, 8ms, 10ms, 50ms, 100ms, 200ms, 400ms, 800ms, 1s, 1.4s, 2s, 5s, 10s, 15s",
            "upper bounds of the buckets, each greater than the one before",
        );
        (keys.has_value().then_some(keys.spot()), bounds)
    });
    let exponential = keys.section("exponential", |keys| {
        let most = keys.or(
            "max_size",
            160_u64,
            "buckets of a series at most; they follow the values",
        );
        if !(2..=1024).contains(&most.value) {
            keys.reading().error(most.spot, "not between 2 and 1024");
        }
        keys.has_value().then_some(most.value as i32)
    });
    let dimensions = lists.read("dimensions", &OWN, keys);
    let cx = keys.reading();
    let (is_explicit, bounds) = explicit;
    if let (Some(spot), Some(_)) = (is_explicit, exponential) {
        let message = "buckets are explicit or exponential: write one of the two";
        cx.error_at_key(spot, message, "");
    }
    let bounds = match &bounds.value {
        Some(given) => {
            let given: Vec<_> = given.iter().filter_map(|bound| bound.value).collect();
            if !given.is_sorted_by(|a, b| a < b) {
                cx.error(
                    bounds.spot,
                    "each bound must be greater than the one before",
                );
            }
            given
        }
        None => MILLISECONDS.map(Duration::from_millis).to_vec(),
    };
    let in_unit = |bound: Duration| bound.as_nanos() as f64 / unit.value.nanoseconds();
    Histogram {
        is_disabled: is_disabled.value,
        unit: unit.value,
        buckets: match exponential {
            Some(most) => Buckets::Exponential(most),
            None => Buckets::Explicit(bounds.into_iter().map(in_unit).collect()),
        },
        dimensions,
    }
}

/// Reads `events`; None: they are not counted.
fn events(keys: &mut KeyReader<'_>, lists: &mut DimensionLists) -> Option<Vec<usize>> {
    let enabled = keys.or("enabled", false, "span events are counted, too");
    let dimensions = lists.read("dimensions", &OWN, keys);
    if enabled.value && dimensions.is_empty() {
        let message = "events need dimensions, such as {name: exception.type}";
        keys.reading().error_at_key(enabled.spot, message, "");
    }
    enabled.value.then_some(dimensions)
}

/// What is counted, with which dimensions.
fn meters(
    common: &[usize],
    calls: &[usize],
    histogram: &Histogram,
    events: Option<Vec<usize>>,
) -> Vec<Meter> {
    let meter = |counts, own: &[usize]| {
        let new = own.iter().filter(|index| !common.contains(index));
        Meter {
            counts,
            dimensions: common.iter().chain(new).copied().collect(),
        }
    };
    let mut meters = match histogram.is_disabled {
        true => vec![meter(Counted::Calls, calls)],
        false if calls == histogram.dimensions => vec![meter(Counted::Both, calls)],
        false => vec![
            meter(Counted::Calls, calls),
            meter(Counted::Durations, &histogram.dimensions),
        ],
    };
    meters.extend(events.map(|events| meter(Counted::Events, &events)));
    meters
}
