/*!
The other names under which Kiali looks for the same hop, and the marker spans
that carry them.

A page can only find what is stored under the name it asks for, and a span has
one name. A marker is a small INTERNAL child of the span with the same times
and the same peer tags, under another service name, or named after what a page
is about ([`Alias`]). Those that stand for the proxy's own hop have its
`node_id`, too: Kiali lists spans over the charts of a workload by that, and
draws a hop by it. Which there are:

- where labels disagree, a span is asked for by each page in another way
  ([`Asked`]);
- a waypoint's span is asked for by the destination's page and by the waypoint's
  own, and where these names differ it has the first;
- a client span of a gateway or a sidecar may be all there is of a hop, where no
  waypoint and no sidecar stands before the destination: the destination's page
  asks for the destination's name.

A marker's id follows from its span's and its names, so that a request sent
again brings the same markers. It is told from other spans by
[`key::SYNTHETIC`] on an INTERNAL span, and left alone from then on.
*/

use super::{
    Aliases, Attr, Class, Destination, Facts, Form, Host, Scheme,
    asked::{Asked, PeerTags},
    expected_waypoint::ExpectedWaypoint,
    facts::key,
    known::Known,
};

/// A further name of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// The service name.
    pub(crate) service_name: String,
    /// The marker's span name: the destination's host.
    pub(crate) span_name: String,
    /// The marker's own `node_id`, where it stands for a hop of the proxy's own. On one
    /// that stands for a destination it would make a hop of the wrong workload.
    pub(crate) node_id: Option<String>,
}

/// Returns the further names of a span that is called `named`. `asked` is about
/// the hop itself, `own` the workload of the proxy that emitted it.
pub(super) fn aliases(
    facts: &Facts<'_>,
    own: Option<&str>,
    to: Option<Destination<'_>>,
    named: &str,
    (scheme, mode): (&Scheme, Aliases),
    known: &Known<'_>,
    asked: &Asked,
) -> Vec<Alias> {
    let class = facts.class();
    let mut all: Vec<Alias> = Vec::new();
    let mut add = |service_name: &str, span_name: String, node_id: Attr<'_>| {
        let is_same = |a: &Alias| a.service_name == service_name && a.span_name == span_name;
        if all.len() < MOST && !all.iter().any(is_same) {
            all.push(Alias {
                service_name: service_name.to_owned(),
                span_name,
                node_id: node_id.map(str::to_owned),
            });
        }
    };
    // The parent of a span without an id has the markers for both.
    if let (true, Some(node)) = (
        mode != Aliases::Off && facts.node_id.is_some(),
        facts.node(),
    ) {
        for (name, about) in asked.others(named) {
            let span_name = match (class, to) {
                (Class::Waypoint, Some(to)) => host_of(about, facts, to),
                _ => format!("{about}.{}.svc.{}", node.namespace, domain(facts)),
            };
            add(name, span_name, facts.node_id);
        }
    }
    let Some(to) = to else { return all };
    match class {
        Class::Waypoint => {
            let of_waypoint = facts.node().zip(own);
            let own =
                of_waypoint.map(|(node, own)| scheme.workload_name(own, Some(node.namespace)));
            let wanted = |own: &String| match mode {
                Aliases::Off => false,
                // Its pages would find the span as it was emitted.
                Aliases::Auto => {
                    known.directory.is_some()
                        && facts.resource.emitted_name() == Some(own)
                        && to.namespace.is_some()
                }
                Aliases::On => true,
            };
            if let Some(own) = own.filter(|own| own != named).filter(wanted) {
                add(&own, host(facts, to), facts.node_id);
            }
        }
        Class::Gateway | Class::Sidecar if facts.is_client() && mode == Aliases::On => {
            let through = match (known.expected_waypoint, &scheme.form) {
                (ExpectedWaypoint::Named(waypoint), _) => Some(waypoint),
                // Most destinations in a mesh with waypoints have one.
                (ExpectedWaypoint::Unknown, Form::Host { .. }) => Some(""),
                // Asked for as if it had a sidecar; were there a waypoint, its
                // own spans would have the name that is asked for.
                _ => None,
            };
            let tags = PeerTags::default();
            let asked = Asked::of_destination(facts, to, tags, known, scheme, through);
            for (name, about) in asked.others(named) {
                if name != named {
                    add(name, host_of(about, facts, to), None);
                }
            }
        }
        _ => {}
    }
    all
}

/// The most markers that a span gets. Hops have two or three names; more than these
/// would come near the limit of what one request may make.
const MOST: usize = 6;

/// Returns the host of the destination, with its Service's name replaced by what the
/// marker is about.
fn host_of(about: &str, facts: &Facts<'_>, to: Destination<'_>) -> String {
    let host = host(facts, to);
    match host.strip_prefix(to.service) {
        Some(rest) if rest.starts_with('.') => format!("{about}{rest}"),
        _ => host,
    }
}

/// Returns the domain of the proxy's cluster.
fn domain<'a>(facts: &Facts<'a>) -> &'a str {
    let node = facts.node();
    node.and_then(|node| node.dns_domain.split_once(".svc."))
        .map_or("cluster.local", |(_, domain)| domain)
}

/// Returns the destination's host without its port.
fn host(facts: &Facts<'_>, to: Destination<'_>) -> String {
    if let Some(cluster) = facts.upstream().filter(|c| c.service().is_some()) {
        return cluster.service_host().to_owned();
    }
    match to.namespace {
        Some(namespace) if Host::parse(to.service).is_none() => {
            format!("{}.{namespace}.svc.{}", to.service, domain(facts))
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

/// What tells one marker of a span from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Salt(u64);

impl Salt {
    /// Returns the salt of a marker; the same in every build.
    pub(crate) fn new(service_name: &str, span_name: &str) -> Self {
        // FNV-1a.
        let hash = (service_name.bytes())
            .chain([0])
            .chain(span_name.bytes())
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
        let own = facts.node().map(|node| node.workload());
        let known = Known {
            expected_waypoint: expected,
            ..Known::default()
        };
        let how = (scheme, Aliases::On);
        let asked = Asked::default();
        let [alias] = &aliases(facts, own, to, named, how, &known, &asked)[..] else {
            return String::new();
        };
        assert_eq!(alias.span_name, "reviews.shop.svc.my.domain");
        let id = facts.node_id.filter(|_| facts.class() == Class::Waypoint);
        assert_eq!(alias.node_id.as_deref(), id);
        alias.service_name.clone()
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
        let id =
            Salt::new("waypoint.bookinfo", "reviews.bookinfo").span_id([1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(u64::from_be_bytes(id), IDS[0]);
        let id = Salt::new("", "").span_id([0; 8]);
        assert_eq!(u64::from_be_bytes(id), IDS[1]);
    }

    /// Computed apart from this code.
    const IDS: [u64; 2] = [0xc00a_7a0d_dd0e_40b9, 0x82b0_3812_4ef3_e1a9];

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
