/*! The keys of the receiver `kafka`. */

use super::{fetch::KafkaSource, lag::Lag, settings::KafkaSettings, topic_keys::topics};
use crate::{
    config::{Field, Id, KeyReader, Setting},
    kafka::{
        self,
        client::{ConsumerSettings, Credentials, InitialOffset, Strategy},
    },
    pdata::Signal,
    receiver::{ConfiguredReceiver, ReceiverSettings, Source},
};
use std::{sync::Arc, time::Duration};

/// What one answer of a broker may have, unless a file says otherwise: a shard holds it whole.
const MAX_FETCH: u32 = 8 << 20;

impl ReceiverSettings for KafkaSettings {
    fn origin(&self, signal: Signal) -> Option<String> {
        let (cluster, group) = (self.connection.described(), &self.consumer.group);
        let topics = self.topics.described(|of| of == signal);
        Some(format!("{cluster} (topics {topics}, group {group})"))
    }

    fn source(&self, id: &Id) -> Result<Option<Arc<dyn Source>>, String> {
        let what = format!("receiver {id}");
        Ok(Some(Arc::new(KafkaSource {
            settings: self.clone(),
            credentials: Credentials::build(&what, &self.connection)?,
            lag: Lag::default(),
        })))
    }
}

pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredReceiver> {
    let connection = kafka::config::connection(keys);
    let topics = topics(keys);
    let group = keys.or(
        "group_id",
        "otel-collector".to_owned(),
        "members of one group share the partitions: all shards of all replicas that say the same",
    );
    let instance: Field<String> = keys.get(
        "group_instance_id",
        "none",
        "keeps a member's partitions while it restarts, for `session_timeout`; each replica needs its own, to which the shard's number is added",
    );
    let initial_offset = keys.or(
        "initial_offset",
        InitialOffset::Latest,
        "where a group begins that has committed nothing",
    );
    let strategies = strategies(keys);
    let session_timeout = keys.or(
        "session_timeout",
        Duration::from_secs(10),
        "a member that is silent for so long loses its partitions",
    );
    let heartbeat = keys.or(
        "heartbeat_interval",
        Duration::from_secs(3),
        "how often a member says that it is there",
    );
    let min_fetch = keys.or("min_fetch_size", 1_u32, "what a broker waits for, in bytes");
    let max_wait = keys.or(
        "max_fetch_wait",
        Duration::from_millis(250),
        "how long a broker waits for that",
    );
    let max_fetch = keys.or(
        "max_fetch_size",
        MAX_FETCH,
        "of an answer, in bytes; a record that is longer comes all the same; 0: the default",
    );
    let max_partition_fetch = keys.or(
        "max_partition_fetch_size",
        1_u32 << 20,
        "of one partition in an answer",
    );
    let rack = keys.or(
        "rack_id",
        String::new(),
        "where it runs, so that the nearest replica is read",
    );
    let (commits, interval) = keys.section("autocommit", |keys| {
        let commits = keys.or("enable", true, "offsets are committed, whatever this says");
        let interval = keys.or(
            "interval",
            Duration::from_secs(1),
            "how often offsets are committed, of what is settled by then",
        );
        (commits, interval)
    });
    let extracts = keys.section("header_extraction", |keys| {
        keys.ignored(&["headers"]);
        keys.or(
            "extract_headers",
            false,
            "has no effect but a warning: wayspan does not make attributes of headers",
        )
    });
    let passes_lost = keys.section("message_marking", |keys| {
        // Offsets are committed after delivery, and what cannot be taken is passed.
        keys.ignored(&["after", "on_permanent_error"]);
        let passes = keys.or(
            "on_error",
            false,
            "what an exporter has given up (`retry_on_failure.max_elapsed_time`) is passed; else it is read again",
        );
        passes.value
    });
    keys.ignored(&[
        "default_fetch_size",
        "error_backoff",
        "partition_processing",
        "telemetry",
        "profiles",
    ]);

    let cx = keys.reading();
    if !commits.value {
        let message = "offsets are committed once records are settled, whatever this says";
        cx.warn(commits.spot, message);
    }
    if extracts.value && keys.is_used() {
        let message = "wayspan does not make attributes of headers: they will be missing";
        cx.warn(extracts.spot, message);
    }
    if heartbeat.value > session_timeout.value / 2 {
        let message = "more than half of session_timeout: a member would be missed";
        cx.error(heartbeat.spot.or(session_timeout.spot), message);
    }
    let settings = KafkaSettings {
        connection,
        consumer: ConsumerSettings {
            group: group.value,
            instance: instance.given().map(str::to_owned),
            initial_offset: initial_offset.value,
            strategies,
            session_timeout: session_timeout.value,
            heartbeat: heartbeat.value,
            min_fetch: bytes(&min_fetch, 1, keys),
            max_fetch: bytes(&max_fetch, MAX_FETCH, keys),
            max_partition_fetch: bytes(&max_partition_fetch, 1 << 20, keys),
            max_wait: max_wait.value,
            rack: rack.value,
        },
        topics,
        commit_interval: interval.value,
        passes_lost,
    };
    keys.is_used().then(|| ConfiguredReceiver {
        id: id.clone(),
        settings: Arc::new(settings),
    })
}

/// A number of bytes as the protocol has it, where 0 means `default`.
fn bytes(setting: &Setting<u32>, default: u32, keys: &KeyReader<'_>) -> i32 {
    let given = match setting.value {
        0 => default,
        given => given,
    };
    i32::try_from(given).unwrap_or_else(|_| {
        let message = format!("at most {}", i32::MAX);
        keys.reading().error(setting.spot, &message);
        i32::MAX
    })
}

/// Reads how partitions are shared, under its old name and its new one.
fn strategies(keys: &mut KeyReader<'_>) -> Vec<Strategy> {
    let many: Field<Vec<Field<Strategy>>> = keys.get(
        "group_rebalance_strategies",
        "`[cooperative-sticky]`",
        "how a group shares partitions, by preference; all members need one in common",
    );
    let one: Field<Strategy> = keys.get("group_rebalance_strategy", "none", "the same, of one");
    let many = many.value.unwrap_or_default().into_iter();
    let named: Vec<_> = many.filter_map(|strategy| strategy.value).collect();
    if !named.is_empty() && one.value.is_some() {
        let message = "is the same as group_rebalance_strategies: leave one of both out";
        keys.reading().error(one.spot, message);
    }
    match (named.is_empty(), one.value) {
        (false, _) => named,
        (true, one) => vec![one.unwrap_or(Strategy::CooperativeSticky)],
    }
}
