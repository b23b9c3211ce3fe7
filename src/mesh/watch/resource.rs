/*! The kinds of objects that are followed, in the API's words. */

/// A kind of object that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Pods.
    Pods,
    /// Services.
    Services,
    /// Namespaces, only their metadata.
    Namespaces,
    /// Nodes, only their metadata.
    Nodes,
    /// ReplicaSets, only their metadata.
    ReplicaSets,
    /// Deployments, only their metadata.
    Deployments,
    /// StatefulSets, only their metadata.
    StatefulSets,
    /// DaemonSets, only their metadata.
    DaemonSets,
    /// Jobs, only their metadata.
    Jobs,
    /// ConfigMaps: Kiali's configuration, or Istio's.
    ConfigMaps,
    /// Custom resources of the Kiali operator.
    Kialis,
}

impl Resource {
    /// The kinds that a directory is built from.
    pub(crate) const OF_DIRECTORY: [Resource; 3] =
        [Resource::Pods, Resource::Services, Resource::Namespaces];

    /// The kinds that a watcher of objects may follow, in the order of their numbers.
    pub(crate) const FOLLOWED: [Resource; 9] = [
        Resource::Pods,
        Resource::Services,
        Resource::Namespaces,
        Resource::Nodes,
        Resource::ReplicaSets,
        Resource::Deployments,
        Resource::StatefulSets,
        Resource::DaemonSets,
        Resource::Jobs,
    ];

    /// Returns the name in paths and in RBAC.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Resource::Pods => "pods",
            Resource::Services => "services",
            Resource::Namespaces => "namespaces",
            Resource::Nodes => "nodes",
            Resource::ReplicaSets => "replicasets",
            Resource::Deployments => "deployments",
            Resource::StatefulSets => "statefulsets",
            Resource::DaemonSets => "daemonsets",
            Resource::Jobs => "jobs",
            Resource::ConfigMaps => "configmaps",
            Resource::Kialis => "kialis",
        }
    }

    /// Returns the `kind` of one object.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Resource::Pods => "Pod",
            Resource::Services => "Service",
            Resource::Namespaces => "Namespace",
            Resource::Nodes => "Node",
            Resource::ReplicaSets => "ReplicaSet",
            Resource::Deployments => "Deployment",
            Resource::StatefulSets => "StatefulSet",
            Resource::DaemonSets => "DaemonSet",
            Resource::Jobs => "Job",
            Resource::ConfigMaps => "ConfigMap",
            Resource::Kialis => "Kiali",
        }
    }

    /// Returns the API group; empty for the core group.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Resource::Kialis => "kiali.io",
            Resource::ReplicaSets
            | Resource::Deployments
            | Resource::StatefulSets
            | Resource::DaemonSets => "apps",
            Resource::Jobs => "batch",
            _ => "",
        }
    }

    /// Returns the name that `kubectl` takes: with the group, where there is one.
    pub(crate) fn qualified(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    /// Returns true if objects of this kind lie in namespaces.
    pub(crate) fn is_namespaced(self) -> bool {
        !matches!(self, Resource::Namespaces | Resource::Nodes)
    }

    /// Returns the collection's path, in one namespace or in all.
    pub(crate) fn path(self, namespace: Option<&str>) -> String {
        let api = match self.group() {
            "" => "/api/v1".to_owned(),
            "kiali.io" => "/apis/kiali.io/v1alpha1".to_owned(),
            group => format!("/apis/{group}/v1"),
        };
        let plural = self.plural();
        match namespace {
            Some(namespace) if self.is_namespaced() => {
                format!("{api}/namespaces/{namespace}/{plural}")
            }
            _ => format!("{api}/{plural}"),
        }
    }
}
