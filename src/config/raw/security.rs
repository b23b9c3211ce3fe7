//! `tls` and `auth`, of receivers and exporters.

use crate::config::{
    de::{Field, Ignored, Refused},
    scalar::GoDuration,
};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct ClientTls {
    pub(in crate::config) insecure: Field<bool>,
    pub(in crate::config) insecure_skip_verify: Field<bool>,
    pub(in crate::config) ca_file: Field<String>,
    pub(in crate::config) ca_pem: Field<String>,
    pub(in crate::config) cert_file: Field<String>,
    pub(in crate::config) cert_pem: Field<String>,
    pub(in crate::config) key_file: Field<String>,
    pub(in crate::config) key_pem: Field<String>,
    pub(in crate::config) server_name_override: Field<String>,
    pub(in crate::config) min_version: Field<TlsVersion>,
    pub(in crate::config) max_version: Field<TlsVersion>,
    pub(in crate::config) cipher_suites: Field<Vec<Field<String>>>,
    pub(in crate::config) curve_preferences: Field<Vec<Field<String>>>,
    pub(in crate::config) reload_interval: Field<GoDuration>,
    include_system_ca_certs_pool: Ignored,
    tpm: Refused,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct ServerTls {
    pub(in crate::config) cert_file: Field<String>,
    pub(in crate::config) cert_pem: Field<String>,
    pub(in crate::config) key_file: Field<String>,
    pub(in crate::config) key_pem: Field<String>,
    pub(in crate::config) client_ca_file: Field<String>,
    pub(in crate::config) client_ca_file_reload: Field<bool>,
    pub(in crate::config) min_version: Field<TlsVersion>,
    pub(in crate::config) max_version: Field<TlsVersion>,
    pub(in crate::config) cipher_suites: Field<Vec<Field<String>>>,
    pub(in crate::config) curve_preferences: Field<Vec<Field<String>>>,
    pub(in crate::config) reload_interval: Field<GoDuration>,
    /// The Collector has these on both sides, and uses them on the client's.
    pub(in crate::config) ca_file: Field<String>,
    ca_pem: Ignored,
    include_system_ca_certs_pool: Ignored,
    tpm: Refused,
}

/// TLS versions the Collector can be told; see `check` for which are honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(in crate::config) enum TlsVersion {
    #[serde(rename = "1.0")]
    Tls10,
    #[serde(rename = "1.1")]
    Tls11,
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Auth {
    pub(in crate::config) authenticator: Field<String>,
    request_params: Refused,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct BearerToken {
    pub(in crate::config) header: Field<String>,
    pub(in crate::config) scheme: Field<String>,
    pub(in crate::config) token: Field<String>,
    pub(in crate::config) tokens: Field<Vec<Field<String>>>,
    pub(in crate::config) filename: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct BasicAuth {
    pub(in crate::config) htpasswd: Field<Htpasswd>,
    pub(in crate::config) client_auth: Field<BasicClient>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Htpasswd {
    pub(in crate::config) file: Field<String>,
    pub(in crate::config) inline: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct BasicClient {
    pub(in crate::config) username: Field<String>,
    pub(in crate::config) username_file: Field<String>,
    pub(in crate::config) password: Field<String>,
    pub(in crate::config) password_file: Field<String>,
    aws_secrets_manager: Refused,
}
