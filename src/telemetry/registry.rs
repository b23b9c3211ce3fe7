/*!
The table behind wayspan's own metrics: every series, and where its value comes from.

Series are registered when the service is built, so that all of them are there
from the first scrape with the value zero: an alert on `rate()` misses the
first loss if the series appears only with it. Values are read when somebody
scrapes or a push is due, into a [`Snapshot`].
*/

use super::{
    Count, Counters, Metric, MetricKind,
    histogram::Buckets,
    snapshot::{Labels, Number, Snapshot, Value},
};
use crate::pdata::Signal;
use metrics::Histogram;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

enum Source {
    Counts(Vec<Count>),
    Number(Box<dyn Fn() -> Number + Send>),
    Histogram(Arc<Buckets>),
}

/// All series of one service.
#[derive(Default)]
pub struct Registry {
    sources: Mutex<BTreeMap<(String, Labels), (Metric, Source)>>,
    before: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
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
            let counts = stats.clone().into_iter();
            let counts = counts.map(|stats| (declared.read)(stats).clone());
            let key = key(&metric, labels, declared.label);
            let mut sources = self.sources();
            match sources.get_mut(&key) {
                Some((_, Source::Counts(all))) => all.extend(counts),
                _ => drop(sources.insert(key, (metric, Source::Counts(counts.collect())))),
            }
        }
    }

    /// Registers a counter read by `read`, with the values of its labels.
    pub(crate) fn counter<N: Into<Number>>(
        &self,
        metric: &Metric,
        labels: &[&str],
        read: impl Fn() -> N + Send + 'static,
    ) {
        debug_assert_eq!(metric.kind, MetricKind::Counter, "{metric:?}");
        self.number(metric, labels, read);
    }

    /// Registers a gauge read by `read`, with the values of its labels.
    pub(crate) fn gauge<N: Into<Number>>(
        &self,
        metric: &Metric,
        labels: &[&str],
        read: impl Fn() -> N + Send + 'static,
    ) {
        debug_assert_eq!(metric.kind, MetricKind::Gauge, "{metric:?}");
        self.number(metric, labels, read);
    }

    fn number<N: Into<Number>>(
        &self,
        metric: &Metric,
        labels: &[&str],
        read: impl Fn() -> N + Send + 'static,
    ) {
        let source = Source::Number(Box::new(move || read().into()));
        let key = key(metric, labels, &[]);
        self.sources().insert(key, (*metric, source));
    }

    /// Registers a histogram with the values of its labels; the caller records
    /// into it. Registered again with the same labels, it is the same one.
    pub(crate) fn histogram(&self, metric: &Metric, labels: &[&str]) -> Histogram {
        debug_assert_eq!(metric.kind, MetricKind::Histogram, "{metric:?}");
        let key = key(metric, labels, &[]);
        let mut sources = self.sources();
        if let Some((_, Source::Histogram(known))) = sources.get(&key) {
            return Histogram::from_arc(Arc::clone(known));
        }
        let new = Arc::new(Buckets::new(metric.buckets));
        sources.insert(key, (*metric, Source::Histogram(Arc::clone(&new))));
        Histogram::from_arc(new)
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<(String, Labels), (Metric, Source)>> {
        // A poisoned lock only means that a scrape panicked: the map is whole.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds all series to `snapshot`, read now.
    pub(crate) fn read(&self, snapshot: &mut Snapshot) {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.iter().for_each(|prepare| prepare());
        for ((_, labels), (metric, source)) in self.sources().iter() {
            let value = match source {
                Source::Counts(counts) => {
                    Value::Number(Number::Int(counts.iter().map(Count::get).sum()))
                }
                Source::Number(read) => Value::Number(read()),
                Source::Histogram(histogram) => Value::Distribution(histogram.read()),
            };
            snapshot.add(*metric, labels.clone(), value);
        }
    }

    /// The page of this registry alone, as it is by default.
    #[cfg(test)]
    pub(crate) fn render(&self) -> String {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot);
        super::page::write(&snapshot, &super::Resource::default(), &Default::default())
    }
}

fn key(
    metric: &Metric,
    values: &[&str],
    more: &[(&'static str, &'static str)],
) -> (String, Labels) {
    debug_assert_eq!(metric.labels.len(), values.len(), "{metric:?}");
    let declared = metric.labels.iter().zip(values);
    let declared = declared.map(|(name, value)| (*name, (*value).to_owned()));
    let more = more
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    (metric.name(), declared.chain(more).collect())
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
        let registry = Registry::default();
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
        let registry = Registry::default();
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
    fn batch_sizes_have_the_collectors_buckets() {
        let registry = Registry::default();
        for size in [60.0, 70.0] {
            registry
                .histogram(&BATCH_SEND_SIZE, &["batch"])
                .record(size);
        }
        let text = registry.render();
        for line in [
            r#"batch_send_size_bucket{processor="batch",le="50"} 0"#,
            r#"batch_send_size_bucket{processor="batch",le="75"} 2"#,
            r#"batch_send_size_bucket{processor="batch",le="+Inf"} 2"#,
            r#"batch_send_size_sum{processor="batch"} 130"#,
            r#"batch_send_size_count{processor="batch"} 2"#,
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
