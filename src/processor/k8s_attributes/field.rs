/*! The attributes that `extract.metadata` may name. */

/// An attribute that Kubernetes tells of a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetadataField {
    NamespaceName,
    PodName,
    PodUid,
    PodHostname,
    PodStartTime,
    PodIp,
    DeploymentName,
    DeploymentUid,
    ReplicaSetName,
    ReplicaSetUid,
    DaemonSetName,
    DaemonSetUid,
    StatefulSetName,
    StatefulSetUid,
    JobName,
    JobUid,
    CronJobName,
    CronJobUid,
    NodeName,
    NodeUid,
    ContainerName,
    ContainerId,
    ImageName,
    ImageTag,
    ImageTags,
    ImageRepoDigests,
    ClusterUid,
    ServiceNamespace,
    ServiceName,
    ServiceVersion,
    ServiceInstanceId,
}

use MetadataField as F;

impl MetadataField {
    /// All, with the attributes that they are.
    pub(super) const ALL: &'static [(&'static str, Self)] = &[
        ("k8s.namespace.name", F::NamespaceName),
        ("k8s.pod.name", F::PodName),
        ("k8s.pod.uid", F::PodUid),
        ("k8s.pod.hostname", F::PodHostname),
        ("k8s.pod.start_time", F::PodStartTime),
        ("k8s.pod.ip", F::PodIp),
        ("k8s.deployment.name", F::DeploymentName),
        ("k8s.deployment.uid", F::DeploymentUid),
        ("k8s.replicaset.name", F::ReplicaSetName),
        ("k8s.replicaset.uid", F::ReplicaSetUid),
        ("k8s.daemonset.name", F::DaemonSetName),
        ("k8s.daemonset.uid", F::DaemonSetUid),
        ("k8s.statefulset.name", F::StatefulSetName),
        ("k8s.statefulset.uid", F::StatefulSetUid),
        ("k8s.job.name", F::JobName),
        ("k8s.job.uid", F::JobUid),
        ("k8s.cronjob.name", F::CronJobName),
        ("k8s.cronjob.uid", F::CronJobUid),
        ("k8s.node.name", F::NodeName),
        ("k8s.node.uid", F::NodeUid),
        ("k8s.container.name", F::ContainerName),
        ("container.id", F::ContainerId),
        ("container.image.name", F::ImageName),
        ("container.image.tag", F::ImageTag),
        ("container.image.tags", F::ImageTags),
        ("container.image.repo_digests", F::ImageRepoDigests),
        ("k8s.cluster.uid", F::ClusterUid),
        ("service.namespace", F::ServiceNamespace),
        ("service.name", F::ServiceName),
        ("service.version", F::ServiceVersion),
        ("service.instance.id", F::ServiceInstanceId),
    ];

    /// The Collector's default.
    pub(super) const DEFAULT: &'static [Self] = &[
        F::ImageName,
        F::ImageTag,
        F::DeploymentName,
        F::NamespaceName,
        F::NodeName,
        F::PodName,
        F::PodStartTime,
        F::PodUid,
    ];

    /// Finds the one that is this attribute.
    pub(super) fn find(attribute: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(name, _)| *name == attribute);
        found.map(|(_, field)| *field)
    }
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MetadataFields(u32);

impl MetadataFields {
    /// Those in `fields`.
    pub(super) fn of(fields: &[MetadataField]) -> Self {
        Self(
            fields
                .iter()
                .fold(0, |bits, field| bits | 1 << *field as u32),
        )
    }

    /// Whether `field` is one of them.
    pub(super) fn has(self, field: MetadataField) -> bool {
        self.0 & 1 << field as u32 != 0
    }

    /// Whether any of `fields` is one of them.
    pub(super) fn has_any(self, fields: &[MetadataField]) -> bool {
        self.0 & Self::of(fields).0 != 0
    }

    /// Whether anything is wanted that containers tell.
    pub(super) fn needs_containers(self) -> bool {
        self.has_any(&[
            F::ImageName,
            F::ContainerName,
            F::ImageTag,
            F::ImageTags,
            F::ImageRepoDigests,
            F::ContainerId,
            F::ServiceVersion,
            F::ServiceInstanceId,
        ])
    }
}
