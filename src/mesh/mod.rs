/*!
What the mesh means: what Istio's proxies emit and what Kiali asks for.

The parts, in the order a span meets them:

- [`NodeId`], [`UpstreamCluster`] and [`Host`] read the three texts in which a
  proxy says who it is and where it sent a request;
- [`Facts`] is what the rules see of a span, and [`Class`] which kind of hop it
  is; [`Destination`] is where it went, `cluster` whose cluster it is of;
- [`Scheme`] is how the described Kiali wants spans to be named, [`Described`]
  what the operator or Kiali's own configuration says of it;
- [`Directory`] is what Kubernetes holds, and [`Knowledge`] all that decisions
  rest on besides the span;
- [`decide()`] joins them: facts in, a new service name and tags out; `proxy`,
  `agentgateway` and `application` have the names of what emits spans,
  [`repair`] knows which span names hide the destination, `asked` by which
  names pages ask for a hop, [`alias`] which of these markers carry;
- [`ztunnel`] reads the access log of the proxy that emits no spans;
- [`pages`] asks what a Kiali asks, so that names can be checked against it,
  [`model`] holds decoded spans for that and for display, and `apply` does to
  them what was decided.

Everything here but [`watch`] is a pure function over borrowed text: no
runtime, no I/O, no protobuf on the way of a span. [`watch`] talks to others,
on threads of its own. Deciding twice changes nothing, so collectors
may be chained.
*/

mod agentgateway;
pub(crate) mod alias;
mod application;
mod apply;
mod asked;
mod class;
mod cluster;
mod decide;
mod described;
mod destination;
pub mod directory;
mod expected_waypoint;
mod facts;
mod host;
mod kiali;
mod knowledge;
mod known;
pub mod model;
mod node_id;
pub mod pages;
mod proxy;
pub(crate) mod repair;
mod rule;
mod scheme;
mod settings;
mod source;
mod upstream_cluster;
pub(crate) mod watch;
pub mod ztunnel;

#[cfg(test)]
mod tests;

pub(crate) use alias::Alias;
pub(crate) use class::{Class, is_own_call};
pub(crate) use decide::decide;
pub use described::Described;
pub(crate) use destination::Destination;
pub use directory::Directory;
pub use facts::key;
pub(crate) use facts::{Attr, Facts, Kin, PRESENCES, ResourceFacts, VALUES, is_telling};
pub(crate) use host::Host;
pub(crate) use kiali::VersionError;
pub use kiali::{Kiali, Version};
pub(crate) use knowledge::Reader;
pub use knowledge::{Current, Knowledge};
pub(crate) use node_id::{NodeId, workload_of_pod};
pub(crate) use scheme::{Form, Scheme};
pub(crate) use settings::KubernetesSettings;
pub use settings::{Aliases, Case, KubernetesMode, MeshSettings, Repairs};
pub(crate) use source::{Follow, KialiEndpoint, Tls};
pub use source::{KialiSource, ObjectName, Token};
pub(crate) use upstream_cluster::UpstreamCluster;
