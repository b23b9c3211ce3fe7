/*!
The rules' facts, found in a span's bytes as earlier processors left them: as raw
fields for the memo's key, as texts for the rules themselves.

Both read the same attributes ([`VALUES`] and [`PRESENCES`]), the same name and
status, and of each what the edits so far say before what the bytes say. So two
spans with the same key have the same facts, edited or not.
*/

use crate::{
    mesh::{Attr, Facts, Kin, PRESENCES, ResourceFacts, VALUES, is_own_call, key, repair},
    pdata::{
        AnyValue, Edits, KeySlot, Keys,
        edit::{Edited, encode_span_attr},
        view,
        wire::WireFields,
    },
    pipeline::{DenseId, ResourceId, Span},
};
use std::net::IpAddr;

/// Siblings looked at for a `node_id`: Envoy sends five spans a request, and a
/// regrouped request is not to cost the square of its spans.
const SIBLINGS: usize = 32;

/// Attributes of a resource looked at: proxies have a dozen, and each hop that was
/// not seen before looks again.
const RESOURCE_ATTRIBUTES: usize = 512;

/// Key bytes in place of an attribute's field, which begins with its tag.
const ABSENT: u8 = 0;
const NO_STRING: u8 = 2;

/// An indexed key.
#[derive(Clone, Copy, Debug)]
struct IndexedKey {
    name: &'static str,
    slot: KeySlot,
}

impl IndexedKey {
    fn new(name: &'static str, keys: &mut Keys) -> Self {
        Self {
            name,
            slot: keys.add(name),
        }
    }
}

/// Where the index keeps the attributes that the rules read.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    values: [IndexedKey; VALUES.len()],
    presences: [IndexedKey; PRESENCES.len()],
    error: IndexedKey,
    // Some of the above, by name.
    node_id: IndexedKey,
    component: IndexedKey,
    canonical_service: IndexedKey,
    upstream_cluster: IndexedKey,
    upstream_cluster_name: IndexedKey,
}

impl Slots {
    /// Registers the keys.
    pub(crate) fn new(keys: &mut Keys) -> Self {
        let mut new = |name| IndexedKey::new(name, keys);
        Self {
            values: VALUES.map(&mut new),
            presences: PRESENCES.map(&mut new),
            error: new(key::ERROR),
            node_id: new(key::NODE_ID),
            component: new(key::COMPONENT),
            canonical_service: new(key::CANONICAL_SERVICE),
            upstream_cluster: new(key::UPSTREAM_CLUSTER),
            upstream_cluster_name: new(key::UPSTREAM_CLUSTER_NAME),
        }
    }
}

/// A span as earlier processors left it. `EDITED` is false where none of them
/// has edited it: nothing is looked up in the edits then.
#[derive(Debug)]
pub(crate) struct View<'a, const EDITED: bool> {
    /// Where the attributes are.
    pub(crate) slots: &'a Slots,
    /// The span as it came.
    pub(crate) span: &'a Span<'a>,
    /// What earlier processors change of it.
    pub(crate) edits: &'a Edits,
}

impl<'a, const EDITED: bool> View<'a, EDITED> {
    /// Appends to `out` everything the rules can read of the span; its name only
    /// where it hides the destination.
    ///
    /// The parts cannot run into each other: an absent field is one byte, a
    /// present one begins with its tag and holds its length.
    pub(crate) fn put_key(&self, resource: ResourceId, out: &mut Vec<u8>) {
        let index = resource.index() as u32;
        out.extend_from_slice(&index.to_le_bytes());
        out.push(self.span.entry.kind);
        for key in self.slots.values {
            self.put_field(key, out);
        }
        let mut bits = u16::from(self.is_unset_error());
        for key in self.slots.presences {
            bits = bits << 1 | u16::from(self.has(key));
        }
        out.extend_from_slice(&bits.to_le_bytes());
        if self.hides_destination() {
            self.put_name(out);
        } else {
            out.push(0);
        }
        out.push(u8::from(is_own_call(self.name())));
        match self.kin() {
            Some((kin, is_parent)) => {
                out.push(1 + u8::from(is_parent));
                put_field(&kin, self.slots.node_id.slot, out);
                put_field(&kin, self.slots.canonical_service.slot, out);
            }
            None => out.push(ABSENT),
        }
    }

    /// Extends a key by the span's name. An empty one makes another key, too.
    pub(crate) fn put_name(&self, key: &mut Vec<u8>) {
        let name = self.name();
        key.push(1);
        // The length keeps it apart from what follows.
        key.extend_from_slice(&(name.len() as u32).to_le_bytes());
        key.extend_from_slice(name);
    }

    /// The facts; `resource` is the payload of the span's resource.
    pub(crate) fn facts(&self, resource: &'a [u8], peer: Option<IpAddr>) -> Facts<'a> {
        let attributes = view::resource_attributes(resource).take(RESOURCE_ATTRIBUTES);
        let attributes = attributes.map(|kv| match kv.value {
            AnyValue::String(text) => (kv.key, text),
            _ => (kv.key, ""),
        });
        let slots = self.slots;
        let kin = self.kin().map(|(kin, is_parent)| Kin {
            node_id: kin.text(slots.node_id.slot).map(text),
            canonical_service: kin.text(slots.canonical_service.slot).map(text),
            is_parent,
        });
        let facts = Facts {
            resource: ResourceFacts::from_attributes(attributes),
            span_name: text(self.name()),
            kind: self.span.entry.kind,
            unset_error: self.is_unset_error(),
            peer,
            kin: kin.unwrap_or_default(),
            ..Facts::default()
        };
        let mut keys = self.slots.values.iter().chain(&self.slots.presences);
        facts.with_attributes(|_| keys.next().and_then(|key| self.attr(*key)))
    }

    fn edited(&self, key: IndexedKey) -> Edited<'a> {
        match EDITED {
            true => self.edits.get(key.name),
            false => Edited::Unchanged,
        }
    }

    fn attr(&self, key: IndexedKey) -> Attr<'a> {
        match self.edited(key) {
            Edited::Unchanged => {
                self.span.attr(key.slot)?;
                Some(self.span.text(key.slot).map_or("", text))
            }
            Edited::Deleted => None,
            Edited::Set(AnyValue::String(value)) => Some(value),
            Edited::Set(_) => Some(""),
        }
    }

    fn has(&self, key: IndexedKey) -> bool {
        self.has_key(key.name, key.slot)
    }

    /// Whether the span has an attribute, whose place in the index is `slot`.
    pub(crate) fn has_key(&self, key: &str, slot: KeySlot) -> bool {
        let edited = match EDITED {
            true => self.edits.get(key),
            false => Edited::Unchanged,
        };
        match edited {
            Edited::Unchanged => self.span.has(slot),
            Edited::Deleted => false,
            Edited::Set(_) => true,
        }
    }

    /// Whether the span has an attribute that is not in the index.
    pub(crate) fn has_unindexed(&self, key: &str) -> bool {
        let edited = match EDITED {
            true => self.edits.get(key),
            false => Edited::Unchanged,
        };
        match edited {
            Edited::Unchanged => {
                let span = self.span.entry.bytes.of(self.span.request);
                view::span_attributes(span).any(|kv| kv.key == key)
            }
            Edited::Deleted => false,
            Edited::Set(_) => true,
        }
    }

    fn bytes(&self, key: IndexedKey) -> Option<&'a [u8]> {
        match self.edited(key) {
            Edited::Unchanged => self.span.text(key.slot),
            Edited::Set(AnyValue::String(value)) => Some(value.as_bytes()),
            Edited::Set(_) | Edited::Deleted => None,
        }
    }

    fn put_field(&self, key: IndexedKey, out: &mut Vec<u8>) {
        match self.edited(key) {
            Edited::Unchanged => put_field(self.span, key.slot, out),
            Edited::Deleted => out.push(ABSENT),
            Edited::Set(AnyValue::String(value)) => encode_span_attr(key.name, value, out),
            Edited::Set(_) => out.push(NO_STRING),
        }
    }

    fn name(&self) -> &'a [u8] {
        match EDITED.then(|| self.edits.name()).flatten() {
            Some(name) => name.as_bytes(),
            None => self.span.name(),
        }
    }

    /// Whether the span says that it failed and its status does not.
    fn is_unset_error(&self) -> bool {
        let edited = EDITED.then(|| self.edits.status()).flatten();
        let is_set = match edited {
            Some((code, _)) => code != 0,
            None => self.span.entry.status != 0,
        };
        if is_set {
            return false;
        }
        let error = self.slots.error;
        match self.edited(error) {
            Edited::Unchanged => self.span.value(error.slot).is_some_and(is_true),
            Edited::Deleted => false,
            Edited::Set(value) => is_true(value),
        }
    }

    /// Whether another span name may be wanted: the destination's, or one for all that
    /// clients choose. Nearly every name begins with the cluster's host, and that is all
    /// that is looked at then.
    fn hides_destination(&self) -> bool {
        if self.name().starts_with(b"egress ") {
            return true;
        }
        let says = |key| {
            let bytes = self.bytes(key);
            bytes.filter(|text| !text.is_empty() && *text != b"-")
        };
        let slots = self.slots;
        let cluster = says(slots.upstream_cluster).or_else(|| says(slots.upstream_cluster_name));
        let Some(cluster) = cluster else { return false };
        let cluster = cluster.strip_suffix(b";").unwrap_or(cluster);
        let bar = cluster.iter().rposition(|b| *b == b'|');
        let host = bar.and_then(|at| cluster.get(at + 1..));
        match host {
            Some(b"") => false,
            Some(host) if self.name().starts_with(host) => false,
            _ => repair::hidden_path(text(self.name())).is_some(),
        }
    }

    /// The span that says which proxy emitted one that does not, and whether it is the
    /// parent: else it is the first that has a `node_id`.
    fn kin(&self) -> Option<(Span<'a>, bool)> {
        let slots = self.slots;
        if self.has(slots.node_id) || self.bytes(slots.component) != Some(b"proxy") {
            return None;
        }
        let view = |s: &Span<'a>| view::SpanView::new(s.entry.bytes.of(s.request));
        let own = view(self.span);
        let (trace, parent) = (own.trace_id(), own.parent_span_id());
        let mut first = None;
        for span in self.span.siblings().take(SIBLINGS) {
            if !span.has(slots.node_id.slot) {
                continue;
            }
            let seen = view(&span);
            if !parent.is_empty() && seen.span_id() == parent && seen.trace_id() == trace {
                return Some((span, true));
            }
            first = first.or(Some(span));
        }
        first.map(|span| (span, false))
    }
}

/// Appends the attribute's field as it stands on the wire.
fn put_field(span: &Span<'_>, slot: KeySlot, out: &mut Vec<u8>) {
    let field = span
        .attr(slot)
        .and_then(|at| WireFields::from(span.request, at).next());
    match field {
        Some(field) => out.extend_from_slice(field.raw),
        None => out.push(ABSENT),
    }
}

fn is_true(value: AnyValue<'_>) -> bool {
    matches!(value, AnyValue::Bool(true) | AnyValue::String("true"))
}

/// Indexed bytes are UTF-8; were they not, they would say nothing.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
