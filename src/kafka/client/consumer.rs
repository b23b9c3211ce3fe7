/*!
Reading records as a member of a group.

The library keeps the membership, as long as it is asked for records, and fetches some ahead. Where
reading goes on is committed by whoever reads, and by nobody else.
*/

use super::{
    Failure,
    connect::{Credentials, connect},
};
use crate::{config::Word, kafka::Connection};
use bytes::Bytes;
use krafka::{
    Kafka, KrafkaError,
    admin::ListTopicsOptions,
    consumer::{
        AutoOffsetReset, Consumer as LibraryConsumer, ConsumerRecord, GroupProtocol,
        OffsetAndMetadata, PartitionAssignmentStrategy, TopicPartition,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

/// Records that are fetched ahead or handed out at once, at most.
const RECORDS: i32 = 500;
/// Of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// What one fetched batch may inflate to.
const INFLATED: usize = 64 << 20;

/// `initial_offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InitialOffset {
    Latest,
    Earliest,
}

impl Word for InitialOffset {
    const WORDS: &'static [(&'static str, Self)] =
        &[("latest", Self::Latest), ("earliest", Self::Earliest)];
}

/// `group_rebalance_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    CooperativeSticky,
    Range,
    RoundRobin,
}

impl Word for Strategy {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("cooperative-sticky", Self::CooperativeSticky),
        ("range", Self::Range),
        ("roundrobin", Self::RoundRobin),
    ];
}

/// How records are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerSettings {
    pub(crate) group: String,
    /// The member's name, if it is to keep its partitions while it restarts.
    pub(crate) instance: Option<String>,
    pub(crate) initial_offset: InitialOffset,
    pub(crate) strategies: Vec<Strategy>,
    pub(crate) session_timeout: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) min_fetch: i32,
    pub(crate) max_fetch: i32,
    pub(crate) max_partition_fetch: i32,
    pub(crate) max_wait: Duration,
    /// Empty: any replica that leads.
    pub(crate) rack: String,
}

/// A partition of a topic.
pub(crate) type Partition = (Arc<str>, i32);

/// A record that was read.
#[derive(Clone, Debug)]
pub(crate) struct IncomingRecord {
    pub(crate) partition: Partition,
    pub(crate) offset: i64,
    pub(crate) value: Bytes,
}

impl From<ConsumerRecord> for IncomingRecord {
    fn from(record: ConsumerRecord) -> Self {
        Self {
            partition: (record.topic, record.partition),
            offset: record.offset,
            value: record.value.unwrap_or_default(),
        }
    }
}

/// Where a member is in a partition.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub(crate) partition: Partition,
    /// The next record that is handed out.
    pub(crate) next: i64,
    /// Beyond the last that can be read, as far as is known.
    pub(crate) end: i64,
}

/// A member of a group.
pub(crate) struct Consumer {
    kafka: Kafka,
    member: LibraryConsumer,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Consumer")
    }
}

impl Consumer {
    /// Connects to one of the brokers, as a member that reads nothing yet.
    ///
    /// # Errors
    ///
    /// When none can be reached, or none lets this client in.
    pub(crate) async fn connect(
        connection: &Connection,
        credentials: &Credentials,
        settings: &ConsumerSettings,
    ) -> Result<Self, Failure> {
        let kafka = connect(connection, credentials, REQUEST_TIMEOUT, |builder| builder).await?;
        let strategy = |strategy: &Strategy| match strategy {
            Strategy::CooperativeSticky => PartitionAssignmentStrategy::CooperativeSticky,
            Strategy::Range => PartitionAssignmentStrategy::Range,
            Strategy::RoundRobin => PartitionAssignmentStrategy::RoundRobin,
        };
        let mut consumer = kafka
            .consumer(&settings.group)
            .group_protocol(GroupProtocol::Classic)
            .partition_assignment_strategies(settings.strategies.iter().map(strategy))
            .auto_offset_reset(match settings.initial_offset {
                InitialOffset::Latest => AutoOffsetReset::Latest,
                InitialOffset::Earliest => AutoOffsetReset::Earliest,
            })
            .enable_auto_commit(false)
            .session_timeout(settings.session_timeout)
            .heartbeat_interval(settings.heartbeat)
            .fetch_min_bytes(settings.min_fetch)
            .fetch_max_bytes(settings.max_fetch)
            .max_partition_fetch_bytes(settings.max_partition_fetch)
            .fetch_max_wait(settings.max_wait)
            .max_poll_records(RECORDS)
            .max_buffered_records(RECORDS)
            .max_decompressed_size(INFLATED)
            .metrics_push(false);
        if let Some(instance) = &settings.instance {
            consumer = consumer.group_instance_id(instance);
        }
        if !settings.rack.is_empty() {
            consumer = consumer.client_rack(&settings.rack);
        }
        let member = consumer.build().await?;
        Ok(Self { kafka, member })
    }

    /// All topics of the cluster.
    pub(crate) async fn topics(&self) -> Result<Vec<String>, Failure> {
        let options = ListTopicsOptions::default();
        Ok(self.kafka.admin().list_topics(options).await?)
    }

    /// Reads these topics from now on, and joins the group for that.
    pub(crate) async fn subscribe(
        &self,
        topics: impl Iterator<Item = &str>,
    ) -> Result<(), Failure> {
        Ok(self.member.subscribe(topics).await?)
    }

    /// Waits for records, for `timeout` at most. Cancel safe.
    pub(crate) async fn poll(&self, timeout: Duration) -> Result<Vec<IncomingRecord>, Failure> {
        let records = self.member.poll(timeout).await?;
        Ok(records.into_iter().map(IncomingRecord::from).collect())
    }

    /// The partitions that are this member's.
    pub(crate) async fn assignment(&self) -> BTreeSet<Partition> {
        let topics = self.member.assignment().await.into_iter();
        let partitions = topics.flat_map(|(topic, partitions)| {
            let topic: Arc<str> = topic.into();
            partitions
                .into_iter()
                .map(move |at| (Arc::clone(&topic), at))
        });
        partitions.collect()
    }

    /// Where it is in its partitions, as far as that is known.
    pub(crate) async fn positions(&self) -> Vec<Position> {
        let known = self.member.lag().await.into_iter();
        let known = known.filter_map(|(partition, lag)| {
            let partition = (partition.topic.into(), partition.partition);
            Some(Position {
                partition,
                next: lag.position?,
                end: lag.high_watermark?,
            })
        });
        known.collect()
    }

    /// Fetches nothing from these partitions, which stay this member's.
    pub(crate) async fn pause(&self, partitions: &BTreeSet<Partition>) {
        for (topic, partition) in partitions {
            self.member.pause(topic, &[*partition]).await;
        }
    }

    /// Fetches from them again.
    pub(crate) async fn resume(&self, partitions: &BTreeSet<Partition>) {
        for (topic, partition) in partitions {
            self.member.resume(topic, &[*partition]).await;
        }
    }

    /// Reads on from this offset, if the partition is still this member's.
    pub(crate) async fn seek(&self, partition: &Partition, offset: i64) -> Result<(), Failure> {
        let (topic, number) = partition;
        match self.member.seek(topic, *number, offset).await {
            Ok(()) | Err(KrafkaError::IllegalState { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets whoever reads these partitions next begin at these offsets.
    pub(crate) async fn commit(&self, offsets: &BTreeMap<Partition, i64>) -> Result<(), Failure> {
        let offsets = offsets.iter().map(|((topic, partition), offset)| {
            let partition = TopicPartition::new(&**topic, *partition);
            (partition, OffsetAndMetadata::new(*offset))
        });
        Ok(self.member.commit_offsets(offsets).await?)
    }

    /// Leaves the group.
    pub(crate) async fn close(&self) {
        // One that cannot say that it leaves is missed after `session_timeout`.
        let _ = self.member.close().await;
    }
}
