/*!
The `mesh` processor: gives spans the name Kiali asks for, and the tags.

The rules are [`crate::mesh`]'s; this room finds their facts in a span's bytes
and remembers what they said. A mesh repeats itself: the same few hops, over
and over, so nearly every span's answer is known and costs a hash and a
comparison, no allocation. The memo's key is made of exactly the bytes the
rules could read (attribute fields as they stand on the wire), so two spans
share an answer only if the rules could not tell them apart; it is emptied when
what the rules rest on besides the span was replaced ([`Current`]).
*/

mod facts;
mod memo;

use super::{Decision, Processor, ResourceId, Resources, Span, markers};
use crate::{
    mesh::{Class, Current, Destination, Reader, Repairs, Settings, alias::Salt, decide, key},
    pdata::{Edits, Keys, edit, edit_resource},
    telemetry::MeshStats,
};
use facts::{Gather, Slots, put_name};
use memo::{Answer, Marker, Memo, Outcome};

/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

/// The `mesh` processor.
#[derive(Debug)]
pub struct Mesh {
    settings: Settings,
    knowledge: Reader,
    slots: Slots,
    memo: Memo,
    /// The key of the span at hand.
    key: Vec<u8>,
    resource_edits: Edits,
    stats: MeshStats,
}

impl Mesh {
    /// Registers its keys and builds an instance.
    pub fn new(settings: &Settings, current: &Current, keys: &mut Keys) -> Self {
        Self {
            settings: settings.clone(),
            knowledge: current.reader(),
            slots: Slots::new(keys),
            memo: Memo::default(),
            key: Vec::new(),
            resource_edits: Edits::default(),
            stats: MeshStats::default(),
        }
    }

    /// Counts into `stats`.
    pub fn counting(self, stats: MeshStats) -> Self {
        Self { stats, ..self }
    }

    /// What the rules say, applied to the resource; and whether the span's
    /// name had a part in it.
    fn answer(
        &mut self,
        span: &Span<'_>,
        edits: &Edits,
        id: ResourceId,
        resources: &mut Resources,
    ) -> (Answer, bool) {
        let gather = Gather {
            slots: &self.slots,
            span,
            edits,
        };
        let base = &resources.get(id).payload;
        let facts = gather.facts(base);
        let verdict = decide(&facts, &self.settings, self.knowledge.get());
        let by_name = verdict.class == Class::Waypoint && Destination::needs_span_name(&facts);
        let mut tags = Vec::new();
        for (key, text) in &verdict.tags {
            edit::encode_span_attr(key, text, &mut tags);
        }
        let old_name = facts.span_name.into();
        let (scratch, resource_tags) = (&mut self.resource_edits, &verdict.resource_tags);
        let resource = edited(
            base,
            verdict.service_name.as_deref(),
            resource_tags,
            scratch,
        );
        let marker = verdict.alias.as_ref().and_then(|alias| {
            let mut tags = resource_tags.clone();
            let original = |(key, _): &(&str, String)| *key == key::ORIGINAL_SERVICE_NAME;
            // The span may keep its name; a marker never has the emitted one's place.
            if let (false, Some(emitted)) =
                (tags.iter().any(original), facts.resource.unmarked_name())
            {
                tags.push((key::ORIGINAL_SERVICE_NAME, emitted.to_owned()));
            }
            let resource = edited(base, Some(&alias.service_name), &tags, scratch)?;
            let template = markers::template(&alias.span_name);
            Some((resource, Salt::new(&alias.service_name), template))
        });
        let repairs = verdict.repairs();
        let span_name = verdict.span_name.map(|name| (name.into(), old_name));
        let answer = Answer {
            resource: resource.map_or(id, |payload| resources.derive(id, &payload)),
            tags: tags.into(),
            span_name,
            repairs,
            marker: marker.map(|(payload, salt, template)| Marker {
                resource: resources.derive(id, &payload),
                salt,
                template: template.into(),
            }),
        };
        (answer, by_name)
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

/// Puts an answer into the decision, and counts it.
fn apply(answer: &Answer, decision: &mut Decision, stats: &MeshStats) {
    decision.resource = answer.resource;
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
        stats.repaired(status, node_id, span_name);
    }
    if let Some(marker) = &answer.marker {
        decision
            .markers
            .add(marker.resource, marker.salt, &marker.template);
        stats.marked();
    }
}

impl Processor for Mesh {
    fn begin(&mut self) {
        if self.knowledge.refresh() {
            self.memo.clear();
        }
    }

    fn process(&mut self, span: &Span<'_>, resources: &mut Resources, decision: &mut Decision) {
        let id = decision.resource;
        if !decision.edits.is_empty() {
            // An earlier processor changed the span: the bytes do not say all.
            let (answer, _) = self.answer(span, &decision.edits, id, resources);
            apply(&answer, decision, &self.stats);
            return;
        }
        self.key.clear();
        self.slots.key(span, id, &mut self.key);
        let mut named = false;
        match self.memo.get(&self.key) {
            Some(Outcome::Known(answer)) => return apply(answer, decision, &self.stats),
            Some(Outcome::ByName) => {
                named = true;
                put_name(span, &mut self.key);
                if let Some(Outcome::Known(answer)) = self.memo.get(&self.key) {
                    return apply(answer, decision, &self.stats);
                }
            }
            None => {}
        }
        let (answer, by_name) = self.answer(span, &decision.edits, id, resources);
        apply(&answer, decision, &self.stats);
        if by_name && !named {
            self.memo.put(&self.key, Outcome::ByName);
            put_name(span, &mut self.key);
        }
        self.memo.put(&self.key, Outcome::Known(answer));
    }

    fn end(&mut self) {
        self.stats.publish();
    }

    fn forget(&mut self) {
        self.memo.clear();
    }
}

#[cfg(test)]
mod tests;
