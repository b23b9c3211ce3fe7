/*!
The listeners of the configured receivers: binding them, with their certificates
and users.

A listener that is written as before stays, when the configuration is read again, with
its socket, its connections and its counters. One that is written otherwise is a new
one, on the same socket where it has the same address: no sender finds the port closed.
*/

use super::{StartError, metrics::ListenerStats};
use crate::{
    auth,
    component::{Config, Fingerprint},
    config::{Id, ListenAddress},
    net::{
        guards,
        listen::{BindError, ListeningSocket, listen},
    },
    receiver::ListenerSettings,
    telemetry::{AcceptStats, ReceiverStats},
    tls,
};
use std::sync::Arc;

/// One protocol of one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    /// Its settings.
    pub(crate) settings: ListenerSettings,
    /// What it presents and trusts.
    pub(crate) tls: Option<Arc<tls::ReloadedServerTls>>,
    /// Whom it takes spans from.
    pub(crate) auth: Option<Arc<auth::RequestAuthenticator>>,
}

/// A listener with its socket.
pub(crate) struct Bound {
    /// Tells it from all others that there ever are.
    pub(crate) key: usize,
    /// The receiver's id.
    pub(crate) receiver: Id,
    fingerprint: Fingerprint,
    /// Index of the receiver in the configuration.
    pub(crate) index: usize,
    /// What it is.
    pub(crate) listener: Listener,
    /// Where it listens; the real port where 0 was asked.
    pub(crate) address: ListenAddress,
    socket: ListeningSocket,
    /// What it counts.
    pub(crate) stats: ListenerStats,
}

/// Binds every protocol of every receiver, with its certificates and users, but for
/// those that are in `before` and stay.
///
/// # Errors
///
/// When an address cannot be bound, or a file cannot be read.
pub(crate) fn bind_receivers(
    config: &Config,
    shards: usize,
    before: &[Bound],
) -> Result<Vec<Bound>, StartError> {
    let mut all = Vec::new();
    let mut key = before.iter().map(|bound| bound.key + 1).max().unwrap_or(0);
    for (index, receiver) in config.receivers.iter().enumerate() {
        let fingerprint = config.fingerprints.of("receiver", &receiver.id);
        for settings in receiver.settings.listeners() {
            let what = format!("{} (receiver {})", settings.name, receiver.id);
            let stats = ListenerStats {
                receiver: receiver.id.clone(),
                index,
                transport: settings.transport,
                shards: (0..shards).map(|_| ReceiverStats::default()).collect(),
                accept: AcceptStats::default(),
            };
            let mut others = before.iter();
            let known = others.find(|bound| bound.is(&receiver.id, &settings));
            if let Some(known) = known.filter(|known| known.fingerprint == fingerprint) {
                all.push(Bound {
                    index,
                    stats: ListenerStats {
                        index,
                        ..known.stats.clone()
                    },
                    ..known.share(&what)?
                });
                continue;
            }
            let (tls, auth) = guards(&what, &settings)?;
            let (socket, address) = match before.iter().find(|b| *b.asked() == settings.address) {
                Some(known) => (known.share_socket(&what)?, known.address.clone()),
                None => listen(&settings.address, &what)?,
            };
            all.push(Bound {
                key,
                receiver: receiver.id.clone(),
                fingerprint,
                index,
                listener: Listener {
                    settings,
                    tls,
                    auth,
                },
                address,
                socket,
                stats: known.map_or(stats, |known| ListenerStats {
                    index,
                    ..known.stats.clone()
                }),
            });
            key += 1;
        }
    }
    Ok(all)
}

/// Builds what guards a listener; `what` names it in errors.
fn guards(what: &str, settings: &ListenerSettings) -> Result<guards::Guards, StartError> {
    let protocol = &settings.protocol;
    guards::build(what, protocol.tls(), protocol.auth()).map_err(|message| StartError::Receiver {
        what: what.to_owned(),
        message,
    })
}

impl Bound {
    fn is(&self, receiver: &Id, settings: &ListenerSettings) -> bool {
        let own = &self.listener.settings;
        self.receiver == *receiver
            && own.transport == settings.transport
            && own.address == settings.address
    }

    /// The address that was asked for.
    fn asked(&self) -> &ListenAddress {
        &self.listener.settings.address
    }

    /// The same listener once more.
    fn share(&self, what: &str) -> Result<Self, BindError> {
        Ok(Self {
            key: self.key,
            receiver: self.receiver.clone(),
            fingerprint: self.fingerprint,
            index: self.index,
            listener: self.listener.clone(),
            address: self.address.clone(),
            socket: self.share_socket(what)?,
            stats: self.stats.clone(),
        })
    }

    /// Its socket once more: both accept, until one is dropped.
    pub(crate) fn share_socket(&self, what: &str) -> Result<ListeningSocket, BindError> {
        self.socket.try_clone().map_err(|source| BindError {
            address: self.address.clone(),
            what: what.to_owned(),
            source,
        })
    }
}

impl Listener {
    /// Follows the files of its certificates and users from now on. For a
    /// runtime with a `LocalSet`.
    pub(crate) fn follow_files(&self) {
        let interval = self
            .settings
            .protocol
            .tls()
            .and_then(|tls| tls.reload_interval);
        if let Some((tls, interval)) = self.tls.as_ref().zip(interval) {
            guards::follow_tls(tls, interval);
        }
        if let Some(auth) = &self.auth {
            guards::follow_credentials(auth);
        }
    }
}
