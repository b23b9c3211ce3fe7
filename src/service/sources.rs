/*!
What receivers fetch: a [`Source`] of each, which runs on every shard.

One that is written as before goes on when the configuration is read again, with what it has
fetched and its counters.
*/

use super::{StartError, metrics::ListenerStats};
use crate::{
    component::{Config, Fingerprint},
    config::Id,
    receiver::Source,
    telemetry::{AcceptStats, ReceiverStats},
};
use std::sync::Arc;

/// A source, and what it counts.
#[derive(Clone)]
pub(crate) struct Sourced {
    /// Tells it from all others that there ever are.
    pub(crate) key: usize,
    /// The receiver's id.
    pub(crate) receiver: Id,
    fingerprint: Fingerprint,
    /// Index of the receiver in the configuration.
    pub(crate) index: usize,
    /// What fetches.
    pub(crate) source: Arc<dyn Source>,
    /// What it counts.
    pub(crate) stats: ListenerStats,
}

/// Builds the sources of all receivers that fetch, but for those that are in `before` and stay.
///
/// # Errors
///
/// When a file cannot be read.
pub(crate) fn build(
    config: &Config,
    shards: usize,
    before: &[Sourced],
) -> Result<Vec<Sourced>, StartError> {
    let mut all = Vec::new();
    let mut key = before
        .iter()
        .map(|source| source.key + 1)
        .max()
        .unwrap_or(0);
    for (index, receiver) in config.receivers.iter().enumerate() {
        let fingerprint = config.fingerprints.of("receiver", &receiver.id);
        let known = before.iter().find(|known| known.receiver == receiver.id);
        let counted = |known: &Sourced| ListenerStats {
            index,
            ..known.stats.clone()
        };
        if let Some(known) = known.filter(|known| known.fingerprint == fingerprint) {
            all.push(Sourced {
                index,
                stats: counted(known),
                ..known.clone()
            });
            continue;
        }
        let built = receiver.settings.source(&receiver.id);
        let built = built.map_err(|message| StartError::Receiver {
            what: format!("receiver {}", receiver.id),
            message,
        })?;
        let Some(source) = built else { continue };
        let new = || ListenerStats {
            receiver: receiver.id.clone(),
            index,
            transport: source.transport(),
            shards: (0..shards).map(|_| ReceiverStats::default()).collect(),
            accept: AcceptStats::default(),
        };
        let stats = known.map_or_else(new, counted);
        all.push(Sourced {
            key,
            receiver: receiver.id.clone(),
            fingerprint,
            index,
            source,
            stats,
        });
        key += 1;
    }
    Ok(all)
}
