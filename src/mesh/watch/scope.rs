/*!
What a watcher asks, and of whom. Processors whose scope is the same share a watcher.
*/

use super::{client::Access, resource::Resource, store::Picked};
use crate::mesh::KubernetesSettings;

/// Which objects are asked for, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchScope {
    /// The way to the API server.
    pub(crate) access: Access,
    /// The only namespaces to look into; empty: all.
    pub(crate) namespaces: Vec<String>,
    /// Which Pods there.
    pub(crate) pods: Picked,
    /// The only Node.
    pub(crate) node: Option<String>,
    /// Namespaces are told of all, whatever `namespaces` says.
    pub(crate) all_namespaces: bool,
}

impl WatchScope {
    /// Returns the scope of a processor that names spans.
    pub(crate) fn of(settings: &KubernetesSettings) -> Self {
        Self {
            access: Access::of(settings),
            namespaces: settings.namespaces.clone(),
            all_namespaces: settings.namespaces.is_empty(),
            ..Self::default()
        }
    }

    /// Returns the namespaces in which `resource` is looked for, each with a watch of its
    /// own; None: in all.
    pub(super) fn places(&self, resource: Resource) -> Vec<Option<String>> {
        let everywhere = match resource {
            Resource::Namespaces => self.all_namespaces,
            _ => !resource.is_namespaced(),
        };
        match &self.namespaces[..] {
            [] => vec![None],
            _ if everywhere => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        }
    }

    /// Returns which objects of `resource` are asked for.
    pub(super) fn picked(&self, resource: Resource) -> Picked {
        match resource {
            Resource::Pods => self.pods.clone(),
            Resource::Nodes => Picked {
                fields: (self.node.as_ref()).map(|name| format!("metadata.name={name}")),
                labels: None,
            },
            _ => Picked::default(),
        }
    }
}
