/*!
The engine: the way of a request from its bytes to a sealed batch, and on to the
queue of each exporter.

Top down, a request passes:

1. [`inlet`], behind an [`Intake`] that stays when the configuration is read again: into which pipelines a listener's requests go;
2. [`shard`]: the pipelines of one thread, their clock, and what follows a panic;
3. [`engine`]: validate, run the processors, append to the open batch;
4. [`outlet`]: where a sealed batch goes: segment log, queues, or a short wait.

A request that is too long for one turn is read on a thread of its own and comes
back to be appended in pieces: [`large`], [`preparation`].

Everything up to the outlet belongs to one thread and is never locked. What
crosses threads is a [`SealedBatch`].

Receivers see [`Ingest`], processors implement [`Processor`], exporters take
[`QueuedBatch`]es from a [`crate::queue::Queue`]; a `Connector` sees what one pipeline lets out and
makes requests for another. The rest is for `service`, which
builds a graph of pipelines and runs it.
*/

pub mod account;
pub(crate) mod account_metrics;
pub mod batch;
mod commit;
mod connector;
pub mod engine;
mod followers;
mod forecast;
mod framing;
pub mod gather;
pub(crate) mod graph;
mod graph_settings;
mod group_counts;
mod ingest;
pub mod inlet;
mod intake;
mod large;
mod log_cursor;
mod observers;
pub(crate) mod outlet;
mod pipeline_log;
mod preparation;
mod processor;
mod recorder;
mod recovery;
mod refusal;
mod resources;
mod result;
mod rewriter;
mod route;
mod sealed;
mod settings;
mod shard;
mod shard_plan;
mod stages;
pub(crate) mod tap;

pub use account::Account;
pub(crate) use account::{Balance, DropReason};
pub(crate) use connector::{Connector, ConnectorNode, Observer};
pub(crate) use followers::Followers;
pub use graph::Graph;
pub(crate) use graph::{ExporterNode, NamedRoute, PipelineNode};
pub(crate) use graph_settings::{GraphSettings, PipelineSettings, QueueSettings};
pub use group_counts::HeaderBytes;
pub use ingest::{Generation, Ingest, NotTaken, Taken};
pub(crate) use ingest::{Taking, Ticket};
pub(crate) use intake::Intake;
pub(crate) use large::{LargeLane, Reading};
pub(crate) use log_cursor::LogCursor;
pub(crate) use observers::PUBLISH_AFTER;
pub(crate) use pipeline_log::{NewLog, OpenLogError, PipelineLog};
pub use preparation::{Preparation, PreparedRequest};
pub(crate) use processor::{Converted, Converter};
pub use processor::{Decision, Processor, ProcessorFactory, ProcessorInstance, Span};
pub use refusal::Refusal;
pub(crate) use refusal::RefusalKind;
pub(crate) use resources::{DenseId, ResourceId, ScopeId};
pub use resources::{Resources, Scopes};
pub(crate) use result::Undelivered;
pub(crate) use result::Waiter;
pub use result::{AwaitedResult, BatchResult};
pub use rewriter::{IndexedRequest, RewriteError, Rewriter, Rewritten};
pub use route::{Logged, Offer, QueuedBatch, Route};
pub(crate) use sealed::LogPosition;
pub use sealed::SealedBatch;
pub use settings::{BatchSettings, QueueBatch};
pub use shard::Shard;
pub use shard_plan::ShardPlan;
pub(crate) use tap::{PassedSpan, SpanMeaning, SpanReader, Tap};
