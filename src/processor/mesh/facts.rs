/*!
The rules' facts, found in a span's bytes: as raw fields for the memo's key,
as texts for the rules themselves.
*/

use crate::{
    mesh::{Attr, Facts, ResourceFacts, key, repair},
    pdata::{AnyValue, Edits, KeySlot, Keys, edit::Edited, view, wire::WireFields},
    pipeline::{DenseId, ResourceId, Span},
};
use std::net::IpAddr;

/// Siblings looked at for a `node_id`: Envoy sends five spans a request, and a
/// regrouped request is not to cost the square of its spans.
const SIBLINGS: usize = 32;

/// An indexed key.
#[derive(Clone, Copy, Debug)]
struct Key {
    name: &'static str,
    slot: KeySlot,
}

/// Defines the slots, one per key.
macro_rules! slots {
    (read { $($read:ident: $read_key:expr,)* } present { $($present:ident: $present_key:expr,)* }
     judged { $($judged:ident: $judged_key:expr,)* }) => {
        /// Where the index keeps the keys that the rules read.
        #[derive(Clone, Debug)]
        pub struct Slots {
            $($read: Key,)*
            $($present: Key,)*
            $($judged: Key,)*
        }

        impl Slots {
            /// Registers the keys.
            pub fn new(keys: &mut Keys) -> Self {
                Self {
                    $($read: Key { name: $read_key, slot: keys.add($read_key) },)*
                    $($present: Key { name: $present_key, slot: keys.add($present_key) },)*
                    $($judged: Key { name: $judged_key, slot: keys.add($judged_key) },)*
                }
            }

            /// Keys whose values the rules read.
            fn read(&self) -> impl Iterator<Item = KeySlot> + use<> {
                [$(self.$read.slot,)*].into_iter()
            }

            /// Keys of which the rules only ask whether they are present.
            fn present(&self) -> impl Iterator<Item = KeySlot> + use<> {
                [$(self.$present.slot,)*].into_iter()
            }
        }
    };
}

slots! {
    read {
        node_id: key::NODE_ID,
        upstream_cluster: key::UPSTREAM_CLUSTER,
        upstream_cluster_name: key::UPSTREAM_CLUSTER_NAME,
        component: key::COMPONENT,
        canonical_service: key::CANONICAL_SERVICE,
        namespace: key::NAMESPACE,
        cluster_id: key::CLUSTER_ID,
        destination_canonical_service: key::DESTINATION_CANONICAL_SERVICE,
        destination_namespace: key::DESTINATION_NAMESPACE,
        src_workload: key::ZTUNNEL_SRC_WORKLOAD,
        src_namespace: key::ZTUNNEL_SRC_NAMESPACE,
        dst_workload: key::ZTUNNEL_DST_WORKLOAD,
        dst_namespace: key::ZTUNNEL_DST_NAMESPACE,
        dst_service: key::ZTUNNEL_DST_SERVICE,
        direction: key::ZTUNNEL_DIRECTION,
    }
    present {
        destination_app: key::DESTINATION_APP,
        destination_workload: key::DESTINATION_WORKLOAD,
        source_canonical_service: key::SOURCE_CANONICAL_SERVICE,
        source_namespace: key::SOURCE_NAMESPACE,
        source_workload: key::SOURCE_WORKLOAD,
        synthetic: key::SYNTHETIC,
    }
    judged {
        error: key::ERROR,
    }
}

impl Slots {
    /// Writes everything the rules can read of the span; its name only where
    /// it hides the destination.
    ///
    /// The parts cannot run into each other: an absent field is a zero byte,
    /// a present one begins with its tag and holds its length.
    pub fn key(&self, span: &Span<'_>, resource: ResourceId, out: &mut Vec<u8>) {
        let index = resource.index() as u32;
        out.extend_from_slice(&index.to_le_bytes());
        out.push(span.entry.kind);
        for slot in self.read() {
            put_field(span, slot, out);
        }
        let mut bits = u16::from(self.is_unset_error(span));
        for slot in self.present() {
            bits = bits << 1 | u16::from(span.has(slot));
        }
        out.extend_from_slice(&bits.to_le_bytes());
        if self.hides_destination(span) {
            put_name(span, out);
        } else {
            out.push(0);
        }
        match self.parent(span) {
            Some(parent) => put_field(&parent, self.node_id.slot, out),
            None => out.push(0),
        }
    }

    /// Whether the span says that it failed and its status does not.
    fn is_unset_error(&self, span: &Span<'_>) -> bool {
        span.entry.status == 0 && span.value(self.error.slot).is_some_and(is_true)
    }

    /// Whether the rules may want another span name. Nearly every name begins
    /// with the cluster's host, and that is all that is looked at then.
    fn hides_destination(&self, span: &Span<'_>) -> bool {
        let says = |key: Key| {
            span.text(key.slot)
                .filter(|text| !text.is_empty() && *text != b"-")
        };
        let cluster = says(self.upstream_cluster).or_else(|| says(self.upstream_cluster_name));
        let Some(cluster) = cluster else { return false };
        let cluster = cluster.strip_suffix(b";").unwrap_or(cluster);
        let bar = cluster.iter().rposition(|b| *b == b'|');
        let host = bar.and_then(|at| cluster.get(at + 1..));
        match host {
            Some(b"") => false,
            Some(host) if span.name().starts_with(host) => false,
            _ => repair::hidden_path(text(span.name())).is_some(),
        }
    }

    /// The parent, whose `node_id` stands for that of a span without one.
    fn parent<'a>(&self, span: &Span<'a>) -> Option<Span<'a>> {
        if span.has(self.node_id.slot) || span.text(self.component.slot) != Some(b"proxy") {
            return None;
        }
        let view = |s: &Span<'a>| view::SpanView::new(s.entry.bytes.of(s.request));
        let own = view(span);
        let (trace, parent) = (own.trace_id(), own.parent_span_id());
        if parent.is_empty() {
            return None;
        }
        span.siblings().take(SIBLINGS).find(|s| {
            s.has(self.node_id.slot) && view(s).span_id() == parent && view(s).trace_id() == trace
        })
    }
}

/// The attribute field as it stands on the wire, or a zero byte.
fn put_field(span: &Span<'_>, slot: KeySlot, out: &mut Vec<u8>) {
    let field = span
        .attr(slot)
        .and_then(|at| WireFields::from(span.request, at).next());
    match field {
        Some(field) => out.extend_from_slice(field.raw),
        None => out.push(0),
    }
}

/// Extends a key by the span's name. An empty one makes another key, too.
pub fn put_name(span: &Span<'_>, key: &mut Vec<u8>) {
    key.push(1);
    // The length keeps it apart from what follows.
    key.extend_from_slice(&(span.name().len() as u32).to_le_bytes());
    key.extend_from_slice(span.name());
}

fn is_true(value: AnyValue<'_>) -> bool {
    matches!(value, AnyValue::Bool(true) | AnyValue::String("true"))
}

/// Reads facts of a span as earlier processors left it.
#[derive(Debug)]
pub struct Gather<'a> {
    /// The keys.
    pub slots: &'a Slots,
    /// The span.
    pub span: &'a Span<'a>,
    /// What earlier processors did to it.
    pub edits: &'a Edits,
    /// Who sent it, if that may count.
    pub peer: Option<IpAddr>,
}

impl<'a> Gather<'a> {
    /// The facts; `resource` is the payload of the span's resource.
    pub fn facts(&self, resource: &'a [u8]) -> Facts<'a> {
        let slots = self.slots;
        let attributes = view::resource_attributes(resource).map(|kv| match kv.value {
            AnyValue::String(text) => (kv.key, text),
            _ => (kv.key, ""),
        });
        let parent = slots.parent(self.span);
        Facts {
            resource: ResourceFacts::from_attributes(attributes),
            span_name: self.edits.name().unwrap_or(text(self.span.name())),
            kind: self.span.entry.kind,
            unset_error: self.is_unset_error(),
            peer: self.peer,
            parent_node_id: parent.and_then(|s| s.text(slots.node_id.slot)).map(text),
            node_id: self.attr(slots.node_id),
            upstream_cluster: self.attr(slots.upstream_cluster),
            upstream_cluster_name: self.attr(slots.upstream_cluster_name),
            component: self.attr(slots.component),
            canonical_service: self.attr(slots.canonical_service),
            namespace: self.attr(slots.namespace),
            cluster_id: self.attr(slots.cluster_id),
            destination_app: self.attr(slots.destination_app),
            destination_canonical_service: self.attr(slots.destination_canonical_service),
            destination_namespace: self.attr(slots.destination_namespace),
            destination_workload: self.attr(slots.destination_workload),
            source_canonical_service: self.attr(slots.source_canonical_service),
            source_namespace: self.attr(slots.source_namespace),
            source_workload: self.attr(slots.source_workload),
            src_workload: self.attr(slots.src_workload),
            src_namespace: self.attr(slots.src_namespace),
            dst_workload: self.attr(slots.dst_workload),
            dst_namespace: self.attr(slots.dst_namespace),
            dst_service: self.attr(slots.dst_service),
            direction: self.attr(slots.direction),
            synthetic: self.attr(slots.synthetic),
        }
    }

    fn is_unset_error(&self) -> bool {
        let is_error = match self.edits.get(key::ERROR) {
            Edited::Deleted => false,
            Edited::Set(value) => is_true(value),
            Edited::Unchanged => self.span.value(self.slots.error.slot).is_some_and(is_true),
        };
        let status = self.edits.status().map(|(code, _)| code);
        is_error && status.unwrap_or(self.span.entry.status.into()) == 0
    }

    fn attr(&self, key: Key) -> Attr<'a> {
        match self.edits.get(key.name) {
            Edited::Unchanged => {
                self.span.attr(key.slot)?;
                Some(self.span.text(key.slot).map_or("", text))
            }
            Edited::Deleted => None,
            Edited::Set(AnyValue::String(value)) => Some(value),
            Edited::Set(_) => Some(""),
        }
    }
}

/// Indexed bytes are UTF-8; were they not, they would say nothing.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
