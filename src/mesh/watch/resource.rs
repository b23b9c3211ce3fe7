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
    /// ConfigMaps: Kiali's configuration, or Istio's.
    ConfigMaps,
    /// Custom resources of the Kiali operator.
    Kialis,
}

impl Resource {
    /// The kinds that a directory is built from.
    pub(crate) const OF_DIRECTORY: [Resource; 3] =
        [Resource::Pods, Resource::Services, Resource::Namespaces];

    /// Returns the name in paths and in RBAC.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Resource::Pods => "pods",
            Resource::Services => "services",
            Resource::Namespaces => "namespaces",
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
            Resource::ConfigMaps => "ConfigMap",
            Resource::Kialis => "Kiali",
        }
    }

    /// Returns the API group; empty for the core group.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Resource::Kialis => "kiali.io",
            _ => "",
        }
    }

    /// Returns the collection's path, in one namespace or in all. Namespaces
    /// lie in none.
    pub(crate) fn path(self, namespace: Option<&str>) -> String {
        let api = match self {
            Resource::Kialis => "/apis/kiali.io/v1alpha1",
            _ => "/api/v1",
        };
        let plural = self.plural();
        match namespace {
            Some(namespace) if self != Resource::Namespaces => {
                format!("{api}/namespaces/{namespace}/{plural}")
            }
            _ => format!("{api}/{plural}"),
        }
    }
}
