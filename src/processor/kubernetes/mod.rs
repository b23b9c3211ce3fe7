/*!
What processors watch in Kubernetes, together: one watcher for all that ask for the
same, whatever their kind.

A processor asks while it is built ([`KubernetesBackground`]): `mesh` for a directory, `k8s_attributes`
for the objects themselves. When all have asked, watchers are prepared, and
started before spans are taken.
*/

pub(crate) mod access;
mod background;
mod request;
mod watchers;

pub(crate) use background::KubernetesBackground;
pub(crate) use request::ControlPlaneSlot;
pub(crate) use watchers::is_wanted;
