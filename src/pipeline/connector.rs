/*!
What a connector is that makes requests of what it sees, such as metrics of spans.

Each pipeline that feeds it has an [`Observer`] on each thread, which sees the items as they
go out and belongs to that thread: it gathers without a lock, and publishes what it has
about once a second. The [`Connector`] itself is what those share. One thread asks it at intervals
for requests, which go into the pipelines that take from it.

Items that processors add beside a span, such as markers, are not observed, unless a rewriter stands
behind them, which does not know them from others.
*/

use super::{ResourceId, Resources, ScopeId, Scopes};
use crate::{config::Id, pdata::Signal, telemetry::Registry};
use std::{fmt::Debug, sync::Arc, time::Duration};

/// One configured connector.
pub(crate) trait Connector: Debug + Send + Sync {
    /// Makes what observes the items of a pipeline of `signal` on one thread.
    fn observer(&self, signal: Signal) -> Box<dyn Observer>;

    /// Returns how often it is asked for requests.
    fn interval(&self) -> Duration;

    /// Takes in what observers have published, about once a second.
    fn absorb(&self);

    /// Gives `each` the requests for what was taken in so far. A request is short enough for one
    /// turn of a shard. `is_last`: it is not asked again.
    fn collect(&self, is_last: bool, each: &mut dyn FnMut(Signal, Vec<u8>));

    /// Registers what it counts; `id` is the connector's.
    fn register(&self, registry: &Registry, id: &str);
}

/// What sees the items of one pipeline on one thread.
pub(crate) trait Observer {
    /// The items that follow are of this resource and scope.
    fn enter(&mut self, group: (ResourceId, ScopeId), tables: (&Resources, &Scopes));

    /// Sees an item as it goes out, with the edits of all processors: its payload.
    fn observe(&mut self, item: &[u8]);

    /// Publishes what was gathered since the last time. Returns false if it was not taken, and
    /// is to be published later.
    fn publish(&mut self) -> bool;

    /// Forgets every memo that holds an id: the tables were emptied.
    fn forget(&mut self);
}

/// A connector and what the configuration calls it.
#[derive(Clone, Debug)]
pub(crate) struct ConnectorNode {
    /// Its id.
    pub(crate) id: Id,
    /// Its index in the configuration, by which pipelines name it.
    pub(crate) index: usize,
    /// The connector.
    pub(crate) connector: Arc<dyn Connector>,
}
