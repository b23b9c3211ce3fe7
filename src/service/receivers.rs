/*!
The listeners of the configured receivers: binding them, with their certificates
and users.
*/

use super::StartError;
use crate::{
    auth,
    component::Config,
    net::{accept::bind, guards},
    receiver::ListenerSettings,
    tls,
};
use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

/// One protocol of one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    /// Index of the receiver in the configuration.
    pub(crate) receiver: usize,
    /// Its settings.
    pub(crate) settings: ListenerSettings,
    /// What it presents and trusts.
    pub(crate) tls: Option<Arc<tls::ReloadedServerTls>>,
    /// Whom it takes spans from.
    pub(crate) auth: Option<Arc<auth::RequestAuthenticator>>,
}

/// A listener with its socket.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What it is.
    pub(crate) listener: Listener,
    /// Where it listens; the real port where 0 was asked.
    pub(crate) address: SocketAddr,
    /// Its socket, on which nothing has been accepted.
    pub(crate) socket: TcpListener,
}

/// Binds every protocol of every receiver, with its certificates and users.
pub(crate) fn bind_receivers(config: &Config) -> Result<Vec<Bound>, StartError> {
    let mut all = Vec::new();
    for (at, receiver) in config.receivers.iter().enumerate() {
        for settings in receiver.settings.listeners() {
            let what = format!("{} (receiver {})", settings.name, receiver.id);
            let (tls, auth) = guards(&what, &settings)?;
            let (socket, address) = bind(settings.address, &what)?;
            let listener = Listener {
                receiver: at,
                settings,
                tls,
                auth,
            };
            all.push(Bound {
                listener,
                address,
                socket,
            });
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

impl Listener {
    /// Follows the files of its certificates and users from now on. For a
    /// runtime with a `LocalSet`.
    pub(crate) fn follow_files(&self) {
        let interval = self
            .settings
            .protocol
            .tls()
            .and_then(|tls| tls.reload_interval);
        if let Some((tls, interval)) = self.tls.clone().zip(interval) {
            guards::follow_tls(tls, interval);
        }
        if let Some(auth) = &self.auth {
            guards::follow_credentials(auth);
        }
    }
}
