/*!
Writing the records of a batch.

All records of a batch are handed to the library before the first is awaited. What fails stays in
the request, for the next attempt; what was written does not.
*/

use super::{
    plan::{Plan, PlannedRecord},
    settings::KafkaSettings,
};
use crate::{
    exporter::{Outcome, Sender, limit::SizeLimit},
    http::joined,
    kafka::{
        Encoding,
        client::{Credentials, Failure, FailureKind, OutgoingRecord, Producer},
    },
    pdata::{Signal, json},
    telemetry::{BySignal, Count},
};
use bytes::Bytes;
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};
use tokio::sync::Mutex;

/// Bytes of a record besides key, value and headers, and of the batch around it.
const FRAMING: usize = 128;
const TOO_LARGE: &str =
    "larger than a record may be: producer.max_message_bytes, or the topic's max.message.bytes";

/// Sends batches to the topics of a cluster.
#[derive(Debug)]
pub(super) struct KafkaSender {
    pub(super) settings: KafkaSettings,
    pub(super) destination: String,
    pub(super) credentials: Credentials,
    /// None: not connected yet, or no more.
    pub(super) producer: Mutex<Option<Arc<Producer>>>,
    /// What brokers have refused as too large, by signal since each has a topic.
    pub(super) limits: BySignal<SizeLimit>,
    /// How many records went to partitions in turn.
    pub(super) turns: Cell<usize>,
}

/// The records of a batch that are not written.
#[derive(Debug)]
pub(super) struct KafkaRequest {
    signal: Signal,
    records: RefCell<Vec<PlannedRecord>>,
    is_planned: Cell<bool>,
    /// Items that Kafka will never take, and why.
    rejected: Cell<u64>,
    reason: RefCell<String>,
}

impl KafkaRequest {
    fn reject(&self, items: u64, reason: &str) {
        self.rejected.set(self.rejected.get() + items);
        reason.clone_into(&mut self.reason.borrow_mut());
    }
}

impl Sender for KafkaSender {
    type Request = KafkaRequest;

    fn endpoint(&self) -> &str {
        &self.destination
    }

    fn prepare(&self, signal: Signal, chunks: &[Bytes]) -> Result<KafkaRequest, Outcome> {
        let whole = PlannedRecord {
            partition: None,
            key: None,
            request: joined(chunks),
            items: 0,
            refused: None,
        };
        Ok(KafkaRequest {
            signal,
            records: RefCell::new(vec![whole]),
            is_planned: Cell::new(false),
            rejected: Cell::new(0),
            reason: RefCell::default(),
        })
    }

    async fn send(&self, request: &KafkaRequest, _: &Count) -> Outcome {
        match self.write(request).await {
            Ok(()) => Outcome::Delivered {
                rejected: request.rejected.get(),
                message: request.reason.borrow().clone(),
            },
            Err(failure) if failure.kind == FailureKind::Misconfigured => {
                Outcome::misconfigured(failure.cause)
            }
            Err(failure) => Outcome::retry(failure.cause),
        }
    }
}

impl KafkaSender {
    /// Writes what is left of a request.
    async fn write(&self, request: &KafkaRequest) -> Result<(), Failure> {
        let producer = self.connected().await?;
        let result = match self.plan(request, &producer).await {
            Ok(()) => self.write_records(request, &producer).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &result {
            if failure.kind == FailureKind::NoPartition {
                // The topic was made anew: what is left is dealt out among the partitions it has.
                request.is_planned.set(false);
            }
            if failure.ends_client {
                self.disconnect(&producer).await;
            }
        }
        result
    }

    async fn connected(&self) -> Result<Arc<Producer>, Failure> {
        let mut producer = self.producer.lock().await;
        if let Some(producer) = &*producer {
            return Ok(Arc::clone(producer));
        }
        let KafkaSettings {
            connection,
            producer: settings,
            ..
        } = &self.settings;
        let connected = Producer::connect(connection, &self.credentials, settings).await?;
        let connected = Arc::new(connected);
        *producer = Some(Arc::clone(&connected));
        Ok(connected)
    }

    /// Lets go of a producer, unless another has taken its place.
    async fn disconnect(&self, ended: &Arc<Producer>) {
        let mut producer = self.producer.lock().await;
        if producer.as_ref().is_some_and(|now| Arc::ptr_eq(now, ended)) {
            *producer = None;
            ended.close().await;
        }
    }

    /// Deals out what is left of a request among the partitions that its topic has.
    async fn plan(&self, request: &KafkaRequest, producer: &Producer) -> Result<(), Failure> {
        if request.is_planned.get() {
            return Ok(());
        }
        let topic = &self.settings.topics[request.signal];
        let plan = Plan {
            record_per: self.settings.record_per,
            spread: self.settings.spread,
            partitions: producer.partitions(&topic.name).await?,
        };
        let turn = || {
            let turn = self.turns.get();
            self.turns.set(turn.wrapping_add(1));
            turn
        };
        let left = request.records.take();
        let planned = left
            .iter()
            .flat_map(|record| plan.records(request.signal, &record.request, turn));
        request.records.replace(planned.collect());
        request.is_planned.set(true);
        Ok(())
    }

    /// Writes what is left of a request, in halves where it is too large.
    async fn write_records(
        &self,
        request: &KafkaRequest,
        producer: &Producer,
    ) -> Result<(), Failure> {
        let limit = &self.limits[request.signal];
        let (mut was_cut, mut was_refused) = (false, false);
        loop {
            // The next is last.
            let mut left: Vec<_> = request.records.take().into_iter().rev().collect();
            let mut again = Vec::new();
            let mut failure = None;
            let mut in_flight = Vec::new();
            while let Some(record) = left.pop() {
                let Some(value) = self.encode(request, &record) else {
                    continue;
                };
                let bytes = FRAMING + value.len() + record.key.as_ref().map_or(0, Bytes::len);
                let is_too_large = bytes > self.settings.producer.max_record_bytes;
                if is_too_large || limit.exceeded(bytes) {
                    match record.halve(request.signal) {
                        Some([first, second]) => {
                            was_cut = true;
                            left.extend([second, first]);
                            continue;
                        }
                        None if is_too_large => {
                            request.reject(record.items, TOO_LARGE);
                            continue;
                        }
                        // What was learned of the topic may be wrong.
                        None => {}
                    }
                }
                let handed_over = producer.enqueue(OutgoingRecord {
                    topic: &self.settings.topics[request.signal].name,
                    partition: record.partition,
                    key: record.key.clone(),
                    headers: &self.settings.headers,
                    value,
                });
                match handed_over.await {
                    Ok(written) => in_flight.push((record, bytes, written)),
                    Err(error) => {
                        again.push(record);
                        again.extend(left.drain(..).rev());
                        failure = Some(error);
                    }
                }
            }
            let mut is_halved = false;
            for (record, bytes, written) in in_flight {
                let Err(error) = written.await else {
                    limit.taken(bytes, record.refused);
                    continue;
                };
                match error.kind {
                    FailureKind::TooLarge => {
                        was_refused = true;
                        let refused = record.refused.map_or(bytes, |refused| refused.min(bytes));
                        let record = PlannedRecord {
                            refused: Some(refused),
                            ..record
                        };
                        match record.halve(request.signal) {
                            Some(halves) => {
                                is_halved = true;
                                again.extend(halves);
                            }
                            None => request.reject(record.items, TOO_LARGE),
                        }
                    }
                    FailureKind::Refused => request.reject(record.items, &error.cause),
                    _ => {
                        again.push(record);
                        failure.get_or_insert(error);
                    }
                }
            }
            request.records.replace(again);
            match failure {
                Some(failure) => return Err(failure),
                None if is_halved => {}
                None => break,
            }
        }
        if was_cut && !was_refused {
            limit.held();
        }
        Ok(())
    }

    /// The value of a record. None, which is counted: there is none.
    fn encode(&self, request: &KafkaRequest, record: &PlannedRecord) -> Option<Bytes> {
        match self.settings.topics[request.signal].encoding {
            Encoding::Proto => Some(record.request.clone()),
            Encoding::Json => match json::request_to_json(request.signal, &record.request) {
                Ok(value) => Some(value.into()),
                Err(error) => {
                    let reason = format!("cannot be written as JSON: {error}");
                    request.reject(record.items, &reason);
                    None
                }
            },
        }
    }
}
