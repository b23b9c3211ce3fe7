/*!
Which cluster a span is of.

Istio's proxies say it (`istio.cluster_id`). Proxies of Istio before 1.21 have the tag
`cluster` that Kiali's documentation told users to add. Applications, and collectors for
anybody, say it by `k8s.cluster.name` of OpenTelemetry's conventions, or by `cluster`. What
a span or its resource says goes before what the configuration says, and what is known
of Kubernetes is known of the configured cluster alone.

Clouds and operators name clusters, too, so these last words count only where the
cluster's own id is known, and not against a Pod of that cluster: Kubernetes draws the
names of Pods, and no other cluster has the same.
*/

use super::{
    Class, Directory, Facts, Knowledge,
    directory::PodView,
    facts::value,
    node_id::{is_drawn, is_hash},
    settings::DEFAULT_CLUSTER_ID,
};

impl Knowledge {
    /// Returns the directory, where it is that of the span's cluster. The default id may
    /// be nobody's: then what a span says can differ from it and mean this cluster.
    pub(super) fn directory_of(&self, facts: &Facts<'_>) -> Option<&Directory> {
        let is_own = || self.told(facts).is_none_or(|told| told == self.cluster_id);
        self.watched().filter(|_| !self.is_named() || is_own())
    }

    /// Returns the id of the span's cluster, to be added where it has none.
    pub(super) fn cluster_of<'a>(&'a self, facts: &Facts<'a>) -> &'a str {
        match self.cluster_id.is_empty() {
            // None is to be added.
            true => "",
            false => self.told(facts).unwrap_or(&self.cluster_id),
        }
    }

    fn watched(&self) -> Option<&Directory> {
        (!self.directory.is_empty()).then_some(&*self.directory)
    }

    /// Returns the cluster that a span says it is of.
    fn told<'a>(&self, facts: &Facts<'a>) -> Option<&'a str> {
        let is_proxy = facts.class() != Class::Sdk;
        let by_proxy = value(facts.cluster).filter(|_| is_proxy);
        facts.cluster_by_istio().or(by_proxy).or_else(|| {
            let told = facts.cluster_by_others().filter(|_| self.is_named())?;
            (told == self.cluster_id || !self.has_pod_of(facts)).then_some(told)
        })
    }

    /// Returns true if somebody gave the cluster its id.
    fn is_named(&self) -> bool {
        !self.cluster_id.is_empty() && self.cluster_id != DEFAULT_CLUSTER_ID
    }

    /// Returns true if the span is of a Pod that is watched, by a name that Kubernetes
    /// drew.
    fn has_pod_of(&self, facts: &Facts<'_>) -> bool {
        let resource = &facts.resource;
        let of_node = facts.node().map(|node| (node.namespace, node.pod));
        let named = || Some((value(resource.k8s_namespace)?, value(resource.k8s_pod)?));
        let pod = of_node.or_else(named).and_then(|(namespace, name)| {
            let known = self.watched()?;
            known.pod(namespace, name)
        });
        pod.is_some_and(|pod| is_unique(&pod))
    }
}

/// Returns true if no Pod of another cluster has the same name: that of a ReplicaSet's,
/// not that of a StatefulSet's.
fn is_unique(pod: &PodView<'_>) -> bool {
    let mut parts = pod.name.rsplit('-');
    let (own, set) = (parts.next(), parts.next());
    own.is_some_and(|own| own.len() == 5 && own.bytes().all(is_drawn)) && set.is_some_and(is_hash)
}

impl<'a> Facts<'a> {
    /// Returns Istio's id of the cluster, if the span or its resource has it.
    fn cluster_by_istio(&self) -> Option<&'a str> {
        value(self.cluster_id).or(value(self.resource.cluster_id))
    }

    /// Returns the cluster in other words than Istio's.
    fn cluster_by_others(&self) -> Option<&'a str> {
        let words = [
            self.cluster,
            self.k8s_cluster,
            self.resource.k8s_cluster,
            self.resource.cluster,
        ];
        words.into_iter().find_map(value)
    }
}
