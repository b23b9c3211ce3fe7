/*!
Which kind of hop emitted a span, and what follows from that.

Istio's proxies say it in their `node_id`. Some of their spans have none: those that
Envoy spawns for a gateway's upstream request, and those of calls that a proxy makes for
itself (`async <cluster> egress`, to authorize or to count a request). What is known
of these depends on other spans of the proxy, their kin.
*/

use super::{
    Facts, NodeId, UpstreamCluster,
    facts::{ResourceFacts, value},
};

/// The kind of hop a span was emitted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// A waypoint proxy.
    Waypoint,
    /// An ingress, egress or east-west gateway (`router`).
    Gateway,
    /// A sidecar.
    Sidecar,
    /// agentgateway in the place of a gateway or waypoint of Istio's.
    Agentgateway,
    /// ztunnel, known by its field names.
    Ztunnel,
    /// A proxy of a type not known here: its name is left alone.
    OtherProxy,
    /// An instrumented application.
    Sdk,
}

impl Class {
    /// Returns a word for tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Class::Waypoint => "waypoint",
            Class::Gateway => "gateway",
            Class::Sidecar => "sidecar",
            Class::Agentgateway => "agentgateway",
            Class::Ztunnel => "ztunnel",
            Class::OtherProxy => "proxy",
            Class::Sdk => "application",
        }
    }
}

impl<'a> Facts<'a> {
    /// Returns the proxy's id, its own or its kin's.
    pub(crate) fn node(&self) -> Option<NodeId<'a>> {
        let text = match self.node_id {
            Some(own) => Some(own),
            None if self.depends_on_kin() => self.kin.node_id,
            None => None,
        };
        text.and_then(NodeId::parse)
    }

    /// Returns the canonical service of the proxy's pod, its own word or its kin's.
    pub(crate) fn own_canonical_service(&self) -> Option<&'a str> {
        let of_kin = self.kin.canonical_service.filter(|_| self.depends_on_kin());
        value(self.canonical_service).or(value(of_kin))
    }

    /// Returns true if what is known of the span depends on which other spans of its
    /// proxy are at hand. It is decided once: a later collector must not see more.
    pub(crate) fn depends_on_kin(&self) -> bool {
        self.node_id.is_none()
            && self.component == Some("proxy")
            && (value(self.canonical_service).is_some()
                || self.upstream().is_some()
                || is_own_call(self.span_name.as_bytes()))
    }

    /// Returns true if a client's span of a proxy went out of its own pod: not where
    /// the cluster is that of the pod itself, whatever kind the span has.
    pub(crate) fn is_client(&self) -> bool {
        const CLIENT: u8 = 3;
        self.kind == CLIENT && !self.is_for_own_pod()
    }

    /// Returns the cluster that the request was sent to, if it leads to a host.
    pub(crate) fn upstream(&self) -> Option<UpstreamCluster<'a>> {
        value(self.upstream_cluster)
            .or(value(self.upstream_cluster_name))
            .and_then(UpstreamCluster::parse)
    }

    /// Returns true if the cluster is that of the proxy's own pod.
    pub(crate) fn is_for_own_pod(&self) -> bool {
        let cluster = value(self.upstream_cluster).or(value(self.upstream_cluster_name));
        let own = ["inbound|", "inbound_.", "InboundPassthroughCluster"];
        cluster.is_some_and(|text| own.iter().any(|form| text.starts_with(form)))
    }

    /// Returns which kind of hop emitted the span.
    pub(crate) fn class(&self) -> Class {
        if let Some(node) = self.node() {
            return match node.kind {
                "waypoint" => Class::Waypoint,
                "router" => Class::Gateway,
                "sidecar" => Class::Sidecar,
                "ztunnel" => Class::Ztunnel,
                _ => Class::OtherProxy,
            };
        }
        if self.component == Some("proxy") {
            // Without an id and kin: an upstream span, which Istio lets only its
            // gateways spawn. Without Istio's tags it may be any proxy's.
            return match value(self.canonical_service) {
                Some(_) => Class::Gateway,
                None => Class::OtherProxy,
            };
        }
        if self.is_agentgateway() {
            return Class::Agentgateway;
        }
        if self.src_workload.is_some() || self.dst_workload.is_some() {
            return Class::Ztunnel;
        }
        Class::Sdk
    }

    /// Of a connection, whether the destination's ztunnel reports it.
    pub(crate) fn is_inbound(&self) -> bool {
        match value(self.direction) {
            Some("inbound") => true,
            Some("outbound") => false,
            // Of spans that do not say it, those of clients are the source's.
            _ => self.kind != 3 && value(self.dst_workload).is_some(),
        }
    }

    /// Returns the workload on the side whose ztunnel reports a connection, and
    /// its namespace.
    pub(crate) fn reporting_side(&self) -> Option<(&'a str, Option<&'a str>)> {
        let (workload, namespace) = match self.is_inbound() {
            true => (self.dst_workload, self.dst_namespace),
            false => (self.src_workload, self.src_namespace),
        };
        Some((value(workload)?, value(namespace)))
    }

    /// Returns true if agentgateway emitted the span. It has no `node_id`; the spans of
    /// requests name the Gateway, and the resource of all has the id where Kubernetes
    /// told the proxy which Pod it is.
    fn is_agentgateway(&self) -> bool {
        let of_resource = self.resource.agentgateway_node();
        of_resource.is_some() || self.listener.is_some() && self.agentgateway().is_some()
    }

    /// Returns the namespace and the name of the Gateway that an agentgateway is.
    pub(super) fn agentgateway(&self) -> Option<(&'a str, &'a str)> {
        let (namespace, name) = value(self.gateway)?.split_once('/')?;
        let is_whole = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
        is_whole.then_some((namespace, name))
    }

    /// Returns the namespace of an agentgateway.
    pub(super) fn agentgateway_namespace(&self) -> Option<&'a str> {
        let of_node = || Some(self.resource.agentgateway_node()?.namespace);
        let of_gateway = || Some(self.agentgateway()?.0);
        (self.resource.namespace())
            .or_else(of_node)
            .or_else(of_gateway)
    }

    /// Returns the namespace of the emitting pod.
    pub(crate) fn own_namespace(&self) -> Option<&'a str> {
        self.node()
            .map(|node| node.namespace)
            .or(value(self.namespace))
    }
}

/// Returns true if this is what Envoy calls the span of a call of its own.
pub(crate) fn is_own_call(span_name: &[u8]) -> bool {
    span_name.starts_with(b"async ")
}

impl<'a> ResourceFacts<'a> {
    /// Returns the id of an agentgateway.
    pub(super) fn agentgateway_node(&self) -> Option<NodeId<'a>> {
        let node = value(self.instance_id).and_then(NodeId::parse);
        node.filter(|node| node.kind == "agentgateway")
    }

    /// Returns the Pod of an agentgateway.
    pub(super) fn agentgateway_pod(&self) -> Option<&'a str> {
        value(self.k8s_pod).or_else(|| Some(self.agentgateway_node()?.pod))
    }
}
