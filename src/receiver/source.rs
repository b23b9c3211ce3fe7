/*!
Receivers that fetch what they receive, instead of listening for it.

A [`Source`] runs on each shard by itself, as a task on that shard's thread, and gives what it has
fetched to the pipelines there. It ends when it is told to, once it knows what became of what it gave.
*/

use crate::{
    config::Id,
    pipeline::{Ingest, LargeLane},
    telemetry::{ReceiverStats, Registry},
};
use std::{fmt, pin::Pin, rc::Rc, sync::Arc};
use tokio::sync::watch;

/// Fetches requests.
pub trait Source: fmt::Debug + Send + Sync {
    /// What it fetches by, as the label `transport` has it.
    fn transport(&self) -> &'static str;

    /// Registers what it counts besides what every receiver does; `id` is the receiver's.
    fn register(&self, registry: &Registry, id: &str);

    /// Fetches until told to stop, and then until what was taken is settled or some seconds have
    /// passed.
    fn run(self: Arc<Self>, fetching: Fetching) -> Pin<Box<dyn Future<Output = ()>>>;
}

/// What a source fetches for, on one shard.
#[cfg_attr(not(feature = "kafka"), expect(dead_code))]
pub struct Fetching {
    /// The receiver's id.
    pub(crate) id: Id,
    /// The number of the shard.
    pub(crate) shard: usize,
    /// Where requests go.
    pub(crate) ingest: Rc<dyn Ingest>,
    /// Where requests are read that are too long for one turn.
    pub(crate) lane: LargeLane,
    /// The shard's counters.
    pub(crate) stats: ReceiverStats,
    /// Turns true when it is to end.
    pub(crate) stop: watch::Receiver<bool>,
}

#[cfg(feature = "kafka")]
impl Fetching {
    /// Waits until it is to end. Cancel safe.
    pub(crate) async fn stopped(&self) {
        // Whoever could say so is gone: then it is to end, too.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }
}
