/*!
The table behind `/metrics`: every series, where its value comes from, and its
name in the Collector's words.

Series are registered when the service is built, so that all of them are there
from the first scrape with the value zero: an alert on `rate()` misses the
first loss if the series appears only with it. Values are read when somebody
scrapes; nothing is pushed.
*/

use super::{Count, Counters, Metric, MetricKind};
use crate::pdata::Signal;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

enum Source {
    Counts(Counter, Vec<Count>),
    Counter(Counter, Box<dyn Fn() -> u64 + Send>),
    Gauge(Gauge, Box<dyn Fn() -> f64 + Send>),
}

/// All series of one service.
pub struct Registry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    type_suffix: bool,
    sources: Mutex<HashMap<Key, Source>>,
    before: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

const METADATA: Metadata<'static> =
    Metadata::new("wayspan", metrics::Level::INFO, Some(module_path!()));

/// The Collector's buckets for batch sizes in items.
const ITEM_BUCKETS: [f64; 24] = [
    10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1e3, 2e3, 3e3, 4e3, 5e3, 6e3, 7e3, 8e3,
    9e3, 1e4, 2e4, 3e4, 5e4, 1e5, 2e5, 5e5,
];

impl Registry {
    /// An empty registry. With `type_suffix`, counters end in `_total`, as the
    /// Collector's do with `without_type_suffix: false`.
    pub fn new(type_suffix: bool) -> Self {
        let byte_buckets: Vec<f64> = (7..=22).map(|exp| f64::from(1u32 << exp)).collect();
        let builder = PrometheusBuilder::new();
        // Both bucket lists are constants and not empty, the only error there is.
        let builder = match builder
            .set_buckets_for_metric(Matcher::Suffix("_send_size".into()), &ITEM_BUCKETS)
            .and_then(|b| {
                b.set_buckets_for_metric(Matcher::Suffix("_size_bytes".into()), &byte_buckets)
            }) {
            Ok(builder) => builder,
            Err(_) => PrometheusBuilder::new(),
        };
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        Self {
            recorder,
            handle,
            type_suffix,
            sources: Mutex::default(),
            before: Mutex::default(),
        }
    }

    /// Runs `prepare` before series are read, so that several can be of one
    /// moment.
    pub(crate) fn before(&self, prepare: impl Fn() + Send + 'static) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.push(Box::new(prepare));
    }

    /// Registers every counter of `stats`, each as the sum over all of them,
    /// with the values of the labels that their struct names. Registered again
    /// with the same labels (two pipelines may share a processor's id), a
    /// counter is the sum of both.
    pub(crate) fn counters<'s, C: Counters>(
        &self,
        labels: &[&str],
        stats: impl IntoIterator<Item = &'s C> + Clone,
    ) {
        self.all_counters(None, labels, stats);
    }

    /// As [`Registry::counters`], where the names leave the signal open.
    pub(crate) fn counters_of<'s, C: Counters>(
        &self,
        signal: Signal,
        labels: &[&str],
        stats: impl IntoIterator<Item = &'s C> + Clone,
    ) {
        self.all_counters(Some(signal), labels, stats);
    }

    fn all_counters<'s, C: Counters>(
        &self,
        signal: Option<Signal>,
        labels: &[&str],
        stats: impl IntoIterator<Item = &'s C> + Clone,
    ) {
        for declared in C::COUNTERS {
            let metric = declared.metric(C::LABELS);
            let metric = signal.map_or(metric, |signal| metric.of(signal));
            let labels = labelled(&metric, labels, declared.label);
            let (key, counter) = self.new_counter(&metric, labels);
            let counts = stats.clone().into_iter();
            let counts = counts.map(|stats| (declared.read)(stats).clone());
            let mut sources = self.sources();
            match sources.get_mut(&key) {
                Some(Source::Counts(_, all)) => all.extend(counts),
                _ => drop(sources.insert(key, Source::Counts(counter, counts.collect()))),
            }
        }
    }

    /// Registers a counter read by `read`, with the values of its labels.
    pub(crate) fn counter(
        &self,
        metric: &Metric,
        labels: &[&str],
        read: impl Fn() -> u64 + Send + 'static,
    ) {
        debug_assert_eq!(metric.kind, MetricKind::Counter, "{metric:?}");
        let (key, counter) = self.new_counter(metric, labelled(metric, labels, &[]));
        self.sources()
            .insert(key, Source::Counter(counter, Box::new(read)));
    }

    fn new_counter(&self, metric: &Metric, labels: Vec<Label>) -> (Key, Counter) {
        let suffix = if self.type_suffix { "_total" } else { "" };
        let name = format!("{}{suffix}", metric.name());
        self.recorder
            .describe_counter(KeyName::from(name.clone()), None, help(metric));
        let key = Key::from_parts(name, labels);
        let counter = self.recorder.register_counter(&key, &METADATA);
        (key, counter)
    }

    /// Registers a gauge read by `read`, with the values of its labels.
    pub(crate) fn gauge(
        &self,
        metric: &Metric,
        labels: &[&str],
        read: impl Fn() -> f64 + Send + 'static,
    ) {
        debug_assert_eq!(metric.kind, MetricKind::Gauge, "{metric:?}");
        let name = metric.name();
        self.recorder
            .describe_gauge(KeyName::from(name.clone()), None, help(metric));
        let key = Key::from_parts(name, labelled(metric, labels, &[]));
        let gauge = self.recorder.register_gauge(&key, &METADATA);
        self.sources()
            .insert(key, Source::Gauge(gauge, Box::new(read)));
    }

    /// Registers a histogram with the values of its labels; the caller records
    /// into it.
    pub(crate) fn histogram(&self, metric: &Metric, labels: &[&str]) -> Histogram {
        debug_assert_eq!(metric.kind, MetricKind::Histogram, "{metric:?}");
        let name = metric.name();
        self.recorder
            .describe_histogram(KeyName::from(name.clone()), None, help(metric));
        let key = Key::from_parts(name, labelled(metric, labels, &[]));
        self.recorder.register_histogram(&key, &METADATA)
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<Key, Source>> {
        // A poisoned lock only means that a scrape panicked: the map is whole.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Prometheus text format, read now.
    pub(crate) fn render(&self) -> String {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.iter().for_each(|prepare| prepare());
        for source in self.sources().values() {
            match source {
                Source::Counts(counter, counts) => {
                    counter.absolute(counts.iter().map(Count::get).sum());
                }
                Source::Counter(counter, read) => counter.absolute(read()),
                Source::Gauge(gauge, read) => gauge.set(read()),
            }
        }
        self.handle.run_upkeep();
        self.handle.render()
    }
}

fn labelled(metric: &Metric, values: &[&str], more: &[(&'static str, &'static str)]) -> Vec<Label> {
    debug_assert_eq!(metric.labels.len(), values.len(), "{metric:?}");
    let declared = metric.labels.iter().zip(values);
    let declared = declared.map(|(name, value)| Label::new(*name, (*value).to_owned()));
    let more = more.iter().map(|(name, value)| Label::new(*name, *value));
    declared.chain(more).collect()
}

fn help(metric: &Metric) -> SharedString {
    SharedString::from(metric.help())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{
        BATCH_SEND_SIZE,
        stats::{LimiterStats, ReceivedItems},
    };

    #[test]
    fn series_are_there_from_the_start_and_follow_their_counts() {
        let registry = Registry::new(false);
        let stats = [ReceivedItems::default(), ReceivedItems::default()];
        registry.counters_of(Signal::Traces, &["otlp", "grpc"], &stats);
        let series = r#"otelcol_receiver_accepted_spans{receiver="otlp",transport="grpc"}"#;
        assert!(
            registry.render().contains(&format!("{series} 0")),
            "{}",
            registry.render()
        );
        stats[0].accepted.add(2);
        stats[1].accepted.add(3);
        assert!(registry.render().contains(&format!("{series} 5")));
    }

    #[test]
    fn the_same_series_registered_twice_is_one_sum() {
        let registry = Registry::new(false);
        let stats = [LimiterStats::default(), LimiterStats::default()];
        for stats in &stats {
            registry.counters_of(Signal::Logs, &["a"], [stats]);
            stats.refused.add(2);
        }
        let text = registry.render();
        assert!(
            text.contains(r#"memory_limiter_refused_log_records{processor="a"} 4"#),
            "{text}"
        );
    }

    #[test]
    fn the_type_suffix_is_for_counters_alone() {
        let registry = Registry::new(true);
        registry.counter(&Metric::counter("a", "A.", &[]), &[], || 1);
        registry.gauge(&Metric::gauge("b", "B.", &[]), &[], || 1.5);
        let text = registry.render();
        assert!(
            text.contains("a_total 1") && text.contains("b 1.5"),
            "{text}"
        );
    }

    #[test]
    fn batch_sizes_have_the_collectors_buckets() {
        let registry = Registry::new(false);
        let sizes = registry.histogram(&BATCH_SEND_SIZE, &["batch"]);
        sizes.record(60.0);
        let text = registry.render();
        assert!(
            text.contains(r#"batch_send_size_bucket{processor="batch",le="50"} 0"#),
            "{text}"
        );
        assert!(
            text.contains(r#"batch_send_size_bucket{processor="batch",le="75"} 1"#),
            "{text}"
        );
    }
}
