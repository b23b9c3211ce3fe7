/*!
The filters that Kiali runs over the traces of a search. A trace stays if, for
each of them, some span passes.
*/

use super::{Page, PageKind, lookup::Lookup};
use crate::mesh::{facts::key, model::Span};
use std::fmt;

/// A filter over the spans of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// Some span concerns the service or app.
    Concerns(String),
    /// Some span is the workload's own, by `node_id` or `hostname`.
    Emitted(String),
    /// Some span led to or came from the workload, or to its app where no
    /// span tag tells workloads apart.
    Reached { workload: String, app: String },
}

/// Returns the filters of a page.
pub(super) fn of(page: &Page, lookup: &Lookup) -> Vec<Filter> {
    let mut filters = Vec::new();
    // Apps and services: the handler (`handlers/tracing.go:AppTraces`) and
    // `business/tracing.go:GetServiceTraces` compare the name looked up with
    // the object's. Workloads: `GetWorkloadTraces` compares it with the app.
    // `GetAppTraces` filters where they differ.
    let concerned = match page.kind {
        PageKind::App | PageKind::Service => &page.name,
        PageKind::Workload => &lookup.app,
    };
    if lookup.name != *concerned {
        filters.push(Filter::Concerns(concerned.clone()));
    }
    // `business/tracing.go:GetWorkloadTraces`, `matchesWorkload`.
    if page.kind == PageKind::Workload {
        filters.push(match lookup.through_waypoint {
            true => Filter::Reached {
                workload: page.name.clone(),
                app: lookup.app.clone(),
            },
            false => Filter::Emitted(page.name.clone()),
        });
    }
    filters
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Concerns(app) => write!(f, "a span to, from or named after {app}"),
            Self::Emitted(workload) => write!(f, "a span of a Pod of {workload}"),
            Self::Reached { workload, app } => {
                write!(f, "a span to or from {workload}, or named after {app}")
            }
        }
    }
}

impl Filter {
    /// Returns true if a span passes; `peer_tags`: this Kiali reads
    /// `istio.destination_*` and `istio.source_*` (2.26).
    pub(super) fn passes(&self, span: &Span, namespace: &str, peer_tags: bool) -> bool {
        match self {
            Filter::Concerns(app) => concerns(span, app, namespace, peer_tags),
            Filter::Emitted(workload) => emitted(span, workload, namespace),
            Filter::Reached { workload, app } => match reached(span, workload, namespace) {
                // Once the tags are there, Kiali has no second try.
                Some(reached) if peer_tags => reached,
                _ => names(span, app, namespace),
            },
        }
    }
}

/// `business/tracing.go:operationSpanFilter`.
fn concerns(span: &Span, app: &str, namespace: &str, peer_tags: bool) -> bool {
    let tagged = || {
        [
            (
                key::DESTINATION_CANONICAL_SERVICE,
                key::DESTINATION_NAMESPACE,
            ),
            (key::SOURCE_CANONICAL_SERVICE, key::SOURCE_NAMESPACE),
        ]
        .into_iter()
        .any(|(name, ns)| tag(span, name) == Some(app) && tag(span, ns) == Some(namespace))
    };
    (peer_tags && tagged()) || names(span, app, namespace)
}

/// Returns true if the span's name begins `app.namespace`, as the host in a
/// route's name does (`operationSpanFilter`, `spanMatchesWorkload`).
fn names(span: &Span, app: &str, namespace: &str) -> bool {
    span.name
        .strip_prefix(app)
        .and_then(|rest| rest.strip_prefix('.'))
        .is_some_and(|rest| rest.starts_with(namespace))
}

/// `business/tracing.go:spanHasAmbientWorkloadTags` (`None` if it has not) and
/// `spanMatchesAmbientWorkload`.
fn reached(span: &Span, workload: &str, namespace: &str) -> Option<bool> {
    let pairs = [
        (key::DESTINATION_WORKLOAD, key::DESTINATION_NAMESPACE),
        (key::SOURCE_WORKLOAD, key::SOURCE_NAMESPACE),
    ]
    .map(|(name, ns)| tag(span, name).zip(tag(span, ns)));
    pairs
        .iter()
        .any(Option::is_some)
        .then(|| pairs.contains(&Some((workload, namespace))))
}

/// `business/tracing.go:spanMatchesWorkload`, for a workload without waypoint.
/// `host.name` and `k8s.pod.name` are not read.
fn emitted(span: &Span, workload: &str, namespace: &str) -> bool {
    span.tag(key::NODE_ID)
        .and_then(|id| id.split('~').nth(2))
        .is_some_and(|pod| pod.starts_with(workload) && pod.ends_with(namespace))
        || [span.tag(key::HOSTNAME), span.resource_tag(key::HOSTNAME)]
            .into_iter()
            .flatten()
            .any(|host| host.starts_with(workload))
}

/// `business/tracing.go:spanTagValue`: only the empty text is no value.
fn tag<'s>(span: &'s Span, key: &str) -> Option<&'s str> {
    span.tag(key).filter(|text| !text.is_empty())
}
