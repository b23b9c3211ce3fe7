/*!
Writing records.

The library gathers short records of one partition for a moment (`linger`), sends what it gathered as
one batch, and sends that again by itself until it is written or too old. A long record is a batch by
itself: brokers limit batches, and what is refused must be known to be the record. With `acks: all` it numbers
batches, so that one that a broker has written twice is kept once.
*/

use super::{
    Failure,
    connect::{Credentials, connect},
};
use crate::{config::Word, kafka::Connection};
use bytes::Bytes;
use krafka::{
    CloseOptions, Compression as Codec, Record,
    producer::{Acks as LibraryAcks, Producer as LibraryProducer},
};
use std::{fmt, time::Duration};

/// How many attempts at a record fit into the time after which it is told that one has failed.
const ATTEMPTS: u32 = 3;
/// What waits in the library, at least.
const BUFFER: usize = 32 << 20;

/// `required_acks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    All,
    Leader,
    None,
}

impl Word for Acks {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("all", Self::All),
        ("-1", Self::All),
        ("1", Self::Leader),
        ("0", Self::None),
    ];
}

/// `compression` of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Word for Compression {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("gzip", Self::Gzip),
        ("snappy", Self::Snappy),
        ("lz4", Self::Lz4),
        ("zstd", Self::Zstd),
    ];
}

/// How records are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProducerSettings {
    pub(crate) acks: Acks,
    pub(crate) compression: Compression,
    /// None: the default of the compression.
    pub(crate) level: Option<i32>,
    pub(crate) linger: Duration,
    /// Of a batch, before compression, that has more than one record.
    pub(crate) gathered_bytes: usize,
    /// Of a record, before compression.
    pub(crate) max_record_bytes: usize,
    /// Of a request, which may have batches of several partitions.
    pub(crate) max_request_bytes: usize,
    pub(crate) makes_topics: bool,
    /// Of one attempt.
    pub(crate) timeout: Duration,
}

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutgoingRecord<'a> {
    pub(crate) topic: &'a str,
    /// None: the library chooses, another one from time to time.
    pub(crate) partition: Option<usize>,
    pub(crate) key: Option<Bytes>,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) value: Bytes,
}

/// Writes records to a cluster.
pub(crate) struct Producer(LibraryProducer);

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Producer {
    /// Connects to one of the brokers.
    ///
    /// # Errors
    ///
    /// When none can be reached, or none lets this client in.
    pub(crate) async fn connect(
        connection: &Connection,
        credentials: &Credentials,
        settings: &ProducerSettings,
    ) -> Result<Self, Failure> {
        let timeout = settings.timeout;
        let makes_topics = settings.makes_topics;
        let kafka = connect(connection, credentials, timeout, |builder| {
            builder.allow_auto_create_topics(makes_topics)
        });
        let acks = match settings.acks {
            Acks::All => LibraryAcks::All,
            Acks::Leader => LibraryAcks::Leader,
            Acks::None => LibraryAcks::None,
        };
        let codec = match settings.compression {
            Compression::None => Codec::None,
            Compression::Gzip => Codec::Gzip,
            Compression::Snappy => Codec::Snappy,
            Compression::Lz4 => Codec::Lz4,
            Compression::Zstd => Codec::Zstd,
        };
        let producer = kafka.await?.producer();
        let producer = producer
            .acks(acks)
            .idempotent(settings.acks == Acks::All)
            .compression(codec)
            .compression_level(settings.level)
            .linger(settings.linger)
            .batch_size(settings.gathered_bytes)
            .max_request_size(settings.max_request_bytes)
            .buffer_memory(BUFFER.max(settings.max_record_bytes * 2))
            .delivery_timeout(timeout * ATTEMPTS + settings.linger)
            .max_block(timeout)
            .metrics_push(false);
        Ok(Self(producer.build().await?))
    }

    /// How many partitions a topic has. Makes it where that is set and it is not there.
    pub(crate) async fn partitions(&self, topic: &str) -> Result<usize, Failure> {
        Ok(self.0.partitions_for(topic).await?.len())
    }

    /// Hands a record over. What comes back ends when it is written, or has failed for long
    /// enough. Not awaiting it changes nothing for the record.
    pub(crate) async fn enqueue(
        &self,
        record: OutgoingRecord<'_>,
    ) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
        let mut made = Record::new(record.topic, record.value);
        if let Some(partition) = record.partition.and_then(|n| i32::try_from(n).ok()) {
            made = made.partition(partition);
        }
        if let Some(key) = record.key {
            made = made.key(key);
        }
        for (name, value) in record.headers {
            made = made.header(name, value.clone());
        }
        let written = self.0.enqueue(made).await?;
        Ok(async move {
            let _ = written.await?;
            Ok(())
        })
    }

    /// Lets go of what is not written by now.
    pub(crate) async fn close(&self) {
        let now = CloseOptions::new().timeout(Duration::ZERO);
        // What is not written has been told of, or is nobody's any more.
        let _ = self.0.close_with(now).await;
    }
}
