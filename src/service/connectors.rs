/*!
The thread of the connectors: it asks them for requests and gives those to the pipelines that
take from them.

It has its share of every pipeline, as a shard has, and no connections. Where a pipeline has no
room, the thread waits, and asks for no more until it has: what the connectors gather meanwhile
is bounded by themselves.
*/

use crate::{
    pdata::Signal,
    pipeline::{
        ConnectorNode, Graph, Ingest, NotTaken, PUBLISH_AFTER, Shard, ShardPlan, gather::Gather,
        inlet::Inlet,
    },
    telemetry::Health,
    threads::{Thread, ThreadError, die, on_runtime},
};
use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr},
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, task, time};

/// How often a request that found no room is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Who is said to have sent what connectors make.
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How the thread is told to end: with what says when undelivered items are given up.
type End = watch::Receiver<Option<Instant>>;

/// The running connectors of a generation; by default none.
#[derive(Default)]
pub(super) struct RunningConnectors(Option<(watch::Sender<Option<End>>, Thread<()>)>);

impl RunningConnectors {
    /// Starts the thread, where the graph has connectors that need one.
    ///
    /// # Errors
    ///
    /// When the system refuses it.
    pub(super) fn start(graph: &Graph, health: &Health) -> Result<Self, ThreadError> {
        if graph.connectors.is_empty() {
            return Ok(Self::default());
        }
        let (end, ends) = watch::channel(None);
        let (plan, nodes) = (graph.last_plan(), graph.connectors.clone());
        let run = move || run(plan, nodes, ends);
        let thread = on_runtime("connectors", health.clone(), |_| {}, run)?;
        Ok(Self(Some((end, thread))))
    }

    /// Lets the connectors make their last requests, gives those to the exporters' queues, and
    /// waits for that. For when nothing comes into the pipelines that feed them any more.
    pub(super) fn end(self, deadline: End) {
        if let Some((end, thread)) = self.0 {
            end.send_replace(Some(deadline));
            let _ = thread.join();
        }
    }
}

/// A connector, its way into the pipelines, and when it is asked next.
struct Connected {
    node: ConnectorNode,
    inlet: Inlet,
    due: Instant,
}

/// What the thread works on.
struct Connecting {
    connectors: Vec<Connected>,
    /// Requests that are to be given, each with the number of its connector.
    made: VecDeque<(usize, Signal, Vec<u8>)>,
}

async fn run(plan: ShardPlan, nodes: Vec<ConnectorNode>, mut ends: watch::Receiver<Option<End>>) {
    let plan = Rc::new(plan);
    let shard = plan.build(Gather::new(Duration::ZERO));
    let mut connecting = Connecting::new(&plan, &shard, nodes);
    let (timed, committed) = (Rc::clone(&shard), Rc::clone(&shard));
    let mut clock = pin!(async move { timed.keep_time().await });
    let mut committer = task::spawn_local(async move { committed.commit().await });
    let deadline = loop {
        tokio::select! {
            () = connecting.step() => {}
            () = &mut clock => {}
            Err(ended) = &mut committer => die(ended),
            ended = ends.wait_for(Option::is_some) => match ended {
                Ok(end) => break end.clone(),
                Err(_) => return,
            },
        }
    };
    let Some(deadline) = deadline else {
        return;
    };
    tokio::select! {
        () = connecting.finish(&shard, &deadline) => {}
        () = &mut clock => {}
        Err(ended) = &mut committer => die(ended),
    }
    shard.flush(&deadline).await;
    committer.abort();
}

impl Connecting {
    fn new(plan: &Rc<ShardPlan>, shard: &Rc<Shard>, nodes: Vec<ConnectorNode>) -> Self {
        let connected = |node: ConnectorNode| Connected {
            inlet: plan.connector_inlet(shard, node.index),
            due: Instant::now() + node.connector.interval(),
            node,
        };
        Self {
            connectors: nodes.into_iter().map(connected).collect(),
            made: VecDeque::new(),
        }
    }

    /// Waits until something is to be done, and does it. Cancel safe: what was made stays.
    async fn step(&mut self) {
        if !self.made.is_empty() {
            if !self.give() {
                time::sleep(RETRY).await;
            }
            return self.absorb();
        }
        let dues = self.connectors.iter().map(|connected| connected.due);
        let look = Instant::now() + PUBLISH_AFTER;
        let next = dues.min().map_or(look, |due| due.min(look));
        time::sleep_until(next.into()).await;
        self.absorb();
        let now = Instant::now();
        for at in 0..self.connectors.len() {
            if self.connectors[at].due <= now {
                self.connectors[at].due = now + self.connectors[at].node.connector.interval();
                self.collect(at, false);
            }
        }
    }

    /// Makes the last requests and gives them, in the order of the file, until the deadline.
    async fn finish(&mut self, shard: &Shard, deadline: &End) {
        for at in 0..self.connectors.len() {
            self.absorb();
            self.collect(at, true);
            while !self.give() {
                let is_over = deadline.borrow().is_some_and(|end| end <= Instant::now());
                if is_over {
                    return;
                }
                time::sleep(RETRY).await;
            }
            // What it was given may feed another.
            shard.publish();
        }
    }

    fn absorb(&self) {
        for connected in &self.connectors {
            connected.node.connector.absorb();
        }
    }

    fn collect(&mut self, at: usize, is_last: bool) {
        let (made, connector) = (&mut self.made, &self.connectors[at].node.connector);
        connector.collect(is_last, &mut |signal, request| {
            made.push_back((at, signal, request));
        });
    }

    /// Gives what was made to the pipelines. Returns false if the next has no room.
    fn give(&mut self) -> bool {
        while let Some((at, signal, request)) = self.made.front() {
            let connected = &self.connectors[*at];
            match connected.inlet.take(*signal, request, OWN) {
                Ok(_) => {}
                Err(NotTaken::Refused(refusal)) if refusal.kind.retry_after().is_some() => {
                    return false;
                }
                Err(NotTaken::Refused(refusal)) => {
                    let (id, message) = (&connected.node.id, &refusal.message);
                    tracing::warn!("connector {id}: what it made was refused: {message}");
                }
                Err(NotTaken::Large) => {
                    let id = &connected.node.id;
                    tracing::warn!("connector {id}: what it made was too long for a pipeline");
                }
            }
            self.made.pop_front();
        }
        true
    }
}
