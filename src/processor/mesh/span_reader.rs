/*!
What spans mean that pass, for those who look: which kind of hop emitted them, where they
went, and which pages of the Kiali in force search for them by the name that they have.

Whether such a page keeps the trace may depend on spans of the trace that are not at hand,
so that is not said.
*/

use crate::{
    mesh::{
        Current,
        model::{self, Hop, Span},
        pages::{Question, concerned},
    },
    pipeline::{PassedSpan, SpanMeaning, SpanReader},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans},
};
use prost::Message as _;

/// Reads spans by what a `mesh` processor knows.
#[derive(Debug)]
pub(super) struct MeshReader(pub(super) Current);

impl SpanReader for MeshReader {
    fn read(&self, passed: &PassedSpan) -> Option<SpanMeaning> {
        let span = decoded(passed)?;
        let knowledge = self.0.get();
        let kiali = knowledge.scheme.kiali();
        let pages = concerned(std::slice::from_ref(&span)).into_iter();
        let found =
            pages.filter(|page| Question::new(kiali, &knowledge.cluster_id, page).matches(&span));
        let pages = found.map(|page| format!("{} ({})", page.title(), page.namespace));
        let Hop {
            class, destination, ..
        } = span.hop();
        Some(SpanMeaning {
            hop: class.as_str(),
            destination: destination.map(|to| match to.namespace {
                Some(namespace) => format!("{}.{namespace}", to.service),
                None => to.service.to_owned(),
            }),
            pages: pages.collect(),
        })
    }
}

fn decoded(passed: &PassedSpan) -> Option<Span> {
    // What passes is the span's field, which alone is a `ScopeSpans`.
    let group = ResourceSpans {
        resource: Some(Resource::decode(&*passed.resource).ok()?),
        scope_spans: vec![ScopeSpans::decode(&*passed.span).ok()?],
        ..ResourceSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![group],
    };
    model::spans(&request).pop()
}
