/*!
Names of tags and attributes that mean something to the translation.
*/

/// Tag with the span's trace state.
pub(super) const TRACE_STATE: &str = "w3c.tracestate";
/// Tag with the kind, where Zipkin has none for it.
pub(super) const SPAN_KIND: &str = "span.kind";
/// Tag of a span that failed.
pub(super) const ERROR: &str = "error";
/// Tag with the status code's name.
pub(super) const STATUS_CODE: &str = "otel.status_code";
/// Tag with the status's message.
pub(super) const STATUS_DESCRIPTION: &str = "otel.status_description";
/// Tag with the name of the resource attribute that the service name is from, if that is
/// not `service.name`.
pub(super) const SERVICE_NAME_SOURCE: &str = "otlp.service.name.source";
/// Attribute of a span that had no timestamp.
pub(super) const NO_START_TIME: &str = "otel.zipkin.absentField.startTime";
/// Beginning of the names of tags that have a link each, numbered from 0.
pub(super) const LINK: &str = "otlp.link.";
/// How many links a span may have in tags.
pub(super) const MAX_LINKS: usize = 128;

/// Tags with the name of the scope, old and new.
pub(super) const LIBRARY_NAME: &str = "otel.library.name";
pub(super) const SCOPE_NAME: &str = "otel.scope.name";
/// Tags with the version of the scope, old and new.
pub(super) const LIBRARY_VERSION: &str = "otel.library.version";
pub(super) const SCOPE_VERSION: &str = "otel.scope.version";

/// Attributes that are made of endpoints.
pub(super) const LOCAL_ADDRESS: &str = "network.local.address";
pub(super) const LOCAL_PORT: &str = "net.host.port";
pub(super) const PEER_SERVICE: &str = "service.peer.name";
pub(super) const PEER_ADDRESS: &str = "network.peer.address";
pub(super) const PEER_PORT: &str = "net.peer.port";

/// Resource attribute with the name of the service.
pub(super) const SERVICE_NAME: &str = "service.name";
/// Service name that stands for none.
pub(super) const NO_SERVICE_NAME: &str = "OTLPResourceNoServiceName";

/// Returns true if a tag of this name is an attribute of the resource.
pub(super) fn is_of_resource(name: &[u8]) -> bool {
    let found = OF_RESOURCE.binary_search_by(|known| known.as_bytes().cmp(name));
    found.is_ok()
}

/// Returns true if a tag of this name never becomes an attribute of the span.
pub(super) fn is_never_of_span(name: &[u8]) -> bool {
    let others = [
        SERVICE_NAME_SOURCE,
        LIBRARY_NAME,
        LIBRARY_VERSION,
        SCOPE_NAME,
        SCOPE_VERSION,
    ];
    others.iter().any(|other| other.as_bytes() == name) || is_of_resource(name)
}

/// Attributes that semantic conventions have for resources, in order.
const OF_RESOURCE: &[&str] = &[
    "aws.ecs.cluster.arn",
    "aws.ecs.container.arn",
    "aws.ecs.launchtype",
    "aws.ecs.task.arn",
    "aws.ecs.task.family",
    "aws.ecs.task.revision",
    "aws.eks.cluster.arn",
    "aws.log.group.arns",
    "aws.log.group.names",
    "aws.log.stream.arns",
    "aws.log.stream.names",
    "cloud.account.id",
    "cloud.availability_zone",
    "cloud.platform",
    "cloud.provider",
    "cloud.region",
    "cloud.resource_id",
    "container.id",
    "container.image.name",
    "container.image.tag",
    "container.name",
    "container.runtime",
    "deployment.environment",
    "device.id",
    "device.manufacturer",
    "device.model.identifier",
    "device.model.name",
    "faas.id",
    "faas.instance",
    "faas.max_memory",
    "faas.name",
    "faas.version",
    "host.arch",
    "host.id",
    "host.image.id",
    "host.image.name",
    "host.image.version",
    "host.name",
    "host.type",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.container.restart_count",
    "k8s.cronjob.name",
    "k8s.cronjob.uid",
    "k8s.daemonset.name",
    "k8s.daemonset.uid",
    "k8s.deployment.name",
    "k8s.deployment.uid",
    "k8s.job.name",
    "k8s.job.uid",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.node.uid",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.replicaset.name",
    "k8s.replicaset.uid",
    "k8s.statefulset.name",
    "k8s.statefulset.uid",
    "opencensus.exporterversion",
    "opencensus.resourcetype",
    "opencensus.starttime",
    "os.description",
    "os.name",
    "os.type",
    "os.version",
    "process.command",
    "process.command_args",
    "process.command_line",
    "process.executable.name",
    "process.executable.path",
    "process.owner",
    "process.pid",
    "process.runtime.description",
    "process.runtime.name",
    "process.runtime.version",
    "service.instance.id",
    "service.name",
    "service.namespace",
    "service.version",
    "telemetry.auto.version",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
    "webengine.description",
    "webengine.name",
    "webengine.version",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_found() {
        assert!(OF_RESOURCE.is_sorted());
        assert!(
            OF_RESOURCE
                .iter()
                .all(|name| is_of_resource(name.as_bytes()))
        );
        assert!(!is_of_resource(b"http.url") && !is_of_resource(b""));
        assert!(is_never_of_span(b"otel.scope.version") && !is_never_of_span(b"error"));
    }
}
