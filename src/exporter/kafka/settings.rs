/*! The checked settings of a `kafka` exporter. */

use super::partitioner::Hasher;
use crate::{
    config::Word,
    kafka::{Connection, Encoding, client::ProducerSettings},
    telemetry::BySignal,
};

/// Settings of a `kafka` exporter.
#[derive(Clone, Debug)]
pub(super) struct KafkaSettings {
    pub(super) connection: Connection,
    pub(super) producer: ProducerSettings,
    /// `traces`, `metrics` and `logs`.
    pub(super) topics: BySignal<Topic>,
    /// Of traces.
    pub(super) record_per: RecordPer,
    pub(super) spread: Spread,
    /// `record_headers`.
    pub(super) headers: Vec<(String, String)>,
}

/// Where the items of a signal go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) encoding: Encoding,
}

/// `record_per`: which spans of a batch share a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordPer {
    /// Those of one partition.
    Partition,
    /// Those of one trace in one scope, under the trace's id as the key.
    Trace,
    /// All.
    Batch,
}

impl Word for RecordPer {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("partition", Self::Partition),
        ("trace", Self::Trace),
        ("batch", Self::Batch),
    ];
}

/// `record_partitioner`: how records come to partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// By the key. A record without one goes to any.
    Key(Hasher),
    /// One after the other.
    Turns,
}
