/*! What a component knows of a cluster, checked. */

use crate::{
    auth::ClientAuth,
    config::{Secret, Word},
    tls::ClientTls,
};
use std::time::Duration;

/// How to reach a cluster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Connection {
    /// `brokers`, of which one has to answer: it names the others.
    pub(crate) brokers: Vec<String>,
    /// `client_id`, by which a cluster sets quotas.
    pub(crate) client_id: String,
    /// `tls`; None: plaintext.
    pub(crate) tls: Option<ClientTls>,
    /// `auth.sasl`; None: whoever connects.
    pub(crate) sasl: Option<Sasl>,
    /// `dial_timeout` of one broker.
    pub(crate) dial_timeout: Duration,
    /// `conn_idle_timeout`.
    pub(crate) idle_timeout: Duration,
    /// `metadata.refresh_interval`.
    pub(crate) metadata_refresh: Duration,
}

impl Connection {
    /// The brokers and how they are spoken to, for `validate` and the log.
    pub(crate) fn described(&self) -> String {
        let tls = self.tls.as_ref().map_or("", |_| ", TLS");
        let sasl = match &self.sasl {
            Some(Sasl::Password { mechanism, .. }) => format!(", {}", mechanism.name()),
            Some(Sasl::Bearer(_)) => ", OAUTHBEARER".to_owned(),
            None => String::new(),
        };
        format!("{}{tls}{sasl}", self.brokers.join(","))
    }
}

/// `auth.sasl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sasl {
    /// A name and a password.
    Password {
        mechanism: Mechanism,
        username: String,
        password: Secret,
    },
    /// OAUTHBEARER with the token of an extension.
    Bearer(ClientAuth),
}

/// `auth.sasl.mechanism` of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl Mechanism {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// `encoding` of a record's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Proto,
    Json,
}

impl Word for Encoding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("otlp_proto", Self::Proto), ("otlp_json", Self::Json)];
}
