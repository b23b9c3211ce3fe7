/*!
The listeners of the configured receivers: binding them, with their certificates
and users.
*/

use super::StartError;
use crate::{
    auth,
    component::Config,
    net::{accept::bind, guards},
    receiver::{
        Protocol,
        otlp::{Otlp, http_protocol},
    },
    tls,
};
use std::{
    fmt,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
}

impl Transport {
    /// The Collector's `transport` label.
    pub fn label(self) -> &'static str {
        match self {
            Transport::Grpc => "grpc",
            Transport::Http => "http",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Grpc => "OTLP/gRPC",
            Transport::Http => "OTLP/HTTP",
        })
    }
}

/// One protocol of one receiver.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Index of the receiver in the configuration.
    pub receiver: usize,
    /// Which protocol.
    pub transport: Transport,
    /// Its settings.
    pub protocol: Protocol,
    /// What it presents and trusts.
    pub tls: Option<Arc<tls::Server>>,
    /// Whom it takes spans from.
    pub auth: Option<Arc<auth::Server>>,
}

/// A listener with its socket.
#[derive(Debug)]
pub struct Bound {
    /// What it is.
    pub listener: Listener,
    /// Where it listens; the real port where 0 was asked.
    pub address: SocketAddr,
    /// Its socket, on which nothing has been accepted.
    pub socket: TcpListener,
}

/// Binds every protocol of every receiver, with its certificates and users.
pub fn bind_receivers(config: &Config) -> Result<Vec<Bound>, StartError> {
    let mut all = Vec::new();
    for (at, receiver) in config.receivers.iter().enumerate() {
        let Some(settings) = receiver.settings::<Otlp>() else {
            continue;
        };
        let grpc = settings
            .grpc
            .as_ref()
            .map(|grpc| (Transport::Grpc, grpc.endpoint, Protocol::Grpc(grpc.clone())));
        let http = settings
            .http
            .as_ref()
            .map(|http| (Transport::Http, http.endpoint, http_protocol(http.clone())));
        for (transport, endpoint, protocol) in grpc.into_iter().chain(http) {
            let what = format!("{transport} (receiver {})", receiver.id);
            let (tls, auth) = guards(&what, &protocol)?;
            let (socket, address) = bind(endpoint, &what)?;
            let listener = Listener {
                receiver: at,
                transport,
                protocol,
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
fn guards(what: &str, protocol: &Protocol) -> Result<guards::Guards, StartError> {
    guards::build(what, protocol.tls(), protocol.auth()).map_err(|message| StartError::Receiver {
        what: what.to_owned(),
        message,
    })
}

impl Listener {
    /// Follows the files of its certificates and users from now on. For a
    /// runtime with a `LocalSet`.
    pub fn follow_files(&self) {
        let interval = self.protocol.tls().and_then(|tls| tls.reload_interval);
        if let Some((tls, interval)) = self.tls.clone().zip(interval) {
            guards::follow_tls(tls, interval);
        }
        if let Some(auth) = &self.auth {
            guards::follow_credentials(auth);
        }
    }
}
