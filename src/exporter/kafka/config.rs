/*! The keys of the exporter `kafka`. */

use super::{
    partitioner::Hasher,
    sender::KafkaSender,
    settings::{KafkaSettings, RecordPer, Spread, Topic},
};
use crate::{
    config::{Field, Id, KeyReader, Pairs, Setting},
    exporter::{
        ConfiguredExporter, Exporter, ExporterSettings,
        config::{retry, sending_queue, timeout},
    },
    http::ConnectOptions,
    kafka::{
        self, Encoding,
        client::{Acks, Compression, Credentials, ProducerSettings},
    },
    pdata::Signal,
    telemetry::BySignal,
};
use std::{cell::Cell, sync::Arc, time::Duration};

/// The longest record that may be asked for; Kafka's own lengths end at 2 GiB.
const MOST_BYTES: u64 = 1 << 30;
/// How many bytes of short records make a batch: a fraction of what any topic takes, so that a batch
/// is not refused for its length where each record is short enough.
const GATHERED: usize = 16 << 10;
/// What a request has besides the records of its batches.
const REQUEST_FRAMING: usize = 64 << 10;

impl ExporterSettings for KafkaSettings {
    fn destination(&self) -> Option<String> {
        let topics = Signal::ALL.map(|signal| self.topics[signal].name.as_str());
        let cluster = self.connection.described();
        Some(format!("{cluster} (topics {})", topics.join(", ")))
    }

    fn build(
        &self,
        configured: &ConfiguredExporter,
        _: ConnectOptions,
    ) -> Result<Exporter, String> {
        let what = format!("exporter {}", configured.id);
        let sender = KafkaSender {
            settings: self.clone(),
            destination: self.connection.described(),
            credentials: Credentials::build(&what, &self.connection)?,
            producer: tokio::sync::Mutex::default(),
            limits: BySignal::default(),
            turns: Cell::default(),
        };
        Ok(Exporter::new(configured, sender))
    }
}

pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredExporter> {
    let connection = kafka::config::connection(keys);
    let topics = topics(keys);
    let by_id = keys.or(
        "partition_traces_by_id",
        false,
        "`true`: `record_per: trace`, which is what a Collector writes",
    );
    let per: Field<RecordPer> = keys.get(
        "record_per",
        "`partition`; `trace` with `partition_traces_by_id`",
        "which spans of a batch share a record. `partition`: all traces of one partition, which is where a Collector would write each of them; `trace`: one trace in one scope, with its id as the key; `batch`: all, without a key",
    );
    let spread = keys.section("record_partitioner", partitioner);
    let headers: Field<Pairs> = keys.get("record_headers", "none", "written with each record");
    for (key, of) in [
        ("partition_metrics_by_resource_attributes", "metrics"),
        ("partition_logs_by_resource_attributes", "logs"),
        ("partition_logs_by_trace_id", "logs"),
    ] {
        let keyed = keys.or(
            key,
            false,
            "`true` is refused: metrics and logs have no keys",
        );
        if keyed.value && keys.is_used() {
            let message = format!("wayspan writes {of} without keys; remove it");
            keys.reading().error(keyed.spot, &message);
        }
    }
    keys.refused(&[
        "topic_from_attribute",
        "include_metadata_keys",
        "signal_header",
    ]);
    let timeout = timeout(keys, Duration::from_secs(5));
    let mut producer = keys.section("producer", |keys| producer(timeout, keys));
    let queue = sending_queue(keys);
    let retry = retry(keys, queue.storage.is_some());

    let record_per = match (per.value, by_id.value, spread) {
        (Some(RecordPer::Partition), _, Spread::Turns) => {
            let message = "traces are kept together by sticky_key, and not by round_robin";
            keys.reading().error(per.spot, message);
            RecordPer::Partition
        }
        (Some(given), _, _) => given,
        (None, true, _) => RecordPer::Trace,
        (None, false, Spread::Turns) => RecordPer::Batch,
        (None, false, Spread::Key(_)) => RecordPer::Partition,
    };
    if record_per == RecordPer::Trace {
        producer.gathered_bytes = GATHERED;
    }
    let headers = headers.value.unwrap_or_default().0.into_iter();
    let headers = headers.map(|(name, value)| (name, value.value.unwrap_or_default()));
    Some(ConfiguredExporter {
        id: id.clone(),
        settings: Arc::new(KafkaSettings {
            connection,
            producer,
            topics,
            record_per,
            spread,
            headers: headers.collect(),
        }),
        queue,
        retry,
        timeout,
    })
}

/// Reads `traces`, `metrics` and `logs`, and the keys that once held for all of them.
fn topics(keys: &mut KeyReader<'_>) -> BySignal<Topic> {
    let topic: Field<String> = keys.get("topic", "none", "of all signals, unless theirs is set");
    let encoding: Field<Encoding> =
        keys.get("encoding", "none", "of all signals, unless theirs is set");
    BySignal::of(|signal| {
        let default = match signal {
            Signal::Traces => "`otlp_spans`",
            Signal::Metrics => "`otlp_metrics`",
            Signal::Logs => "`otlp_logs`",
        };
        keys.section(signal.as_str(), |keys| {
            let own: Field<String> = keys.get("topic", default, "where they are written");
            let how: Field<Encoding> = keys.get(
                "encoding",
                "`otlp_proto`",
                "of a record, which is an export request",
            );
            keys.refused(&["topic_from_metadata_key", "message_key_from_metadata_key"]);
            let name = own.trimmed().or(topic.trimmed());
            let name = name.unwrap_or(default.trim_matches('`'));
            kafka::config::check_topic(name, own.spot.or(topic.spot), keys);
            Topic {
                name: name.to_owned(),
                encoding: how.value.or(encoding.value).unwrap_or(Encoding::Proto),
            }
        })
    })
}

/// Reads `record_partitioner`.
fn partitioner(keys: &mut KeyReader<'_>) -> Spread {
    let (sticky, hasher) = keys.section("sticky_key", |keys| {
        let hasher = keys.or(
            "hasher",
            Hasher::SaramaCompat,
            "of keys: `sarama_compat` is FNV-1a, `murmur2` that of Kafka's own clients",
        );
        (keys.spot(), hasher.value)
    });
    let turns = keys.section("round_robin", |keys| keys.spot());
    let least = keys.section("least_backup", |keys| keys.spot());
    keys.refused(&["extension"]);
    let cx = keys.reading();
    if least.is_some() {
        cx.warn(
            least,
            "records go to partitions in turn, as with round_robin",
        );
    }
    let turns = turns.or(least);
    if let (Some(turns), Some(_)) = (turns, sticky) {
        cx.error_at_key(Some(turns), "beside sticky_key: remove one of the two", "");
    }
    match turns {
        Some(_) => Spread::Turns,
        None => Spread::Key(hasher),
    }
}

/// Reads `producer`: how records are written, each of them as a batch by itself.
fn producer(timeout: Duration, keys: &mut KeyReader<'_>) -> ProducerSettings {
    let record_bytes = keys.or(
        "max_message_bytes",
        1_000_000_u64,
        "of a record, before compression: larger ones are halved. The topic's `max.message.bytes` should be more; where it is less, that is noticed",
    );
    let request_bytes = keys.or(
        "max_broker_write_bytes",
        100_u64 << 20,
        "of a request, which may have records of several partitions",
    );
    let acks = keys.or(
        "required_acks",
        Acks::All,
        "`all`: from the replicas in sync, and a record is not written twice by being sent again; `1`: from the leader alone, the Collector's default; `0`: none, so that nobody notices what is lost",
    );
    let compression = keys.or("compression", Compression::None, "of records");
    let level = keys.section("compression_params", |keys| {
        let level: Field<i64> = keys.get(
            "level",
            "the compression's",
            "of `gzip`, 1 to 9, or `zstd`, 1 to 22; -1 and 0: the default",
        );
        level
    });
    let makes_topics = keys.or(
        "allow_auto_topic_creation",
        true,
        "let the cluster make a topic that is not there, as its settings say",
    );
    let linger = keys.or(
        "linger",
        Duration::from_millis(10),
        "how long a record of a trace waits for others of its partition; others do not wait",
    );
    // A batch is few records, and a broker's requests go out as its answers come.
    keys.ignored(&["flush_max_messages", "max_inflight_requests_per_broker"]);

    let max_record_bytes = in_range(&record_bytes, 1024, keys);
    let max_request_bytes = in_range(&request_bytes, 1024, keys);
    if max_request_bytes < max_record_bytes {
        let message = "less than max_message_bytes";
        keys.reading().error(request_bytes.spot, message);
    }
    if linger.value > Duration::from_secs(60) {
        keys.reading().error(linger.spot, "more than 1m");
    }
    ProducerSettings {
        acks: acks.value,
        compression: compression.value,
        level: check_level(&level, compression.value, keys),
        linger: linger.value,
        gathered_bytes: 1,
        max_record_bytes,
        max_request_bytes: max_request_bytes + REQUEST_FRAMING,
        makes_topics: makes_topics.value,
        timeout,
    }
}

fn in_range(setting: &Setting<u64>, least: u64, keys: &KeyReader<'_>) -> usize {
    let given = setting.value;
    (keys.reading()).in_range(setting.spot, given, &(least..=MOST_BYTES));
    usize::try_from(given.clamp(least, MOST_BYTES)).unwrap_or(usize::MAX)
}

fn check_level(field: &Field<i64>, compression: Compression, keys: &KeyReader<'_>) -> Option<i32> {
    let given = field.value.filter(|level| !matches!(level, -1 | 0))?;
    let most = match compression {
        Compression::Gzip => 9,
        Compression::Zstd => 22,
        _ => {
            let message = "has no effect: this compression has no levels";
            keys.reading().warn(field.spot, message);
            return None;
        }
    };
    keys.reading().in_range(field.spot, given, &(1..=most));
    i32::try_from(given).ok()
}
