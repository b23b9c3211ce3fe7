/*!
What the rules see of a span.

[`Facts`] borrows everything; it is filled from bytes on the way of a span and
from decoded spans in `wayspan demo`. An attribute that is present but is not a
string counts as present with an empty value: it must not be written again.
*/

use std::net::IpAddr;

/// Makes [`Facts`], the constants in [`key`] and the lists of keys from one table
/// of a span's attributes: a field, its constant, and its key.
macro_rules! span_attributes {
    (
        value { $($(#[$value_doc:meta])* $value:ident, $VALUE:ident = $value_key:literal;)* }
        presence { $($(#[$presence_doc:meta])* $presence:ident, $PRESENCE:ident = $presence_key:literal;)* }
    ) => {
        #[allow(dead_code, reason = "the table names every key, and the rules read some by field alone")]
        mod span_key {
            $($(#[$value_doc])* pub(crate) const $VALUE: &str = $value_key;)*
            $($(#[$presence_doc])* pub(crate) const $PRESENCE: &str = $presence_key;)*
        }

        /// The attributes of a span whose values the rules read.
        pub(crate) const VALUES: [&str; [$($value_key),*].len()] = [$($value_key),*];
        /// The attributes of a span of which the rules only read whether they
        /// are there.
        pub(crate) const PRESENCES: [&str; [$($presence_key),*].len()] = [$($presence_key),*];

        /// What the rules see of a span.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Facts<'a> {
            /// Its resource.
            pub(crate) resource: ResourceFacts<'a>,
            /// The span's name; only read where no cluster names the destination,
            /// and where it hides that.
            pub(crate) span_name: &'a str,
            /// `SpanKind` as on the wire (2 server, 3 client).
            pub(crate) kind: u8,
            /// Is true when [`key::ERROR`] is true and the status unset.
            pub(crate) unset_error: bool,
            /// The address the span came from; only read where [`Facts::asks_peer`].
            pub(crate) peer: Option<IpAddr>,
            /// The span of the same proxy that tells which one it is, where this one
            /// does not: Envoy's spawned upstream spans and its own calls.
            pub(crate) kin: Kin<'a>,
            $($(#[$value_doc])* pub(crate) $value: Attr<'a>,)*
            $($(#[$presence_doc])* pub(crate) $presence: Attr<'a>,)*
        }

        impl<'a> Facts<'a> {
            /// Returns the same facts, with the attributes that `find` knows by
            /// their keys. It is asked for [`VALUES`] first, then for
            /// [`PRESENCES`], each in order.
            pub(crate) fn with_attributes(self, mut find: impl FnMut(&'static str) -> Attr<'a>) -> Self {
                Self {
                    $($value: find($value_key),)*
                    $($presence: find($presence_key),)*
                    ..self
                }
            }
        }
    };
}

span_attributes! {
    value {
        /// Istio proxies' own id.
        node_id, NODE_ID = "node_id";
        /// The cluster that Envoy sent the request to.
        upstream_cluster, UPSTREAM_CLUSTER = "upstream_cluster";
        /// The same cluster under its observability name.
        upstream_cluster_name, UPSTREAM_CLUSTER_NAME = "upstream_cluster.name";
        /// `proxy` on every span of Envoy.
        component, COMPONENT = "component";
        /// Canonical service of the proxy's own pod.
        canonical_service, CANONICAL_SERVICE = "istio.canonical_service";
        /// Namespace of the proxy's own pod.
        namespace, NAMESPACE = "istio.namespace";
        /// Cluster id; Kiali 2.4+ puts it into every question.
        cluster_id, CLUSTER_ID = "istio.cluster_id";
        /// The cluster, as Kiali's documentation told users of older Istios to tag it.
        cluster, CLUSTER = "cluster";
        /// The cluster, by OpenTelemetry's conventions for Kubernetes.
        k8s_cluster, K8S_CLUSTER = "k8s.cluster.name";
        /// agentgateway: the Gateway that it is, as `namespace/name`.
        gateway, GATEWAY = "gateway";
        /// Canonical service of the destination.
        destination_canonical_service, DESTINATION_CANONICAL_SERVICE = "istio.destination_canonical_service";
        /// Namespace of the destination.
        destination_namespace, DESTINATION_NAMESPACE = "istio.destination_namespace";
        /// ztunnel: the source's Pod or, where it does not know that, workload.
        src_workload, ZTUNNEL_SRC_WORKLOAD = "src.workload";
        /// ztunnel: the source's namespace.
        src_namespace, ZTUNNEL_SRC_NAMESPACE = "src.namespace";
        /// ztunnel: the destination's Pod or, where it does not know that, workload.
        dst_workload, ZTUNNEL_DST_WORKLOAD = "dst.workload";
        /// ztunnel: the destination's namespace.
        dst_namespace, ZTUNNEL_DST_NAMESPACE = "dst.namespace";
        /// ztunnel: the Service that the destination was addressed by.
        dst_service, ZTUNNEL_DST_SERVICE = "dst.service";
        /// ztunnel: `inbound` or `outbound`.
        direction, ZTUNNEL_DIRECTION = "direction";
    }
    presence {
        /// App of the destination.
        destination_app, DESTINATION_APP = "istio.destination_app";
        /// Workload of the destination.
        destination_workload, DESTINATION_WORKLOAD = "istio.destination_workload";
        /// Canonical service of the source.
        source_canonical_service, SOURCE_CANONICAL_SERVICE = "istio.source_canonical_service";
        /// Namespace of the source.
        source_namespace, SOURCE_NAMESPACE = "istio.source_namespace";
        /// Workload of the source.
        source_workload, SOURCE_WORKLOAD = "istio.source_workload";
        /// agentgateway: the listener of its Gateway.
        listener, LISTENER = "listener";
        /// `true` on spans that no proxy and no application emitted.
        synthetic, SYNTHETIC = "wayspan.synthetic";
    }
}

/// The attribute keys that the rules read or write.
pub mod key {
    pub(crate) use super::span_key::*;

    /// `true`, as text or as it is, where the request failed.
    pub(crate) const ERROR: &str = "error";
    /// The span's name before it was repaired.
    pub(crate) const ORIGINAL_SPAN_NAME: &str = "wayspan.original_span_name";

    /// Resource: the service name, the only one that Jaeger searches by.
    pub const SERVICE_NAME: &str = "service.name";
    /// Resource: the service name as it was emitted.
    pub(crate) const ORIGINAL_SERVICE_NAME: &str = "wayspan.original_service_name";
    /// Resource: the pod's name, by which Kiali finds a workload's SDK spans.
    pub(crate) const HOSTNAME: &str = "hostname";
    /// Resource: namespace, by OpenTelemetry's conventions for Kubernetes.
    pub(crate) const K8S_NAMESPACE: &str = "k8s.namespace.name";
    /// Resource: namespace of `service.name`.
    pub(crate) const SERVICE_NAMESPACE: &str = "service.namespace";
    /// Resource: the pod, by OpenTelemetry's conventions for Kubernetes.
    pub(crate) const K8S_POD: &str = "k8s.pod.name";
    /// Resource: the pod's address, by the same conventions.
    pub(crate) const K8S_POD_IP: &str = "k8s.pod.ip";
    /// Resource: the host, which in a container is the pod.
    pub(crate) const HOST_NAME: &str = "host.name";
    /// Resource: the address of the host, by which Jaeger tells clocks apart.
    pub(crate) const HOST_IP: &str = "host.ip";
    /// Resource: the host's own id, which goes before its address.
    pub(crate) const HOST_ID: &str = "host.id";
    /// Resource: which instance of `service.name` it is; agentgateway's `node_id`.
    pub(crate) const INSTANCE_ID: &str = "service.instance.id";
    /// Resource: what owns the pod, by the same conventions.
    pub(crate) const K8S_DEPLOYMENT: &str = "k8s.deployment.name";
    /// Resource: the same.
    pub(crate) const K8S_STATEFULSET: &str = "k8s.statefulset.name";
    /// Resource: the same.
    pub(crate) const K8S_DAEMONSET: &str = "k8s.daemonset.name";
    /// Resource: the same.
    pub(crate) const K8S_CRONJOB: &str = "k8s.cronjob.name";
    /// Resource: the same.
    pub(crate) const K8S_JOB: &str = "k8s.job.name";
    /// Resource: what a Deployment owns, and owns the pod.
    pub(crate) const K8S_REPLICASET: &str = "k8s.replicaset.name";
}

/// Returns true if this attribute of a span says what kind of hop it is or where it went,
/// or may be written by the rules.
pub(crate) fn is_telling(key: &str) -> bool {
    const CLUSTERS: [&str; 2] = [key::CLUSTER, key::K8S_CLUSTER];
    let is_read = VALUES.contains(&key) || PRESENCES.contains(&key);
    is_read && !CLUSTERS.contains(&key) || key.starts_with("wayspan.")
}

/// An attribute: `None` when absent, `Some("")` when present without a usable string.
pub(crate) type Attr<'a> = Option<&'a str>;

/// Returns the value of an attribute, unless it says nothing (`-` is Envoy's
/// nothing).
pub(crate) fn value(attr: Attr<'_>) -> Option<&str> {
    attr.filter(|text| !text.is_empty() && *text != "-")
}

/// What the rules see of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceFacts<'a> {
    /// [`key::SERVICE_NAME`].
    pub(crate) service_name: Attr<'a>,
    /// [`key::ORIGINAL_SERVICE_NAME`].
    pub(crate) original: Attr<'a>,
    /// [`key::K8S_NAMESPACE`].
    pub(crate) k8s_namespace: Attr<'a>,
    /// [`key::SERVICE_NAMESPACE`].
    pub(crate) service_namespace: Attr<'a>,
    /// [`key::K8S_POD`].
    pub(crate) k8s_pod: Attr<'a>,
    /// [`key::K8S_POD_IP`].
    pub(crate) k8s_pod_ip: Attr<'a>,
    /// [`key::HOST_NAME`].
    pub(crate) host_name: Attr<'a>,
    /// [`key::HOSTNAME`].
    pub(crate) hostname: Attr<'a>,
    /// [`key::HOST_IP`].
    pub(crate) host_ip: Attr<'a>,
    /// [`key::HOST_ID`].
    pub(crate) host_id: Attr<'a>,
    /// [`key::INSTANCE_ID`].
    pub(crate) instance_id: Attr<'a>,
    /// [`key::K8S_DEPLOYMENT`].
    pub(crate) k8s_deployment: Attr<'a>,
    /// [`key::K8S_STATEFULSET`].
    pub(crate) k8s_statefulset: Attr<'a>,
    /// [`key::K8S_DAEMONSET`].
    pub(crate) k8s_daemonset: Attr<'a>,
    /// [`key::K8S_CRONJOB`].
    pub(crate) k8s_cronjob: Attr<'a>,
    /// [`key::K8S_JOB`].
    pub(crate) k8s_job: Attr<'a>,
    /// [`key::K8S_REPLICASET`].
    pub(crate) k8s_replicaset: Attr<'a>,
    /// [`key::CLUSTER_ID`], where it stands on the resource.
    pub(crate) cluster_id: Attr<'a>,
    /// [`key::CLUSTER`], where it stands on the resource.
    pub(crate) cluster: Attr<'a>,
    /// [`key::K8S_CLUSTER`], where it stands on the resource.
    pub(crate) k8s_cluster: Attr<'a>,
}

impl<'a> ResourceFacts<'a> {
    /// Collects facts from string attributes; others are given as `""`. Keys
    /// are unique in OTLP; of repeated ones the last is seen, as in Jaeger.
    pub(crate) fn from_attributes(
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut facts = Self::default();
        for (name, text) in attributes {
            let slot = match name {
                key::SERVICE_NAME => &mut facts.service_name,
                key::ORIGINAL_SERVICE_NAME => &mut facts.original,
                key::K8S_NAMESPACE => &mut facts.k8s_namespace,
                key::SERVICE_NAMESPACE => &mut facts.service_namespace,
                key::K8S_POD => &mut facts.k8s_pod,
                key::K8S_POD_IP => &mut facts.k8s_pod_ip,
                key::HOST_NAME => &mut facts.host_name,
                key::HOSTNAME => &mut facts.hostname,
                key::HOST_IP => &mut facts.host_ip,
                key::HOST_ID => &mut facts.host_id,
                key::INSTANCE_ID => &mut facts.instance_id,
                key::K8S_DEPLOYMENT => &mut facts.k8s_deployment,
                key::K8S_STATEFULSET => &mut facts.k8s_statefulset,
                key::K8S_DAEMONSET => &mut facts.k8s_daemonset,
                key::K8S_CRONJOB => &mut facts.k8s_cronjob,
                key::K8S_JOB => &mut facts.k8s_job,
                key::K8S_REPLICASET => &mut facts.k8s_replicaset,
                key::CLUSTER_ID => &mut facts.cluster_id,
                key::CLUSTER => &mut facts.cluster,
                key::K8S_CLUSTER => &mut facts.k8s_cluster,
                _ => continue,
            };
            *slot = Some(text);
        }
        facts
    }

    /// Returns the name the span was emitted with, whatever it is called by
    /// now.
    pub(crate) fn emitted_name(&self) -> Option<&'a str> {
        value(self.original).or(value(self.service_name))
    }

    /// Returns the name as emitted, where [`key::ORIGINAL_SERVICE_NAME`] is yet
    /// to be written when the name changes.
    pub(crate) fn unmarked_name(&self) -> Option<&'a str> {
        value(self.service_name).filter(|_| self.original.is_none())
    }

    /// Returns the namespace the resource itself claims to be in.
    pub(crate) fn namespace(&self) -> Option<&'a str> {
        value(self.k8s_namespace).or(value(self.service_namespace))
    }
}

/// What another span of the same resource says of the proxy that emitted both. One
/// `ResourceSpans` is one proxy's, or, where a collector has joined several, that of
/// proxies with one emitted name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kin<'a> {
    /// Its [`key::NODE_ID`].
    pub(crate) node_id: Attr<'a>,
    /// Its [`key::CANONICAL_SERVICE`].
    pub(crate) canonical_service: Attr<'a>,
    /// Is true when it is the parent, and so of the very same proxy.
    pub(crate) is_parent: bool,
}
