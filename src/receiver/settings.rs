/*!
What every receiver says of itself.
*/

use super::{Protocol, Source};
use crate::{
    auth::ServerAuth,
    config::{Id, ListenAddress},
    pdata::Signal,
};
use std::{any::Any, fmt, sync::Arc};

/// The checked settings of a receiver.
pub trait ReceiverSettings: fmt::Debug + Send + Sync + Any {
    /// What it listens on, in a fixed order.
    fn listeners(&self) -> Vec<ListenerSettings> {
        Vec::new()
    }

    /// What it fetches requests of `signal` from, if it does, for `validate` and the log of
    /// the start.
    fn origin(&self, signal: Signal) -> Option<String> {
        let _ = signal;
        None
    }

    /// Builds what fetches, if it does, for the receiver of this id.
    ///
    /// # Errors
    /// Says which setting is wrong: a file cannot be read, or is not what it
    /// should be.
    fn source(&self, id: &Id) -> Result<Option<Arc<dyn Source>>, String> {
        let _ = id;
        Ok(None)
    }
}

/// A configured receiver.
#[derive(Clone, Debug)]
pub struct ConfiguredReceiver {
    /// Its id.
    pub id: Id,
    /// Its settings.
    pub settings: Arc<dyn ReceiverSettings>,
}

impl ConfiguredReceiver {
    /// Its settings, if they are those of this type.
    pub fn settings<T: ReceiverSettings>(&self) -> Option<&T> {
        (&*self.settings as &dyn Any).downcast_ref()
    }
}

/// One address that a receiver listens on.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// `grpc` or `http`, as the label `transport` has it.
    pub(crate) transport: &'static str,
    /// What is spoken there, as logs name it: `OTLP/gRPC`.
    pub(crate) name: &'static str,
    /// Address to listen on.
    pub(crate) address: ListenAddress,
    /// How it is spoken, and who may.
    pub(crate) protocol: Protocol,
}

impl ListenerSettings {
    /// What guards the listener, as a sentence goes on after its name.
    pub(crate) fn guards(&self) -> String {
        let tls = match self.protocol.tls() {
            None => "",
            Some(tls) if tls.client_ca.is_some() => " over mutual TLS",
            Some(_) => " over TLS",
        };
        let auth = match self.protocol.auth() {
            None => "",
            Some(ServerAuth::Bearer(_)) => ", with a token,",
            Some(ServerAuth::Basic { .. }) => ", with a password,",
        };
        format!("{tls}{auth}")
    }
}
