/*!
The other names under which Kiali looks for the same hop, and the marker spans
that carry them.

A page can only find what is stored under the name it asks for, and a span has
one name. A marker is a small INTERNAL child of the span with the same times
and the same peer tags, under another service name ([`Alias`]). A waypoint's
markers have its `node_id`, too: Kiali lists spans over the charts of the
waypoint's workload by that, and draws a hop by it. Which there are:

- a waypoint's span is asked for by the destination's page and by the waypoint's
  own, and where these names differ it has the first;
- a client span of a gateway or a sidecar may be all there is of a hop, where no
  waypoint and no sidecar stands before the destination: the destination's page
  asks for the destination's name.

A marker's id follows from its span's and its name, so that a request sent
again brings the same markers. It is told from other spans by
[`key::SYNTHETIC`] on an INTERNAL span, and left alone from then on.
*/

use super::{Class, Destination, Facts, Form, Host, Scheme, directory::Labels, facts::key};

/// A further name of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// The service name.
    pub(crate) service_name: String,
    /// The marker's span name: the destination's host.
    pub(crate) span_name: String,
    /// The marker's own `node_id`, that of a waypoint. A gateway's or sidecar's
    /// would make the marker a hop of the wrong workload.
    pub(crate) node_id: Option<String>,
}

/// The waypoint that Kiali expects before a destination, from the label
/// `istio.io/use-waypoint` of the Service or of its Namespace. Whether a gateway
/// really sends requests through it (`istio.io/ingress-use-waypoint`) is no part of its question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ExpectedWaypoint<'a> {
    /// The labels are not known.
    #[default]
    Unknown,
    /// There is none.
    Absent,
    /// The one of this name.
    Named(&'a str),
}

impl<'a> ExpectedWaypoint<'a> {
    /// Reads the labels of a Service and of its Namespace as Kiali does. A
    /// Service that is not known may have any.
    pub(super) fn of(service: Option<&'a Labels>, namespace: Option<&'a Labels>) -> Self {
        let Some(service) = service else {
            return Self::Unknown;
        };
        let waypoint = |labels: &'a Labels| {
            let name = labels.get("istio.io/use-waypoint").map(String::as_str);
            name.filter(|name| !name.is_empty())
        };
        match (waypoint(service), namespace) {
            (Some("none"), _) => Self::Absent,
            (Some(name), _) => Self::Named(name),
            (None, None) => Self::Unknown,
            (None, Some(namespace)) => match waypoint(namespace) {
                None | Some("none") => Self::Absent,
                Some(name) => Self::Named(name),
            },
        }
    }
}

/// Returns the further name of a span that is called `named`, if it needs one. `own` is
/// the workload of the proxy that emitted it.
pub(super) fn alias(
    facts: &Facts<'_>,
    class: Class,
    own: Option<&str>,
    to: Option<Destination<'_>>,
    named: &str,
    scheme: &Scheme,
    expected: ExpectedWaypoint<'_>,
) -> Option<Alias> {
    let to = to?;
    let service_name = match class {
        Class::Waypoint => {
            let node = facts.node()?;
            scheme.workload_name(own?, Some(node.namespace))
        }
        Class::Gateway | Class::Sidecar => {
            let namespace = to.namespace?;
            match (expected, &scheme.form) {
                (ExpectedWaypoint::Named(waypoint), _) => {
                    scheme.waypoint_name(waypoint, to.app, namespace)
                }
                // Most destinations in a mesh with waypoints have one.
                (ExpectedWaypoint::Unknown, Form::Host { .. }) => {
                    scheme.waypoint_name("", to.app, namespace)
                }
                // Asked for as if it had a sidecar; were there a waypoint, its
                // own spans would have the name that is asked for.
                _ => scheme.workload_name(to.app, Some(namespace)),
            }
        }
        _ => return None,
    };
    (service_name != named).then(|| Alias {
        service_name,
        span_name: host(facts, to),
        node_id: facts
            .node_id
            .filter(|_| class == Class::Waypoint)
            .map(str::to_owned),
    })
}

/// Returns the destination's host without its port.
fn host(facts: &Facts<'_>, to: Destination<'_>) -> String {
    if let Some(cluster) = facts.upstream().filter(|c| c.service().is_some()) {
        return cluster.service_host().to_owned();
    }
    match to.namespace {
        Some(namespace) if Host::parse(to.service).is_none() => {
            let domain = facts
                .node()
                .and_then(|node| node.dns_domain.split_once(".svc."))
                .map_or("cluster.local", |(_, domain)| domain);
            format!("{}.{namespace}.svc.{domain}", to.service)
        }
        _ => to.service.to_owned(),
    }
}

/// Returns true if a marker has this attribute of its span: what Kiali asks for
/// and filters by. Without the peer tags a marker would bring back the false
/// matches that they prevent.
pub(crate) fn keeps(attribute: &[u8]) -> bool {
    attribute == key::CLUSTER_ID.as_bytes()
        || attribute.starts_with(b"istio.destination_")
        || attribute.starts_with(b"istio.source_")
}

/// What tells the markers of one service name from those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Salt(u64);

impl Salt {
    /// Returns the salt of a service name; the same in every build.
    pub(crate) fn new(service_name: &str) -> Self {
        // FNV-1a.
        let hash = service_name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self(mix(hash))
    }

    /// Returns the id of the marker of the span with id `span`: neither that
    /// nor zero. For one name, different spans have markers of different ids,
    /// but for the one or two spans whose first choice would be such an id.
    pub(crate) fn span_id(self, span: [u8; 8]) -> [u8; 8] {
        let own = u64::from_be_bytes(span);
        let nth = |n: u64| mix((own ^ self.0).wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        // Three different values, of which two can be out of the question.
        let id = [nth(0), nth(1)]
            .into_iter()
            .find(|id| *id != 0 && *id != own);
        id.unwrap_or_else(|| nth(2)).to_be_bytes()
    }
}

/// Applies the finalizer of SplitMix64, a bijection.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Facts<'_> {
    /// Returns true if the span is a marker that a wayspan made.
    pub(crate) fn is_marker(&self) -> bool {
        const INTERNAL: u8 = 1;
        self.kind == INTERNAL && self.synthetic.is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mesh::{Kiali, Version};
    use proptest::prelude::*;

    fn scheme(minor: u16, selector: bool, waypoint: bool) -> Scheme {
        Scheme::new(&Kiali {
            version: Version::new(2, minor),
            namespace_selector: selector,
            use_waypoint_name: waypoint,
            ..Kiali::default()
        })
    }

    fn names(
        facts: &Facts<'_>,
        named: &str,
        scheme: &Scheme,
        expected: ExpectedWaypoint<'_>,
    ) -> String {
        let to = match facts.class() {
            Class::Waypoint => Destination::of_waypoint(facts),
            _ => Destination::of_cluster(facts),
        };
        let class = facts.class();
        let own = facts.node().map(|node| node.workload());
        let alias = alias(facts, class, own, to, named, scheme, expected);
        alias.map_or(String::new(), |a| {
            assert_eq!(a.span_name, "reviews.shop.svc.my.domain");
            let id = facts.node_id.filter(|_| class == Class::Waypoint);
            assert_eq!(a.node_id.as_deref(), id);
            a.service_name
        })
    }

    #[test]
    fn a_waypoint_is_also_asked_for_by_its_own_name() {
        let facts = Facts {
            node_id: Some("waypoint~1.2.3.4~wp-5b7c754ccb-55jwk.infra~infra.svc.my.domain"),
            upstream_cluster: Some("inbound-vip|80|http|reviews.shop.svc.my.domain"),
            ..Facts::default()
        };
        for (scheme, named, want) in [
            (
                scheme(30, true, false),
                "reviews.shop.svc.cluster.local",
                "wp.infra",
            ),
            (scheme(30, false, false), "reviews.svc.cluster.local", "wp"),
            // A waypoint of another namespace.
            (scheme(30, true, true), "wp.shop", "wp.infra"),
            (scheme(30, false, true), "wp", ""),
        ] {
            assert_eq!(
                names(&facts, named, &scheme, ExpectedWaypoint::Unknown),
                want
            );
            let by_name = Facts {
                span_name: "reviews.shop.svc.my.domain:80/*",
                upstream_cluster: Some("encap"),
                ..facts
            };
            assert_eq!(
                names(&by_name, named, &scheme, ExpectedWaypoint::Unknown),
                want
            );
        }
        let nowhere = Facts {
            upstream_cluster: Some("encap"),
            ..facts
        };
        let host = scheme(30, true, false);
        assert_eq!(
            names(&nowhere, "wp.infra", &host, ExpectedWaypoint::Unknown),
            ""
        );
    }

    #[test]
    fn a_client_span_is_also_asked_for_by_its_destinations_name() {
        for node_id in [
            "router~1.2.3.4~gw-5b7c754ccb-55jwk.infra~infra.svc.my.domain",
            "sidecar~1.2.3.4~ab-5b7c754ccb-55jwk.infra~infra.svc.my.domain",
        ] {
            let facts = Facts {
                node_id: Some(node_id),
                upstream_cluster: Some("outbound|80||reviews.shop.svc.my.domain."),
                kind: 3,
                ..Facts::default()
            };
            let host = "reviews.shop.svc.cluster.local";
            for (scheme, expected, want) in [
                (scheme(30, true, false), ExpectedWaypoint::Unknown, host),
                (scheme(30, true, false), ExpectedWaypoint::Named("wp"), host),
                (
                    scheme(30, true, false),
                    ExpectedWaypoint::Absent,
                    "reviews.shop",
                ),
                (
                    scheme(30, true, true),
                    ExpectedWaypoint::Unknown,
                    "reviews.shop",
                ),
                (
                    scheme(30, true, true),
                    ExpectedWaypoint::Named("wp"),
                    "wp.shop",
                ),
                (scheme(30, false, true), ExpectedWaypoint::Absent, "reviews"),
                (
                    scheme(4, true, false),
                    ExpectedWaypoint::Unknown,
                    "reviews.shop",
                ),
            ] {
                assert_eq!(names(&facts, "gw.infra", &scheme, expected), want);
                assert_eq!(names(&facts, want, &scheme, expected), "");
            }
            let outside = Facts {
                upstream_cluster: Some("outbound|443||api.example.com"),
                ..facts
            };
            let scheme = scheme(30, true, false);
            assert_eq!(
                names(&outside, "gw.infra", &scheme, ExpectedWaypoint::Unknown),
                ""
            );
        }
    }

    #[test]
    fn the_expected_waypoint_by_labels() {
        let labels = |waypoint: &str| -> Labels {
            let label = ("istio.io/use-waypoint".to_owned(), waypoint.to_owned());
            [label].into_iter().filter(|_| waypoint != "-").collect()
        };
        // "-": no such label; "?": not known.
        for (service, namespace, want) in [
            ("?", "wp", ExpectedWaypoint::Unknown),
            ("-", "?", ExpectedWaypoint::Unknown),
            ("-", "-", ExpectedWaypoint::Absent),
            ("-", "none", ExpectedWaypoint::Absent),
            ("none", "wp", ExpectedWaypoint::Absent),
            ("none", "?", ExpectedWaypoint::Absent),
            ("-", "wp", ExpectedWaypoint::Named("wp")),
            ("", "wp", ExpectedWaypoint::Named("wp")),
            ("own", "wp", ExpectedWaypoint::Named("own")),
            ("own", "none", ExpectedWaypoint::Named("own")),
            ("own", "?", ExpectedWaypoint::Named("own")),
        ] {
            let known = |text: &str| (text != "?").then(|| labels(text));
            let (service, namespace) = (known(service), known(namespace));
            let expected = ExpectedWaypoint::of(service.as_ref(), namespace.as_ref());
            assert_eq!(expected, want, "{service:?} {namespace:?}");
        }
    }

    #[test]
    fn peer_tags_are_kept() {
        for (attribute, kept) in [
            ("istio.cluster_id", true),
            ("istio.destination_workload", true),
            ("istio.source_namespace", true),
            ("istio.canonical_service", false),
            ("node_id", false),
            ("", false),
        ] {
            assert_eq!(keeps(attribute.as_bytes()), kept, "{attribute}");
        }
    }

    #[test]
    fn ids_are_the_same_in_every_build() {
        let id = Salt::new("waypoint.bookinfo").span_id([1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(u64::from_be_bytes(id), IDS[0]);
        let id = Salt::new("").span_id([0; 8]);
        assert_eq!(u64::from_be_bytes(id), IDS[1]);
    }

    /// Computed apart from this code.
    const IDS: [u64; 2] = [0x0ca8_b8c9_18d6_4602, 0x8932_c885_a3fe_960e];

    proptest! {
        #[test]
        fn ids_differ(span in any::<u64>(), other in any::<u64>(), salt in any::<u64>()) {
            let of = |span: u64, salt| u64::from_be_bytes(Salt(salt).span_id(span.to_be_bytes()));
            // The second is the one id whose first value is zero.
            for salt in [salt, span] {
                let id = of(span, salt);
                prop_assert!(id != 0 && id != span);
                prop_assert_eq!(id, of(span, salt));
                prop_assert!(id != of(span, salt ^ 1));
                prop_assert!(span == other || id != of(other, salt));
            }
        }
    }
}
