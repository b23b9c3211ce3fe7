/*!
Marker spans that go with a span: scratch that a shard reuses.

What was decided about a span says under which resource its marker goes, and how
it differs from others ([`Markers::add`]); it is written from the span's final
bytes, so that it has the attributes that any processor gave the span. What a
marker is for is told in [`crate::mesh::alias`].
*/

use crate::{
    mesh::{alias::Salt, key},
    pdata::{
        edit::encode_span_attr,
        view::SpanView,
        wire::{WireFields, put_bytes, put_number},
        write_child,
    },
    pipeline::{Followers, ResourceId},
};
use std::ops::Range;

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u64 = 1;

/// Markers of one span.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    list: Vec<Marker>,
    /// Templates.
    arena: Vec<u8>,
}

#[derive(Debug)]
struct Marker {
    resource: ResourceId,
    salt: Salt,
    template: Range<usize>,
}

/// The fields in which a marker named `span_name` differs from its span, for
/// [`Markers::add`], and the attributes of its own.
pub(crate) fn template(span_name: &str, node_id: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(5, span_name.as_bytes(), &mut out);
    put_number(6, INTERNAL, &mut out);
    encode_span_attr(key::SYNTHETIC, "true", &mut out);
    if let Some(node_id) = node_id {
        encode_span_attr(key::NODE_ID, node_id, &mut out);
    }
    out
}

/// Payload of the scope that markers go out under: it says who made them.
pub(crate) fn scope() -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(1, b"wayspan", &mut out);
    put_bytes(2, env!("CARGO_PKG_VERSION").as_bytes(), &mut out);
    out
}

impl Markers {
    /// Forgets all markers and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.arena.clear();
    }

    /// Adds one. `template` is what [`template`] made.
    pub(crate) fn add(&mut self, resource: ResourceId, salt: Salt, template: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(template);
        self.list.push(Marker {
            resource,
            salt,
            template: start..self.arena.len(),
        });
    }

    /// Tells `each` of the resource of each marker, and how long its own fields are.
    pub(crate) fn each(&self, each: &mut dyn FnMut(ResourceId, usize)) {
        for marker in &self.list {
            each(marker.resource, marker.template.len());
        }
    }

    /// Adds all markers of the span whose field `ScopeSpans.spans`, as it goes
    /// out, is `span`, to `followers`, under the scope whose payload is `scope`.
    /// They have those attributes of the span that `keeps` says.
    pub(crate) fn write(
        &self,
        span: &[u8],
        scope: &[u8],
        keeps: impl Fn(&[u8]) -> bool,
        followers: &mut Followers,
    ) {
        let span = WireFields::new(span).next().and_then(|field| field.bytes());
        let span = span.unwrap_or_default();
        for marker in &self.list {
            // Spans with ids of another length were rejected before.
            let id = SpanView::new(span).span_id().try_into();
            let id = marker.salt.span_id(id.unwrap_or_default());
            let template = self.arena.get(marker.template.clone());
            followers.add(marker.resource, scope, |out| {
                write_child(span, id, template.unwrap_or_default(), &keeps, out);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pipeline::Resources;
    use opentelemetry_proto::tonic::{
        common::v1::InstrumentationScope,
        trace::v1::{ScopeSpans, Span},
    };
    use prost::Message;

    #[test]
    fn each_is_a_child_of_its_span() {
        let mut resources = Resources::default();
        let ids = [&b"a"[..], b"b"].map(|name| resources.intern(name, b"", b""));
        let salts = ["waypoint.bookinfo", "reviews.bookinfo"].map(|name| Salt::new(name, "host"));
        let mut markers = Markers::default();
        let mut seen = Vec::new();
        for n in 1..4 {
            let span = Span {
                trace_id: vec![1; 16],
                span_id: vec![n; 8],
                start_time_unix_nano: 5,
                ..Span::default()
            };
            let field = ScopeSpans {
                spans: vec![span.clone()],
                ..ScopeSpans::default()
            };
            markers.clear();
            for (resource, salt) in ids.into_iter().zip(salts) {
                markers.add(resource, salt, &template("host", None));
            }
            let mut followers = Followers::default();
            markers.write(&field.encode_to_vec(), b"scope", |_| true, &mut followers);
            assert_eq!(followers.len(), 2);
            for ((resource, scope, bytes), at) in followers.iter().zip(0..) {
                assert_eq!(scope, b"scope");
                assert_eq!(resource, ids[at]);
                let [made] = &ScopeSpans::decode(bytes).unwrap().spans[..] else {
                    panic!("one span")
                };
                assert_eq!(made.parent_span_id, span.span_id);
                assert_eq!((&made.trace_id, made.kind), (&span.trace_id, 1));
                assert_eq!((&*made.name, made.start_time_unix_nano), ("host", 5));
                assert_eq!(made.span_id.len(), 8);
                seen.push(made.span_id.clone());
            }
            seen.push(span.span_id);
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 9);
    }

    #[test]
    fn the_scope_says_who_made_them() {
        let scope = InstrumentationScope::decode(&*scope()).unwrap();
        assert_eq!(
            (&*scope.name, &*scope.version),
            ("wayspan", env!("CARGO_PKG_VERSION"))
        );
    }
}
