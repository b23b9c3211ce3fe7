/*! Reaching a cluster: addresses, TLS and credentials in the library's terms. */

use super::Failure;
use crate::{
    auth::RequestCredentials,
    kafka::{Connection, Mechanism, Sasl},
    tls::{ClientTls, Pem},
};
use krafka::{
    Kafka, KafkaBuilder,
    auth::{AuthConfig, OAuthBearerToken, TlsConfig},
};
use std::{path::Path, sync::Arc, time::Duration};

/// How often certificates are looked at, unless a file says otherwise: the library does so by a
/// clock, and not when it connects.
const CERTIFICATES: Duration = Duration::from_secs(60);

/// What a client signs in with, where files hold it. They are read anew for each connection.
#[derive(Clone, Debug)]
pub(crate) struct Credentials(Option<Arc<RequestCredentials>>);

impl Credentials {
    /// Reads the files that `connection` names; `what` is whose they are, for the log.
    ///
    /// # Errors
    ///
    /// Says which file cannot be read, or what does not fit.
    pub(crate) fn build(what: &str, connection: &Connection) -> Result<Self, String> {
        let Some(Sasl::Bearer(bearer)) = &connection.sasl else {
            return Ok(Self(None));
        };
        let built = RequestCredentials::build(what, bearer)?;
        Ok(Self(Some(Arc::new(built))))
    }
}

/// A client of the cluster that is made as `also` says besides. `timeout` is that of one request.
pub(super) async fn connect(
    connection: &Connection,
    credentials: &Credentials,
    timeout: Duration,
    also: impl FnOnce(KafkaBuilder) -> KafkaBuilder,
) -> Result<Kafka, Failure> {
    let reload = connection
        .tls
        .as_ref()
        .and_then(|tls| match tls.reload_interval {
            Some(Duration::ZERO) => Some(CERTIFICATES),
            given => given,
        });
    let builder = Kafka::builder(connection.brokers.join(","))
        .client_id(&connection.client_id)
        .request_timeout(timeout)
        // The library refuses one that is longer than that of a request.
        .connect_timeout(connection.dial_timeout.min(timeout))
        .connections_max_idle(Some(connection.idle_timeout))
        .metadata_max_age(connection.metadata_refresh)
        .tls_reload_interval(reload)
        .security(security(connection, credentials)?);
    Ok(also(builder).connect().await?)
}

fn security(connection: &Connection, credentials: &Credentials) -> Result<AuthConfig, Failure> {
    let tls = connection.tls.as_ref().map(tls).transpose()?;
    let sasl = match &connection.sasl {
        Some(Sasl::Password {
            mechanism,
            username,
            password,
        }) => {
            let password = password.reveal();
            Some(match mechanism {
                Mechanism::Plain => AuthConfig::sasl_plain(username, password),
                Mechanism::ScramSha256 => AuthConfig::sasl_scram_sha256(username, password),
                Mechanism::ScramSha512 => AuthConfig::sasl_scram_sha512(username, password),
            })
        }
        Some(Sasl::Bearer(_)) => {
            let credentials = credentials.0.clone();
            let token = move || {
                let token = credentials.as_deref().map(bearer_token);
                async move { Ok(OAuthBearerToken::new(token.unwrap_or_default())) }
            };
            Some(AuthConfig::sasl_oauthbearer_provider(token))
        }
        None => None,
    };
    Ok(match (sasl, tls) {
        (None, None) => AuthConfig::plaintext(),
        (None, Some(tls)) => AuthConfig::ssl(tls),
        (Some(sasl), None) => sasl,
        (Some(sasl), Some(tls)) => sasl.with_tls(tls),
    })
}

/// The token without the scheme that HTTP puts before it.
fn bearer_token(credentials: &RequestCredentials) -> String {
    let (_, value) = credentials.header();
    let text = value.to_str().unwrap_or_default();
    let token = text.rsplit_once(' ').map_or(text, |(_, token)| token);
    token.to_owned()
}

fn tls(settings: &ClientTls) -> Result<TlsConfig, Failure> {
    let mut tls = match settings.insecure_skip_verify {
        true => TlsConfig::insecure(),
        false => TlsConfig::new(),
    };
    tls = match &settings.ca {
        None => tls.with_native_roots(),
        Some(Pem::File(path)) => tls.with_ca_cert(text(path)?),
        Some(Pem::Inline(pem)) => tls.with_ca_cert_pem(pem.reveal()),
    };
    tls = match (&settings.cert, &settings.key) {
        (Some(Pem::File(cert)), Some(Pem::File(key))) => {
            tls.with_client_cert(text(cert)?, text(key)?)
        }
        (Some(Pem::Inline(cert)), Some(Pem::Inline(key))) => {
            tls.with_client_cert_pem(cert.reveal(), key.reveal().as_bytes().to_vec())
        }
        (None, None) => tls,
        _ => {
            let message = "tls: give certificate and key both as files, or both as text";
            return Err(Failure::misconfigured(message));
        }
    };
    Ok(match &settings.server_name_override {
        Some(name) => tls.with_sni_hostname(name),
        None => tls,
    })
}

fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(str::to_owned);
    let message = || format!("tls: {} is not a name in UTF-8", path.display());
    text.ok_or_else(|| Failure::misconfigured(message()))
}
