/*!
Where Kiali's own configuration is read from, if it is.
*/

use super::Described;
use crate::config::Secret;
use std::{fmt, path::PathBuf, time::Duration};

/// What to read, and what the operator has said already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// Where Kiali's configuration is.
    pub source: KialiSource,
    /// The keys of wayspan's file, which win.
    pub given: Described,
    /// Istio's ConfigMap, for the trust domain. None: not read.
    pub istio_config_map: Option<ObjectName>,
}

/// With nothing said, the Kiali of the cluster, with Istio where it is by default.
impl Default for Follow {
    fn default() -> Self {
        Self {
            source: KialiSource::Discovery,
            given: Described::default(),
            istio_config_map: Some(ObjectName {
                namespace: "istio-system".to_owned(),
                name: "istio".to_owned(),
            }),
        }
    }
}

/// Where a Kiali says how it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KialiSource {
    /// `kiali.config_map`: the ConfigMap with Kiali's `config.yaml`, watched.
    ConfigMap(ObjectName),
    /// `kiali.custom_resource`: what the Kiali operator works from, watched.
    CustomResource(ObjectName),
    /// `kiali.url`: Kiali itself, polled.
    Url(KialiEndpoint),
    /// `kiali.discovery`: one of the above, of the Kiali that runs in the cluster.
    Discovery,
}

impl KialiSource {
    /// Returns the key that named it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::ConfigMap(_) => "config_map",
            Self::CustomResource(_) => "custom_resource",
            Self::Url(_) => "url",
            Self::Discovery => "discovery",
        }
    }
}

impl fmt::Display for KialiSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap(name) => write!(f, "ConfigMap {name}"),
            Self::CustomResource(name) => write!(f, "Kiali resource {name}"),
            Self::Url(endpoint) => f.write_str(&endpoint.url),
            Self::Discovery => f.write_str("the Kiali of the cluster"),
        }
    }
}

/// Namespace and name of a Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A text that does not name an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not NAMESPACE/NAME, such as istio-system/kiali")]
pub struct ObjectNameError(String);

impl std::str::FromStr for ObjectName {
    type Err = ObjectNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tame = |part: &str| {
            let allowed =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
            !part.is_empty() && part.len() <= 253 && part.chars().all(allowed)
        };
        match text.split_once('/') {
            Some((namespace, name)) if tame(namespace) && tame(name) => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(ObjectNameError(text.to_owned())),
        }
    }
}

/// A Kiali to ask over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KialiEndpoint {
    /// Its address with its web root, without a slash at the end.
    pub url: String,
    /// How to say who asks; None: anonymously.
    pub token: Option<Token>,
    /// Time between two reads.
    pub poll_interval: Duration,
    /// How a server that speaks TLS is verified.
    pub tls: Tls,
}

impl KialiEndpoint {
    /// With the time of a read, a change is followed within a minute.
    pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(30);

    /// Returns the Kiali at `url`, asked without a token.
    pub(crate) fn anonymous(url: String) -> Self {
        Self {
            url,
            token: None,
            poll_interval: Self::POLL_INTERVAL,
            tls: Tls::default(),
        }
    }
}

/// `kiali.tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Do not verify the server.
    pub(crate) insecure_skip_verify: bool,
    /// Trust these CAs instead of the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// Name to verify instead of the URL's host.
    pub(crate) server_name_override: Option<String>,
}

/// A token that Kubernetes knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// As it stands.
    Text(Secret),
    /// Read anew each time, since kubelets replace it.
    File(PathBuf),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn object_names() {
        let name: ObjectName = "istio-system/kiali".parse().unwrap();
        assert_eq!(
            (name.namespace.as_str(), name.name.as_str()),
            ("istio-system", "kiali")
        );
        assert_eq!(name.to_string(), "istio-system/kiali");
        for bad in [
            "", "kiali", "/kiali", "a/", "a/b/c", "A/b", "a b/c", "a/b=c",
        ] {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let token = Token::Text(Secret::new("s3cret"));
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
