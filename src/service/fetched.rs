/*!
The sources of a shard: what its receivers fetch, each as a task on the shard's thread with a way into
the pipelines.

When the configuration is read again, a source that stays goes on, into the new pipelines; one
that is over ends by itself, and knows by then what became of what it has fetched.
*/

use crate::{
    config::Id,
    pipeline::{Intake, LargeLane, inlet::Inlet},
    receiver::{Fetching, Source},
    telemetry::ReceiverStats,
    threads::die,
};
use futures_util::future::join_all;
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_local},
};

/// What a receiver fetches, as a shard sees it.
pub(crate) struct ShardSource {
    /// What tells it from others.
    pub(crate) key: usize,
    /// Index of the receiver in the configuration.
    pub(crate) receiver: usize,
    /// The receiver's id.
    pub(crate) id: Id,
    /// What fetches.
    pub(crate) source: Arc<dyn Source>,
    /// The shard's counters.
    pub(crate) stats: ReceiverStats,
}

/// A source that fetches.
pub(super) struct Fetched {
    intake: Rc<Intake>,
    /// It ends when this turns true.
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Fetched {
    async fn end(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap_or_else(die);
    }

    /// Ends all of these, and waits for that.
    pub(super) async fn end_all(all: Vec<Self>) {
        join_all(all.into_iter().map(Self::end)).await;
    }
}

/// All that a shard fetches.
pub(super) struct FetchedSources {
    shard: usize,
    lane: LargeLane,
    fetched: HashMap<usize, Fetched>,
}

impl FetchedSources {
    /// Nothing yet, on this shard; long requests are read in `lane`.
    pub(super) fn new(shard: usize, lane: LargeLane) -> Self {
        Self {
            shard,
            lane,
            fetched: HashMap::new(),
        }
    }

    /// Fetches from these from now on, into what `inlet` leads to. Returns those that are over.
    pub(super) fn replace(
        &mut self,
        sources: Vec<ShardSource>,
        mut inlet: impl FnMut(&ShardSource) -> Rc<Inlet>,
    ) -> Vec<Fetched> {
        let stays: HashSet<_> = sources.iter().map(|source| source.key).collect();
        let over = self.fetched.extract_if(|key, _| !stays.contains(key));
        let over = over.map(|(_, fetched)| fetched).collect();
        for source in sources {
            let inlet = inlet(&source);
            match self.fetched.get(&source.key) {
                Some(known) => known.intake.replace(inlet),
                None => {
                    let key = source.key;
                    self.fetched.insert(key, self.start(source, inlet));
                }
            }
        }
        over
    }

    fn start(&self, source: ShardSource, inlet: Rc<Inlet>) -> Fetched {
        let intake = Rc::new(Intake::new(inlet));
        let (stop, stopped) = watch::channel(false);
        let fetching = Fetching {
            id: source.id,
            shard: self.shard,
            ingest: Rc::clone(&intake) as _,
            lane: self.lane.clone(),
            stats: source.stats,
            stop: stopped,
        };
        let task = spawn_local(source.source.run(fetching));
        Fetched { intake, stop, task }
    }

    /// Ends all of it: those that are to end.
    pub(super) fn into_all(self) -> Vec<Fetched> {
        self.fetched.into_values().collect()
    }
}
