/*!
What is kept of objects besides what names depend on, where a processor asks for
it: whose Pod it is, where it runs, its containers, chosen annotations.
*/

use std::collections::BTreeMap;

/// Further facts about a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodDetails {
    /// `metadata.uid`.
    pub uid: String,
    /// `spec.nodeName`.
    pub node: String,
    /// `spec.hostname`.
    pub hostname: String,
    /// The Pod shares its node's network: its address is not its own.
    pub host_network: bool,
    /// `status.podIP`.
    pub ip: String,
    /// `metadata.creationTimestamp`, as it is written.
    pub created: String,
    /// `status.startTime`, as it is written.
    pub started: String,
    /// `metadata.ownerReferences`, in their order.
    pub owners: Vec<OwnerReference>,
    /// The annotations that were asked for.
    pub annotations: Annotations,
    /// Containers, then init containers; none unless they were asked for.
    pub containers: Vec<ContainerSpec>,
    /// Their statuses, in the same order.
    pub statuses: Vec<ContainerStatus>,
}

/// Annotations of an object.
pub(crate) type Annotations = BTreeMap<String, String>;

/// An owner of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerReference {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// It manages the object.
    pub controller: bool,
}

/// A container, as the spec has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// Its image, as it is written.
    pub image: String,
}

/// A container, as the status has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// Its id, with the runtime's scheme.
    pub id: String,
    /// The id of its image.
    pub image_id: String,
    /// How often it was restarted.
    pub restarts: i64,
}

/// Further facts about a Namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceDetails {
    /// Its UID.
    pub uid: String,
    /// The annotations that were asked for.
    pub annotations: Annotations,
}
