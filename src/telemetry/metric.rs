/*!
How a metric is declared: once, beside the counter that it shows.

A [`Metric`] has a name, a kind, a sentence that says what it is, and the names of its
labels. Counters are declared with the struct that keeps them, by `counters!`:
a field's doc line is the help text of its metric. In a name and its help the
word of the signal may be left open: `{items}` in a name is `spans`,
`metric_points` or `log_records`, and the words *Items* and *items* in the help
become what they are called in a sentence.
*/

use super::Count;
use crate::pdata::Signal;
use std::ops::Index;

/// Stands for the items of a signal in a metric's name.
const ITEMS: &str = "{items}";

/// The kinds of metrics that Prometheus knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// The declaration of a metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    name: &'static str,
    help: &'static str,
    pub(super) kind: MetricKind,
    pub(super) labels: &'static [&'static str],
    /// The bounds of a histogram's buckets.
    pub(super) buckets: &'static [f64],
    /// A gauge that OTLP calls a sum: of what came and went.
    pub(super) is_sum: bool,
    unit: &'static str,
    signal: Option<Signal>,
}

/// Whose metrics they are: in the Collector, each package of Go that has metrics is a scope.
const SCOPES: &[(&str, &str)] = &[
    (
        "otelcol_receiver_",
        "go.opentelemetry.io/collector/receiver/receiverhelper",
    ),
    (
        "otelcol_processor_batch_",
        "go.opentelemetry.io/collector/processor/batchprocessor",
    ),
    (
        "otelcol_processor_memory_limiter_",
        "go.opentelemetry.io/collector/processor/memorylimiterprocessor",
    ),
    (
        "otelcol_processor_filter_",
        "github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor",
    ),
    (
        "otelcol_processor_probabilistic_sampler_",
        "github.com/open-telemetry/opentelemetry-collector-contrib/processor/probabilisticsamplerprocessor",
    ),
    (
        "otelcol_otelsvc_k8s_",
        "github.com/open-telemetry/opentelemetry-collector-contrib/processor/k8sattributesprocessor",
    ),
    (
        "otelcol_k8s_",
        "github.com/open-telemetry/opentelemetry-collector-contrib/processor/k8sattributesprocessor",
    ),
    (
        "otelcol_processor_",
        "go.opentelemetry.io/collector/processor/processorhelper",
    ),
    (
        "otelcol_exporter_",
        "go.opentelemetry.io/collector/exporter/exporterhelper",
    ),
    (PROCESS, "go.opentelemetry.io/collector/service"),
];

/// What the names of the process's own figures begin with.
const PROCESS: &str = "otelcol_process_";

impl Metric {
    /// Declares a counter.
    pub(crate) const fn counter(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Self {
        Self::new(MetricKind::Counter, name, help, labels)
    }

    /// Declares a gauge.
    pub(crate) const fn gauge(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Self {
        Self::new(MetricKind::Gauge, name, help, labels)
    }

    /// Declares a histogram.
    pub(crate) const fn histogram(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        buckets: &'static [f64],
    ) -> Self {
        Self {
            buckets,
            ..Self::new(MetricKind::Histogram, name, help, labels)
        }
    }

    const fn new(
        kind: MetricKind,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            help,
            kind,
            labels,
            buckets: &[],
            is_sum: false,
            unit: "",
            signal: None,
        }
    }

    /// Returns the gauge as one that counts what came and went.
    #[must_use]
    pub(crate) const fn up_and_down(self) -> Self {
        Self {
            is_sum: true,
            ..self
        }
    }

    /// Returns the metric with a unit, in UCUM's letters, that its name does not say.
    #[must_use]
    pub(crate) const fn in_unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Returns the metric of one signal, where the name leaves that open.
    #[must_use]
    pub(crate) const fn of(self, signal: Signal) -> Self {
        Self {
            signal: Some(signal),
            ..self
        }
    }

    /// The name on the wire, without the suffix of a counter.
    pub(super) fn name(&self) -> String {
        match self.signal {
            Some(signal) => self.name.replace(ITEMS, signal.items()),
            None => self.name.to_owned(),
        }
    }

    /// Its unit in UCUM's letters: as declared, or as the name says.
    pub(super) fn unit(&self) -> &'static str {
        match self.signal.filter(|_| self.name.contains(ITEMS)) {
            Some(Signal::Traces) => "{span}",
            Some(Signal::Metrics) => "{datapoint}",
            Some(Signal::Logs) => "{record}",
            None if !self.unit.is_empty() => self.unit,
            None if self.name.ends_with("_bytes") => "By",
            None if self.name.ends_with("_seconds") => "s",
            None => "",
        }
    }

    /// The name of the scope that has it.
    pub(super) fn scope(&self) -> &'static str {
        let mut scopes = SCOPES.iter();
        let scope = scopes.find(|(begin, _)| self.name.starts_with(begin));
        scope.map_or("wayspan", |(_, scope)| *scope)
    }

    /// Returns true for what is read from the system when somebody asks, and was not counted.
    pub(super) fn is_of_process(&self) -> bool {
        self.name.starts_with(PROCESS)
    }

    /// What the metric is, in the words of its signal.
    pub(super) fn help(&self) -> String {
        let help = self.help.trim();
        let Some(signal) = self.signal.filter(|_| self.name.contains(ITEMS)) else {
            return help.to_owned();
        };
        let (upper, lower) = match signal {
            Signal::Traces => ("Spans", "spans"),
            Signal::Metrics => ("Data points", "data points"),
            Signal::Logs => ("Log records", "log records"),
        };
        help.replace("Items", upper).replace("items", lower)
    }
}

/// A struct of counters, each with its metric: see `counters!`.
pub(crate) trait Counters: Sized + 'static {
    /// The label names of all its metrics.
    const LABELS: &'static [&'static str];
    /// The counters, in the order of the fields.
    const COUNTERS: &'static [Counter<Self>];
}

/// One counter of a struct.
#[derive(Debug)]
pub(crate) struct Counter<S> {
    /// Its metric's name, perhaps with `{items}`.
    pub(crate) name: &'static str,
    /// What it counts.
    pub(crate) help: &'static str,
    /// A label that tells it from others of the same name: its name and value.
    pub(crate) label: &'static [(&'static str, &'static str)],
    /// Its unit, where the name does not say it.
    pub(crate) unit: &'static str,
    /// Finds it.
    pub(crate) read: fn(&S) -> &Count,
}

impl<S> Counter<S> {
    pub(super) const fn metric(&self, labels: &'static [&'static str]) -> Metric {
        Metric::counter(self.name, self.help, labels).in_unit(self.unit)
    }
}

/// Declares a struct of [`Count`]s together with the metrics that show them:
///
/// ```text
/// counters! {
///     /// Counters of one thing.
///     pub struct ThingStats ["thing"] {
///         /// Items that the thing took.
///         taken: "wayspan_thing_taken_{items}",
///         /// Times that it began anew.
///         begun: "wayspan_thing_begun" in "{time}",
///         /// Repairs, by what was repaired.
///         left: "wayspan_thing_repairs" {"side" = "left"},
///     } and {
///         /// A field that no metric shows.
///         since: Instant,
///     }
/// }
/// ```
macro_rules! counters {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident [$($label:literal),*] {
            $(
                $(#[doc = $help:literal])+
                $field:ident: $metric:literal $(in $unit:literal)? $({$key:literal = $value:literal})?,
            )+
        }
        $(and { $( $(#[doc = $other_help:literal])+ $other:ident: $kind:ty, )+ })?
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default)]
        $vis struct $name {
            $(
                $(#[doc = $help])+
                $vis $field: $crate::telemetry::Count,
            )+
            $($(
                $(#[doc = $other_help])+
                $vis $other: $kind,
            )+)?
        }

        impl $crate::telemetry::Counters for $name {
            const LABELS: &'static [&'static str] = &[$($label),*];
            const COUNTERS: &'static [$crate::telemetry::Counter<Self>] = &[$(
                $crate::telemetry::Counter {
                    name: $metric,
                    help: concat!($($help),+),
                    label: &[$(($key, $value))?],
                    unit: concat!($($unit)?),
                    read: |stats| &stats.$field,
                },
            )+];
        }
    };
}
pub(crate) use counters;

/// A value for each signal.
#[derive(Clone, Debug, Default)]
pub struct BySignal<T>([T; Signal::ALL.len()]);

impl<T> BySignal<T> {
    /// The value that `make` says for each.
    #[cfg(feature = "kafka")]
    pub(crate) fn of(make: impl FnMut(Signal) -> T) -> Self {
        Self(Signal::ALL.map(make))
    }
}

impl<T> Index<Signal> for BySignal<T> {
    type Output = T;

    fn index(&self, signal: Signal) -> &T {
        &self.0[signal as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_help_are_in_the_words_of_the_signal() {
        const METRIC: Metric =
            Metric::counter("x_accepted_{items}", " Items taken; all items.", &[]);
        let logs = METRIC.of(Signal::Logs);
        assert_eq!(logs.name(), "x_accepted_log_records");
        assert_eq!(logs.help(), "Log records taken; all log records.");
        assert_eq!(logs.unit(), "{record}");
        const PLAIN: Metric = Metric::counter("x_items", "Items.", &[]);
        let traces = PLAIN.of(Signal::Traces);
        assert_eq!(
            (traces.name(), traces.help()),
            ("x_items".into(), "Items.".into())
        );
    }
}
