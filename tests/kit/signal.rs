//! The three signals of OTLP: where their requests go and what is in them.

use crate::wire;

/// Where spans are sent over gRPC.
pub const EXPORT: &str = Signal::Traces.grpc_path();

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    pub const fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    pub const fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// The signal whose requests go to this path, over gRPC or over HTTP.
    pub fn of_path(path: &str) -> Option<Self> {
        let is_its = |signal: &Self| path == signal.grpc_path() || path == signal.http_path();
        Self::ALL.into_iter().find(is_its)
    }

    /// Its items, as the names of metrics end: `spans`.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metric_points",
            Self::Logs => "log_records",
        }
    }

    /// As pipelines are called: `traces`.
    pub const fn pipeline(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// The payloads of a request's spans, metrics or log records. All signals
    /// nest them alike: a resource's part has number 1, a scope's part 2, and
    /// the item 2.
    pub fn items(request: &[u8]) -> impl Iterator<Item = &[u8]> {
        wire::inside(request, 1)
            .flat_map(|resource| wire::inside(resource, 2))
            .flat_map(|scope| wire::inside(scope, 2))
    }

    /// The trace id that an item carries: a metric has it in an exemplar of a
    /// gauge.
    pub fn trace_id(self, item: &[u8]) -> &[u8] {
        self.id(item, [1, 9, 5])
    }

    /// The span id that an item carries.
    pub fn span_id(self, item: &[u8]) -> &[u8] {
        self.id(item, [2, 10, 4])
    }

    /// The field of this number in a span, a log record or an exemplar.
    fn id(self, item: &[u8], [in_span, in_record, in_exemplar]: [u32; 3]) -> &[u8] {
        let found = match self {
            Self::Traces => wire::inside(item, in_span).next(),
            Self::Logs => wire::inside(item, in_record).next(),
            Self::Metrics => wire::inside(item, 5)
                .flat_map(|gauge| wire::inside(gauge, 1))
                .flat_map(|point| wire::inside(point, 5))
                .find_map(|exemplar| wire::inside(exemplar, in_exemplar).next()),
        };
        found.unwrap_or_default()
    }
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// OTLP/gRPC
    Grpc,
    /// OTLP/HTTP with protobuf, HTTP/1.1
    Http,
}

impl Protocol {
    /// Where requests with this signal go.
    pub const fn path(self, signal: Signal) -> &'static str {
        match self {
            Self::Grpc => signal.grpc_path(),
            Self::Http => signal.http_path(),
        }
    }
}
