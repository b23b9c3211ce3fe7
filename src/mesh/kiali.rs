/*! The Kiali whose questions names must answer: its settings and its version. */

use std::{fmt, str::FromStr};

/// A Kiali, in Kiali's own words. The default is the newest Kiali's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kiali {
    /// Kiali's version.
    pub version: Version,
    /// `external_services.tracing.namespace_selector`, default true.
    pub namespace_selector: bool,
    /// `external_services.tracing.use_waypoint_name`, default false; before 2.22 without effect.
    pub use_waypoint_name: bool,
    /// `external_services.istio.istio_identity_domain`; None: what that Kiali defaults to.
    pub istio_identity_domain: Option<String>,
    /// The mesh's trust domain, which Kiali 2.26+ uses when no identity domain is set.
    pub trust_domain: String,
    /// `istio_labels.app_label_name`: the one label that names an app; None:
    /// what that Kiali defaults to.
    pub app_label_name: Option<String>,
}

impl Default for Kiali {
    fn default() -> Self {
        Self {
            version: Version::NEWEST,
            namespace_selector: true,
            use_waypoint_name: false,
            istio_identity_domain: None,
            trust_domain: "cluster.local".to_owned(),
            app_label_name: None,
        }
    }
}

/// Major and minor version of Kiali.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub(crate) major: u16,
    /// Minor.
    pub(crate) minor: u16,
}

impl Version {
    /// The newest Kiali whose questions are known here.
    pub(crate) const NEWEST: Version = Version::new(2, 30);

    /// `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is not a version of Kiali.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Kiali version; expected MAJOR.MINOR such as \"2.30\" or \"v2.30.1\"")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    /// Reads `2.30`, `v2.30.1` and `2.30.0-rc1`; what follows the minor version is not looked at.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || VersionError(text.to_owned());
        let bare = text.trim();
        let bare = bare.strip_prefix('v').unwrap_or(bare);
        let (major, rest) = bare.split_once('.').ok_or_else(error)?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (minor, after) = rest.split_at(end);
        if !(after.is_empty() || after.starts_with(['.', '-', '+'])) {
            return Err(error());
        }
        let number = |part: &str| match part.bytes().all(|b| b.is_ascii_digit()) {
            true => part.parse().map_err(|_| error()),
            false => Err(error()),
        };
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions() {
        for (text, want) in [
            ("2.30", (2, 30)),
            ("v2.30.1", (2, 30)),
            ("2.7", (2, 7)),
            (" v1.89.0-rc.1 ", (1, 89)),
            ("2.4-SNAPSHOT", (2, 4)),
        ] {
            assert_eq!(
                text.parse::<Version>().unwrap(),
                Version::new(want.0, want.1),
                "{text}"
            );
        }
        for text in [
            "", "2", "v2", "2.", ".7", "2.x", "two.30", "2.30x", "+2.30", "2.+3", "99999.1",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert!(Version::new(2, 5) < Version::new(2, 22));
        assert!(Version::new(1, 89) < Version::new(2, 5));
    }
}
