/*!
What wayspan says about itself: counters, Prometheus text, logs.

Counting must not cost what it counts. A [`Count`] has one writer, so adding is
a plain load and store; every shard has its own, and they are summed when
somebody scrapes ([`registry`]). Metric names are the Collector's.
*/

pub mod http;
mod load;
pub mod logs;
pub mod process;
pub mod registry;
mod stats;

pub use load::ShardLoad;
pub use registry::Registry;
pub use stats::{
    Count, ExporterStats, MeshStats, Outage, PipelineStats, ProcessorStats, ReceiverStats,
};
