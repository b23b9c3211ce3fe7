//! Spans of all that `healthy.yaml` has, as proxies of Istio 1.30 emit them.

use crate::spans::export_to;
use std::net::SocketAddr;

pub const WAYPOINT: &str =
    "waypoint~10.244.0.9~waypoint-6f7d9c5b4-qwert.bookinfo~bookinfo.svc.cluster.local";
pub const GATEWAY: &str =
    "router~10.244.0.8~bookinfo-gateway-istio-1.bookinfo~bookinfo.svc.cluster.local";
pub const SIDECAR: &str = "sidecar~10.244.0.12~cart-1.shop~shop.svc.cluster.local";

/// A proxy's span: its service name, and its tags.
#[derive(Clone, Debug)]
pub struct Emitted {
    pub name: String,
    pub tags: Vec<(&'static str, String)>,
}

impl Emitted {
    fn new(name: &str, node: &str, upstream: &str) -> Self {
        let tags = [
            ("component", "proxy"),
            ("node_id", node),
            ("upstream_cluster", upstream),
            ("istio.cluster_id", "Kubernetes"),
        ];
        Self {
            name: name.to_owned(),
            tags: tags.map(|(key, text)| (key, text.to_owned())).to_vec(),
        }
    }

    /// The same with another value of a tag, or without it.
    pub fn tagged(mut self, key: &'static str, text: Option<&str>) -> Self {
        self.tags.retain(|(own, _)| *own != key);
        self.tags.extend(text.map(|text| (key, text.to_owned())));
        self
    }
}

/// One of each: a waypoint's for both its Services and for a request addressed to a workload,
/// the gateway's, and the sidecar's.
pub fn emitted() -> Vec<Emitted> {
    let of_waypoint = |service: &str| {
        let upstream = format!("inbound-vip|9080|http|{service}.bookinfo.svc.cluster.local");
        Emitted::new("waypoint.bookinfo", WAYPOINT, &upstream)
            .tagged("istio.destination_workload", Some(&format!("{service}-v1")))
            .tagged("istio.destination_canonical_service", Some(service))
            .tagged("istio.destination_namespace", Some("bookinfo"))
    };
    let to_reviews = "outbound|9080||reviews.bookinfo.svc.cluster.local";
    vec![
        of_waypoint("reviews"),
        of_waypoint("ratings"),
        Emitted::new("waypoint.bookinfo", WAYPOINT, "encap"),
        Emitted::new("bookinfo-gateway-istio.bookinfo", GATEWAY, to_reviews),
        Emitted::new("cart.shop", SIDECAR, "inbound|8080||"),
    ]
}

/// Sends each in a trace of its own.
pub fn send(port: u16, all: &[Emitted]) {
    for one in all {
        let tags = one.tags.iter();
        let tags: Vec<(&str, &str)> = tags.map(|(key, text)| (*key, &**text)).collect();
        let resource = [("service.name", &*one.name)];
        export_to(
            SocketAddr::from(([127, 0, 0, 1], port)),
            rand::random(),
            &resource,
            &tags,
        );
    }
}
