/*!
What wayspan says about itself: counters, metrics, logs.

Counting must not cost what it counts. A [`Count`] has one writer, so adding is
a plain load and store; every shard has its own, and they are summed when
they are read ([`Registry`]). What is read is a [`Snapshot`], of which [`page`] makes
Prometheus' text and [`points`] OTLP. A counter and the metric that shows it are
declared in one place ([`Metric`]). Metric names are the Collector's; what it has
no name for begins with `wayspan_`.
*/

pub(crate) mod config;
mod count;
mod health;
mod histogram;
pub(crate) mod http;
mod limited_peers;
mod load;
pub(crate) mod logs;
mod metric;
pub(crate) mod page;
mod points;
pub(crate) mod process;
mod pulse;
mod refused;
mod registry;
mod resource;
mod settings;
mod snapshot;
mod stats;

pub use count::Count;
pub(crate) use count::Tally;
pub(crate) use health::Health;
pub(crate) use limited_peers::{LimitedPeer, LimitedPeers};
pub use load::ShardLoad;
pub(crate) use metric::{BySignal, Counter, Counters, Metric, MetricKind, counters};
pub use page::{Selection, Style};
pub(crate) use points::{PointWriter, TemporalityPreference};
pub(crate) use pulse::Pulse;
pub(crate) use refused::{AcceptStats, EndedConnections, RefusedRequests};
pub use registry::Registry;
pub use resource::{Resource, ResourceValue};
pub use settings::LogLevel;
pub(crate) use settings::Telemetry;
pub(crate) use snapshot::Snapshot;
pub(crate) use stats::{
    BATCH_SEND_SIZE, BATCH_SEND_SIZE_BYTES, BYTE_BUCKETS, ExportedItems, ITEM_BUCKETS, Outage,
    PipelineStats, ProcessorItems, ProcessorStats,
};
pub use stats::{ExporterStats, ReceiverStats};
