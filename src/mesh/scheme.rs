/*!
How a Kiali asks for the spans of a waypoint, and so how they must be called.

Three forms exist, by Kiali's version and `use_waypoint_name`; the namespace
selector decides whether names carry a namespace (Kiali `business/tracing.go`,
`business/apps.go`, `business/services.go`, `business/workloads.go`).
*/

use super::{Kiali, Version, directory::AppLabels};
use std::fmt::Write as _;

/// Before this version Kiali knew nothing of waypoints.
pub(super) const KNOWS_WAYPOINTS: Version = Version::new(2, 5);
/// Before this version Kiali's app label was `app`, as Istio's own names have
/// it; since then it is the canonical name, as in `istio.canonical_service`.
const USES_CANONICAL_LABELS: Version = Version::new(2, 6);
/// From this version on `use_waypoint_name` exists, off by default.
pub(super) const HAS_SWITCH: Version = Version::new(2, 22);
/// From this version on peer tags are read and the trust domain is used.
pub(super) const READS_PEER_TAGS: Version = Version::new(2, 26);
/// From this version on every question carries the cluster id.
pub(super) const ASKS_CLUSTER: Version = Version::new(2, 4);

/// The form of a waypoint span's service name. `D` is the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `D.app[.D.namespace]`: Kiali before 2.5.
    App,
    /// `waypoint[.D.namespace]`: Kiali 2.5 to 2.21, later with `use_waypoint_name`.
    Waypoint,
    /// `D.app[.D.namespace].domain`: Kiali 2.22 and later by default.
    Host {
        /// The identity domain, such as `svc.cluster.local`.
        domain: String,
    },
}

/// How one Kiali wants spans to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// The form of waypoint names.
    pub(crate) form: Form,
    /// Is true when names carry a namespace.
    pub(crate) namespace_selector: bool,
    app_labels: AppLabels,
    kiali: Kiali,
    domain_from: &'static str,
}

impl Scheme {
    /// Returns the scheme of the described Kiali.
    pub(crate) fn new(kiali: &Kiali) -> Self {
        let explicit = kiali
            .istio_identity_domain
            .as_deref()
            .filter(|d| !d.is_empty());
        let (domain, domain_from) = match explicit {
            Some(domain) => (domain.to_owned(), "istio_identity_domain"),
            None if kiali.version >= READS_PEER_TAGS && !kiali.trust_domain.is_empty() => {
                (format!("svc.{}", kiali.trust_domain), "the trust domain")
            }
            None => (
                "svc.cluster.local".to_owned(),
                "Kiali's default identity domain",
            ),
        };
        let form = if kiali.version < KNOWS_WAYPOINTS {
            Form::App
        } else if kiali.version < HAS_SWITCH || kiali.use_waypoint_name {
            Form::Waypoint
        } else {
            Form::Host { domain }
        };
        let app_labels = match kiali.app_label_name.as_ref().filter(|l| !l.is_empty()) {
            Some(name) => AppLabels::Only(name.clone()),
            None if kiali.version < USES_CANONICAL_LABELS => AppLabels::Only("app".to_owned()),
            None => AppLabels::Canonical,
        };
        Self {
            form,
            app_labels,
            namespace_selector: kiali.namespace_selector,
            kiali: kiali.clone(),
            domain_from,
        }
    }

    /// Returns the name of a waypoint's span whose destination is known.
    pub(crate) fn waypoint_name(&self, waypoint: &str, app: &str, namespace: &str) -> String {
        match &self.form {
            Form::App => self.workload_name(app, Some(namespace)),
            Form::Waypoint => self.workload_name(waypoint, Some(namespace)),
            Form::Host { domain } if self.namespace_selector => {
                format!("{app}.{namespace}.{domain}")
            }
            Form::Host { domain } => format!("{app}.{domain}"),
        }
    }

    /// `base`, with its namespace if Kiali appends namespaces, once.
    pub(crate) fn workload_name(&self, base: &str, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) if self.namespace_selector && !ends_with(base, namespace) => {
                format!("{base}.{namespace}")
            }
            _ => base.to_owned(),
        }
    }

    /// Returns the name for an app label as it stands, which may end in
    /// anything.
    pub(crate) fn app_name(&self, app: &str, namespace: &str) -> String {
        match self.namespace_selector {
            true => format!("{app}.{namespace}"),
            false => app.to_owned(),
        }
    }

    /// Returns the labels in which Kiali looks for an app's name (Kiali
    /// `config/config.go`, `GetAppLabelName`).
    pub(crate) fn app_labels(&self) -> &AppLabels {
        &self.app_labels
    }

    /// Returns true if sidecars are asked for by their `app` label alone.
    pub(crate) fn asks_app_label(&self) -> bool {
        matches!(&self.app_labels, AppLabels::Only(label) if label == "app")
    }

    /// Returns the Kiali that it is the scheme of.
    pub(crate) fn kiali(&self) -> &Kiali {
        &self.kiali
    }

    /// Returns the Kiali's version.
    pub(crate) fn version(&self) -> Version {
        self.kiali.version
    }

    /// Returns true if pages are filtered by peer tags, and not by spans' names alone.
    pub(crate) fn reads_peer_tags(&self) -> bool {
        self.kiali.version >= READS_PEER_TAGS
    }

    /// Returns the form of waypoint names in a word: `app`, `waypoint` or
    /// `host`.
    pub(crate) fn form_name(&self) -> &'static str {
        match self.form {
            Form::App => "app",
            Form::Waypoint => "waypoint",
            Form::Host { .. } => "host",
        }
    }

    /// Returns true if gateways are asked for by their workload's name, not by
    /// a label.
    pub(crate) fn asks_gateway_workload(&self) -> bool {
        self.kiali.version >= KNOWS_WAYPOINTS
    }

    /// Returns one line for the start log: the scheme in force, and why.
    pub(crate) fn describe(&self) -> String {
        let suffix = if self.namespace_selector {
            ".<namespace>"
        } else {
            ""
        };
        let mut line = String::from("waypoint spans are named ");
        // Writing to a String cannot fail.
        let _ = match &self.form {
            Form::App => write!(
                line,
                "<app>{suffix}: Kiali {} does not know waypoints",
                self.kiali.version
            ),
            Form::Waypoint if self.kiali.version < HAS_SWITCH => {
                write!(
                    line,
                    "<waypoint>{suffix}: Kiali {} always asks for the waypoint",
                    self.kiali.version
                )
            }
            Form::Waypoint => write!(
                line,
                "<waypoint>{suffix}: Kiali {} with use_waypoint_name on asks for the waypoint",
                self.kiali.version
            ),
            Form::Host { domain } => write!(
                line,
                "<app>{suffix}.{domain}: Kiali {} with use_waypoint_name off asks for the service's host; domain from {}",
                self.kiali.version, self.domain_from
            ),
        };
        let selector = if self.namespace_selector { "on" } else { "off" };
        let gateway = if self.asks_gateway_workload() {
            "<workload>"
        } else {
            "<app>"
        };
        let _ = write!(
            line,
            "; namespace_selector {selector}, other spans are named <app>{suffix}, gateways {gateway}{suffix}"
        );
        line
    }
}

/// Returns true if `name` is `something.namespace`.
pub(super) fn ends_with(name: &str, namespace: &str) -> bool {
    without_namespace(name, namespace).is_some()
}

/// `base` of `base.namespace`.
pub(super) fn without_namespace<'a>(name: &'a str, namespace: &str) -> Option<&'a str> {
    name.strip_suffix(namespace)?
        .strip_suffix('.')
        .filter(|base| !base.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(
        version: (u16, u16),
        selector: bool,
        waypoint: bool,
        domain: Option<&str>,
        trust: &str,
    ) -> String {
        Scheme::new(&Kiali {
            version: Version::new(version.0, version.1),
            namespace_selector: selector,
            use_waypoint_name: waypoint,
            istio_identity_domain: domain.map(str::to_owned),
            trust_domain: trust.to_owned(),
            ..Kiali::default()
        })
        .waypoint_name("waypoint", "reviews", "bookinfo")
    }

    #[test]
    fn by_version_and_configuration() {
        for (version, selector, waypoint, domain, trust, want) in [
            (
                (2, 4),
                true,
                true,
                None,
                "cluster.local",
                "reviews.bookinfo",
            ),
            ((2, 4), false, false, None, "cluster.local", "reviews"),
            (
                (2, 5),
                true,
                false,
                None,
                "cluster.local",
                "waypoint.bookinfo",
            ),
            ((2, 7), false, false, None, "cluster.local", "waypoint"),
            (
                (2, 21),
                true,
                false,
                Some("svc.x"),
                "cluster.local",
                "waypoint.bookinfo",
            ),
            (
                (2, 22),
                true,
                true,
                None,
                "cluster.local",
                "waypoint.bookinfo",
            ),
            (
                (2, 22),
                true,
                false,
                None,
                "corp",
                "reviews.bookinfo.svc.cluster.local",
            ),
            (
                (2, 26),
                true,
                false,
                None,
                "corp",
                "reviews.bookinfo.svc.corp",
            ),
            (
                (2, 26),
                true,
                false,
                Some("svc.my.net"),
                "corp",
                "reviews.bookinfo.svc.my.net",
            ),
            (
                (2, 30),
                false,
                false,
                None,
                "cluster.local",
                "reviews.svc.cluster.local",
            ),
            ((2, 30), false, true, None, "cluster.local", "waypoint"),
            (
                (2, 30),
                true,
                false,
                Some(""),
                "",
                "reviews.bookinfo.svc.cluster.local",
            ),
        ] {
            let got = name(version, selector, waypoint, domain, trust);
            assert_eq!(
                got, want,
                "{version:?} {selector} {waypoint} {domain:?} {trust}"
            );
        }
    }

    #[test]
    fn namespace_is_appended_once() {
        let scheme = Scheme::new(&Kiali::default());
        assert_eq!(
            scheme.workload_name("reviews", Some("bookinfo")),
            "reviews.bookinfo"
        );
        assert_eq!(
            scheme.workload_name("reviews.bookinfo", Some("bookinfo")),
            "reviews.bookinfo"
        );
        assert_eq!(scheme.workload_name("my.app", Some("app")), "my.app");
        assert_eq!(
            scheme.workload_name("bookinfo", Some("bookinfo")),
            "bookinfo.bookinfo"
        );
        assert_eq!(scheme.workload_name("myapp", Some("app")), "myapp.app");
        assert_eq!(scheme.workload_name("reviews", None), "reviews");
    }

    #[test]
    fn says_why() {
        let line = Scheme::new(&Kiali::default()).describe();
        assert!(
            line.contains("<app>.<namespace>.svc.cluster.local"),
            "{line}"
        );
        assert!(
            line.ends_with("named <app>.<namespace>, gateways <workload>.<namespace>"),
            "{line}"
        );
        assert!(
            line.contains("2.30") && line.contains("use_waypoint_name off"),
            "{line}"
        );
        let old = Kiali {
            version: Version::new(2, 7),
            namespace_selector: false,
            ..Kiali::default()
        };
        let line = Scheme::new(&old).describe();
        assert!(
            line.contains("<waypoint>:") && line.contains("namespace_selector off"),
            "{line}"
        );
    }
}
