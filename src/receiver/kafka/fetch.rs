/*!
Being a member of a group, one client after another.

A client whose library gives up is closed, and another joins after a while. What else goes wrong with
brokers is told once and waited for: the library finds the new leader or coordinator by itself, and
the membership is kept.
*/

use super::{
    lag::Lag,
    member::{Member, Stopped},
    settings::KafkaSettings,
};
use crate::{
    backoff::Backoff,
    kafka::client::{Consumer, ConsumerSettings, Credentials, Failure, FailureKind},
    receiver::{Fetching, Source},
    telemetry::Registry,
};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{select, time::sleep};

/// The waits between attempts.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// What members of a group are made of.
#[derive(Debug)]
pub(super) struct KafkaSource {
    pub(super) settings: KafkaSettings,
    pub(super) credentials: Credentials,
    pub(super) lag: Lag,
}

impl Source for KafkaSource {
    fn transport(&self) -> &'static str {
        "kafka"
    }

    fn register(&self, registry: &Registry, id: &str) {
        self.lag.register(registry, id);
    }

    fn run(self: Arc<Self>, fetching: Fetching) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move { self.fetch(&fetching).await })
    }
}

impl KafkaSource {
    /// Fetches until told to stop.
    async fn fetch(&self, fetching: &Fetching) {
        let mut troubles = Troubles::new(fetching);
        loop {
            let connected = select! {
                connected = self.connect(fetching) => connected,
                () = fetching.stopped() => return,
            };
            let consumer = match connected {
                Ok(consumer) => consumer,
                Err(failure) if troubles.wait(&failure).await.is_ok() => continue,
                Err(_) => return,
            };
            let mut member = Member::new(&self.settings, fetching, &consumer);
            let failure = loop {
                match member.step().await {
                    Ok(None) => {
                        troubles.passed();
                        self.lag.note(fetching.shard, member.lag());
                    }
                    Err(failure) if failure.ends_client => break Some(failure),
                    Err(failure) if troubles.wait(&failure).await.is_ok() => {}
                    Ok(Some(Stopped)) | Err(_) => break None,
                }
            };
            if failure.is_none() {
                member.settle().await;
            }
            self.lag.note(fetching.shard, 0);
            consumer.close().await;
            match failure {
                Some(failure) if troubles.wait(&failure).await.is_ok() => {}
                _ => return,
            }
        }
    }

    async fn connect(&self, fetching: &Fetching) -> Result<Consumer, Failure> {
        let settings = &self.settings.consumer;
        // Members of one process are told apart by their shards.
        let instance = settings.instance.as_ref();
        let instance = instance.map(|instance| format!("{instance}-{}", fetching.shard));
        let settings = ConsumerSettings {
            instance,
            ..settings.clone()
        };
        let (connection, credentials) = (&self.settings.connection, &self.credentials);
        Consumer::connect(connection, credentials, &settings).await
    }
}

/// What goes wrong with the cluster.
struct Troubles<'a> {
    fetching: &'a Fetching,
    backoff: Backoff,
    /// The cause that was told last.
    told: String,
}

impl<'a> Troubles<'a> {
    fn new(fetching: &'a Fetching) -> Self {
        Self {
            fetching,
            backoff: Backoff::doubling(FIRST_WAIT, LONGEST_WAIT),
            told: String::new(),
        }
    }

    /// All is well again.
    fn passed(&mut self) {
        if self.told.is_empty() {
            return;
        }
        self.told.clear();
        self.backoff.reset();
        let Fetching { id, shard, .. } = self.fetching;
        tracing::info!("receiver {id} (shard {shard}): reads again");
    }

    /// Says once what is wrong, and waits a while.
    async fn wait(&mut self, failure: &Failure) -> Result<(), Stopped> {
        let wait = self.backoff.next_wait();
        if self.told != failure.cause {
            self.told.clone_from(&failure.cause);
            let Fetching { id, shard, .. } = self.fetching;
            let line = format!("receiver {id} (shard {shard}): {failure}; trying again");
            match failure.kind {
                FailureKind::Misconfigured => tracing::error!("{line}"),
                _ => tracing::warn!("{line}"),
            }
        }
        select! {
            () = sleep(wait) => Ok(()),
            () = self.fetching.stopped() => Err(Stopped),
        }
    }
}
