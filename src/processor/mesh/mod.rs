/*!
The `mesh` processor: gives spans the name Kiali asks for, and the tags.

The rules are [`crate::mesh`]'s; this room finds their facts in a span's bytes
and remembers what they said. A mesh repeats itself: the same few hops, over
and over, so nearly every span's answer is known and costs a hash and a
comparison, no allocation. The memo's key is made of exactly what the rules could
read (attribute fields as they stand on the wire, or as earlier processors
changed them), so two spans share an answer only if the rules could not tell
them apart; it is emptied when what the rules rest on besides the span was
replaced ([`Current`]).
*/

mod background;
mod client_names;
pub(crate) mod config;
mod factory;
mod facts;
mod follow_kiali;
mod kiali_client;
mod markers;
mod memo;
mod span_reader;
mod static_tags;
mod stats;
pub(crate) mod ztunnel_log;

use crate::{
    config::Id,
    mesh::{
        Class, Current, MeshSettings, Reader, Repairs,
        alias::{self, Salt},
        decide, key, repair,
    },
    pdata::{Edits, Keys, edit, edit_resource},
    pipeline::{Decision, Followers, Processor, ResourceId, Resources, Span},
    processor::kubernetes::ControlPlaneSlot,
};
use background::MeshBackground;
use client_names::ClientNames;
pub use factory::MeshFactory;
use facts::{Slots, View};
use markers::Markers;
use memo::{Answer, Marker, Memo, Need, Remembered};
use static_tags::StaticTags;
pub(crate) use stats::MeshStats;
use stats::MeshTally;
use std::{collections::BTreeMap, net::IpAddr};

/// The `mesh` processors of a service by id.
type Processors = BTreeMap<Id, ConfiguredMesh>;

/// A `mesh` processor, whatever pipelines it stands in.
struct ConfiguredMesh {
    settings: MeshSettings,
    /// Where its decisions begin.
    current: Current,
    control_plane: ControlPlaneSlot,
}

/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

/// The `mesh` processor.
#[derive(Debug)]
pub(crate) struct Mesh {
    settings: MeshSettings,
    knowledge: Reader,
    slots: Slots,
    memo: Memo,
    static_tags: StaticTags,
    client_names: ClientNames,
    /// Whether who sent a request says something.
    peer_counts: bool,
    /// Who sent the request at hand, if that counts.
    peer: Option<IpAddr>,
    /// The key of the span at hand.
    key: Vec<u8>,
    resource_edits: Edits,
    /// Markers of the span at hand.
    markers: Markers,
    marker_scope: Vec<u8>,
    tally: MeshTally,
}

impl Mesh {
    /// Registers its keys and builds an instance.
    pub(crate) fn new(settings: &MeshSettings, current: &Current, keys: &mut Keys) -> Self {
        let knowledge = current.reader();
        let mut static_tags = StaticTags::new(&settings.tags, keys);
        static_tags.learn(&knowledge.get().query_scope);
        Self {
            settings: settings.clone(),
            knowledge,
            slots: Slots::new(keys),
            memo: Memo::default(),
            static_tags,
            client_names: ClientNames::new(settings.client_span_names),
            peer_counts: false,
            peer: None,
            key: Vec::new(),
            resource_edits: Edits::default(),
            markers: Markers::default(),
            marker_scope: markers::scope(),
            tally: MeshTally::default(),
        }
    }

    /// Counts into `stats`.
    pub(crate) fn counting(self, stats: MeshStats) -> Self {
        Self {
            tally: MeshTally::new(stats),
            ..self
        }
    }

    /// Answers from the memo, or by the rules; `EDITED` says whether earlier
    /// processors have changed the span.
    fn process_as<const EDITED: bool>(
        &mut self,
        span: &Span<'_>,
        resources: &mut Resources,
        decision: &mut Decision,
    ) {
        let view = View::<EDITED> {
            slots: &self.slots,
            span,
            edits: &decision.edits,
        };
        let id = decision.resource;
        self.key.clear();
        view.put_key(id, &mut self.key);
        self.static_tags.put_key(&view, &mut self.key);
        let mut asked = None;
        match self.memo.get(&self.key) {
            Some(Remembered::Known(answer)) => {
                return apply(answer, decision, &mut self.markers, &self.tally);
            }
            Some(Remembered::By(need)) => {
                asked = Some(*need);
                put(*need, &view, self.peer, &mut self.key);
                if let Some(Remembered::Known(answer)) = self.memo.get(&self.key) {
                    return apply(answer, decision, &mut self.markers, &self.tally);
                }
            }
            None => {}
        }
        let (answer, need) = self.answer::<EDITED>(span, &decision.edits, id, resources);
        if let Some(need) = need.filter(|need| asked != Some(*need)) {
            self.memo.put(&self.key, Remembered::By(need));
            let view = View::<EDITED> {
                slots: &self.slots,
                span,
                edits: &decision.edits,
            };
            put(need, &view, self.peer, &mut self.key);
        }
        apply(&answer, decision, &mut self.markers, &self.tally);
        self.memo.put(&self.key, Remembered::Known(answer));
    }

    /// What the rules say, applied to the resource; and what had a part in it
    /// besides the key.
    fn answer<const EDITED: bool>(
        &mut self,
        span: &Span<'_>,
        edits: &Edits,
        id: ResourceId,
        resources: &mut Resources,
    ) -> (Answer, Option<Need>) {
        let slots = &self.slots;
        let view = View::<EDITED> { slots, span, edits };
        let base = &resources.get(id).payload;
        let facts = view.facts(base, self.peer);
        let verdict = decide(&facts, &self.settings, self.knowledge.get());
        let need = match verdict.class {
            _ if verdict.by_span_name || repair::reads_name(&facts) => Some(Need::Name),
            Class::Sdk if self.peer_counts && facts.asks_peer() => Some(Need::Peer),
            _ => None,
        };
        let mut tags = Vec::new();
        for (key, text) in &verdict.tags {
            edit::encode_span_attr(key, text, &mut tags);
        }
        self.static_tags.encode_missing(&view, base, &mut tags);
        let old_name = facts.span_name.into();
        let (scratch, resource_tags) = (&mut self.resource_edits, &verdict.resource_tags);
        let resource = edited(
            base,
            verdict.service_name.as_deref(),
            resource_tags,
            scratch,
        );
        let markers = verdict.aliases.iter().map(|alias| {
            let mut tags = resource_tags.clone();
            let original = |(key, _): &(&str, String)| *key == key::ORIGINAL_SERVICE_NAME;
            // Where the span keeps its name, only the marker is renamed.
            if let (false, Some(emitted)) =
                (tags.iter().any(original), facts.resource.unmarked_name())
            {
                tags.push((key::ORIGINAL_SERVICE_NAME, emitted.to_owned()));
            }
            let name = Some(&*alias.service_name);
            let payload = edited(base, name, &tags, scratch).unwrap_or_default();
            let salt = Salt::new(&alias.service_name, &alias.span_name);
            let template = markers::template(&alias.span_name, alias.node_id.as_deref());
            (payload, salt, template)
        });
        let markers: Vec<_> = markers.collect();
        let (repairs, why) = (verdict.repairs(), verdict.rule.describe());
        let bounded = match (&verdict.span_name, facts.component) {
            (None, Some("proxy")) => self.client_names.bound(facts.span_name),
            _ => None,
        };
        let span_name = verdict.span_name.map(String::into_boxed_str);
        let span_name = span_name.or(bounded.map(Box::from));
        let span_name = span_name.map(|name| (name, old_name));
        let answer = Answer {
            resource: resource.map_or(id, |payload| resources.derive(id, &payload)),
            tags: tags.into(),
            span_name,
            is_bounded: bounded.is_some(),
            repairs,
            why,
            markers: (markers.into_iter())
                .map(|(payload, salt, template)| Marker {
                    resource: resources.derive(id, &payload),
                    salt,
                    template: template.into(),
                })
                .collect(),
        };
        (answer, need)
    }
}

/// The resource with another name and further tags; `None` if it stays as it is.
fn edited(
    base: &[u8],
    name: Option<&str>,
    tags: &[(&'static str, String)],
    scratch: &mut Edits,
) -> Option<Vec<u8>> {
    if name.is_none() && tags.is_empty() {
        return None;
    }
    scratch.clear();
    if let Some(name) = name {
        scratch.set_str(key::SERVICE_NAME, name);
    }
    for (key, text) in tags {
        scratch.set_str(key, text);
    }
    Some(edit_resource(base, scratch))
}

/// Extends a key by what is needed. Nothing at all makes another key, too.
fn put<const EDITED: bool>(
    need: Need,
    view: &View<'_, EDITED>,
    peer: Option<IpAddr>,
    key: &mut Vec<u8>,
) {
    match (need, peer) {
        (Need::Name, _) => view.put_name(key),
        (Need::Peer, Some(IpAddr::V4(ip))) => key.extend_from_slice(&ip.octets()),
        (Need::Peer, Some(IpAddr::V6(ip))) => key.extend_from_slice(&ip.octets()),
        (Need::Peer, None) => key.push(0),
    }
}

/// Puts an answer into the decision, and counts it.
fn apply(answer: &Answer, decision: &mut Decision, markers: &mut Markers, tally: &MeshTally) {
    decision.resource = answer.resource;
    decision.why = answer.why;
    if !answer.tags.is_empty() {
        decision.edits.append_encoded(&answer.tags);
    }
    if let Some((new, old)) = &answer.span_name {
        decision.edits.set_name(new);
        // It may be there, from an earlier name.
        decision.edits.set_str(key::ORIGINAL_SPAN_NAME, old);
    }
    if answer.repairs.status {
        decision.edits.set_status_code(ERROR);
    }
    if answer.repairs != Repairs::default() {
        let Repairs {
            status,
            node_id,
            span_name,
        } = answer.repairs;
        tally.repaired(status, node_id, span_name);
    }
    if answer.is_bounded {
        tally.bounded();
    }
    for marker in &answer.markers {
        markers.add(marker.resource, marker.salt, &marker.template);
        decision.follow = true;
        tally.marked();
    }
}

impl Processor for Mesh {
    fn begin(&mut self, peer: Option<IpAddr>) {
        if self.knowledge.refresh() {
            self.static_tags.learn(&self.knowledge.get().query_scope);
            self.memo.clear();
        }
        // Without a directory no address says anything.
        self.peer_counts = self.settings.peer_address && !self.knowledge.get().directory.is_empty();
        self.peer = peer.filter(|_| self.peer_counts);
    }

    fn process(&mut self, span: &Span<'_>, resources: &mut Resources, decision: &mut Decision) {
        self.markers.clear();
        match decision.edits.is_empty() {
            true => self.process_as::<false>(span, resources, decision),
            false => self.process_as::<true>(span, resources, decision),
        }
    }

    fn follow(&mut self, written: &[u8], followers: &mut Followers) {
        let (tags, scope) = (&self.static_tags, &self.marker_scope);
        let keeps = |key: &[u8]| alias::keeps(key) || tags.has(key);
        self.markers.write(written, scope, keeps, followers);
    }

    fn foresee(&self, each: &mut dyn FnMut(ResourceId, usize)) {
        self.markers.each(each);
    }

    fn end(&mut self) {
        self.tally.publish();
    }

    fn discard(&mut self) {
        self.tally.discard();
    }

    fn forget(&mut self) {
        self.memo.clear();
    }
}

#[cfg(test)]
mod tests;
