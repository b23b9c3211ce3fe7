/*! The checked settings of a `kafka` receiver. */

use super::{offsets::Fate, topics::Topics};
use crate::{
    kafka::{Connection, client::ConsumerSettings},
    pipeline::AwaitedResult,
};
use std::time::Duration;

/// Settings of a `kafka` receiver.
#[derive(Clone, Debug)]
pub(super) struct KafkaSettings {
    pub(super) connection: Connection,
    /// How records are read.
    pub(super) consumer: ConsumerSettings,
    /// What is read.
    pub(super) topics: Topics,
    /// `autocommit.interval`.
    pub(super) commit_interval: Duration,
    /// `message_marking.on_error`: what an exporter has given up is not read again.
    pub(super) passes_lost: bool,
}

impl KafkaSettings {
    /// What became of a record, by the results of the batches that have its items.
    pub(super) fn fate(&self, results: &[AwaitedResult]) -> Fate {
        let mut fate = Fate::Settled;
        for result in results {
            match result.now() {
                Some(Ok(())) => {}
                // The exporter has counted them: they would be refused again.
                Some(Err(failure)) if failure.is_refused || self.passes_lost => {}
                Some(Err(_)) => return Fate::Lost,
                None => fate = Fate::Open,
            }
        }
        fate
    }
}
