/*!
What every receiver says of itself.
*/

use crate::{auth::ServerAuth, config::Id, tls::ServerTls};
use std::{any::Any, fmt, net::SocketAddr, sync::Arc};

/// The checked settings of a receiver.
pub trait Settings: fmt::Debug + Send + Sync + Any {
    /// What it listens on, in a fixed order.
    fn addresses(&self) -> Vec<ServedAddress>;
}

/// A configured receiver.
#[derive(Clone, Debug)]
pub struct Configured {
    /// Its id.
    pub id: Id,
    /// Its settings.
    pub settings: Arc<dyn Settings>,
}

impl Configured {
    /// Its settings, if they are those of this type.
    pub fn settings<T: Settings>(&self) -> Option<&T> {
        (&*self.settings as &dyn Any).downcast_ref()
    }
}

/// Something that a receiver listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedAddress {
    /// `grpc` or `http`.
    pub protocol: &'static str,
    /// Address to listen on.
    pub address: SocketAddr,
    /// What guards it, as a sentence goes on after the protocol.
    pub guards: String,
}

impl ServedAddress {
    /// An endpoint with what guards it.
    pub fn new(
        protocol: &'static str,
        address: SocketAddr,
        tls: Option<&ServerTls>,
        auth: Option<&ServerAuth>,
    ) -> Self {
        let tls = match tls {
            None => "",
            Some(tls) if tls.client_ca.is_some() => " over mutual TLS",
            Some(_) => " over TLS",
        };
        let auth = match auth {
            None => "",
            Some(ServerAuth::Bearer(_)) => ", with a token,",
            Some(ServerAuth::Basic { .. }) => ", with a password,",
        };
        Self {
            protocol,
            address,
            guards: format!("{tls}{auth}"),
        }
    }
}
