/*!
The pipelines of one generation of the configuration on one shard, while they run.

They end once nothing comes into them any more and all that they have is on its way.
*/

use super::fetched::Fetched;
use crate::{
    pipeline::{Intake, Shard, ShardPlan, Waiter, gather::Gather, inlet::Inlet},
    receiver::Endpoint,
    telemetry::{ReceiverStats, ShardLoad},
    threads::die,
};
use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinHandle, time};

/// How long connections may take, when the process or their listener ends, to finish
/// what they are sending.
pub(super) const CONNECTION_GRACE: Duration = Duration::from_secs(5);

/// How often pipelines that are to end are asked whether something comes into them.
const USE_CHECK: Duration = Duration::from_millis(10);

/// A listener whose connections are served.
pub(super) struct Served {
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) intake: Rc<Intake>,
    /// Its connections finish when this turns true.
    pub(super) stop: watch::Sender<bool>,
}

/// Pipelines that run.
pub(super) struct Running {
    plan: Rc<ShardPlan>,
    pub(super) shard: Rc<Shard>,
    inlets: Vec<Rc<Inlet>>,
    /// Seals batches as they come of age. Polled where the shard waits and not as a task
    /// of its own: if it panicked there, batches would stay open and nobody would know.
    pub(super) clock: Pin<Box<dyn Future<Output = ()>>>,
    /// A task of its own, since only those wait for a whole turn.
    pub(super) committer: JoinHandle<()>,
}

impl Running {
    /// Builds what `plan` describes, on this thread.
    pub(super) fn new(plan: ShardPlan, gather: &Arc<Gather>) -> Self {
        let plan = Rc::new(plan);
        let shard = plan.build(Arc::clone(gather));
        let (timed, committed) = (Rc::clone(&shard), Rc::clone(&shard));
        Self {
            plan,
            shard,
            inlets: Vec::new(),
            clock: Box::pin(async move { timed.keep_time().await }),
            committer: tokio::task::spawn_local(async move { committed.commit().await }),
        }
    }

    /// The way of a receiver into them, whose requests `waiter` waits for.
    pub(super) fn inlet(
        &mut self,
        receiver: usize,
        waiter: Waiter,
        stats: &ReceiverStats,
        load: &ShardLoad,
    ) -> Rc<Inlet> {
        let (stats, load) = (stats.clone(), load.clone());
        let inlet = self.plan.inlet(&self.shard, Some(receiver), stats, load);
        let inlet = Rc::new(inlet.waited_for_by(waiter));
        self.inlets.push(Rc::clone(&inlet));
        inlet
    }

    /// Ends once the connections of these listeners and these sources have, and nothing else
    /// comes in.
    pub(super) async fn end(
        self,
        listeners: Vec<Served>,
        sources: Vec<Fetched>,
        load: &ShardLoad,
        deadline: &watch::Receiver<Option<Instant>>,
    ) {
        let Self {
            plan,
            shard,
            inlets,
            mut clock,
            mut committer,
        } = self;
        let ending = async {
            Fetched::end_all(sources).await;
            let cut_off = Instant::now() + CONNECTION_GRACE;
            let is_connected = |served: &Served| Rc::strong_count(&served.endpoint) > 1;
            while listeners.iter().any(is_connected) && Instant::now() < cut_off {
                time::sleep(USE_CHECK).await;
            }
            for served in &listeners {
                // Whoever still sends is refused from now on.
                let stats = served.endpoint.stats.clone();
                let nowhere = plan.inlet(&shard, None, stats, load.clone());
                served.intake.replace(Rc::new(nowhere));
            }
            while inlets.iter().any(|inlet| inlet.is_used()) {
                time::sleep(USE_CHECK).await;
            }
            shard.retire(deadline).await;
        };
        tokio::select! {
            () = ending => {}
            () = &mut clock => {}
            Err(ended) = &mut committer => die(ended),
        }
        committer.abort();
    }
}
