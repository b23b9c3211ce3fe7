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

use super::{Decision, Processor, ResourceId, Resources, Span};
use crate::{
    mesh::{Class, Current, Destination, Reader, Settings, decide, key},
    pdata::{Edits, Keys, edit, edit_resource},
};
use facts::{Gather, Slots};
use memo::{Answer, Memo, Need, Outcome};
use std::net::IpAddr;

/// The `mesh` processor.
#[derive(Debug)]
pub struct Mesh {
    settings: Settings,
    knowledge: Reader,
    slots: Slots,
    memo: Memo,
    /// Whether who sent a request says something.
    peer_counts: bool,
    /// Who sent the request at hand, if that counts.
    peer: Option<IpAddr>,
    /// The key of the span at hand.
    key: Vec<u8>,
    resource_edits: Edits,
}

impl Mesh {
    /// Registers its keys and builds an instance.
    pub fn new(settings: &Settings, current: &Current, keys: &mut Keys) -> Self {
        Self {
            settings: settings.clone(),
            knowledge: current.reader(),
            slots: Slots::new(keys),
            memo: Memo::default(),
            peer_counts: false,
            peer: None,
            key: Vec::new(),
            resource_edits: Edits::default(),
        }
    }

    /// What the rules say, applied to the resource; and what had a part in it
    /// besides the key.
    fn answer(
        &mut self,
        span: &Span<'_>,
        edits: &Edits,
        id: ResourceId,
        resources: &mut Resources,
    ) -> (Answer, Option<Need>) {
        let gather = Gather {
            slots: &self.slots,
            span,
            edits,
            peer: self.peer,
        };
        let base = &resources.get(id).payload;
        let facts = gather.facts(base);
        let verdict = decide(&facts, &self.settings, self.knowledge.get());
        let need = match verdict.class {
            Class::Waypoint if Destination::needs_span_name(&facts) => Some(Need::Name),
            Class::Sdk if self.peer_counts && facts.asks_peer() => Some(Need::Peer),
            _ => None,
        };
        let mut tags = Vec::new();
        for (key, text) in &verdict.tags {
            edit::encode_span_attr(key, text, &mut tags);
        }
        if verdict.service_name.is_none() && verdict.resource_tags.is_empty() {
            return (
                Answer {
                    resource: id,
                    tags: tags.into(),
                },
                need,
            );
        }
        self.resource_edits.clear();
        if let Some(name) = &verdict.service_name {
            self.resource_edits.set_str(key::SERVICE_NAME, name);
        }
        for (key, text) in &verdict.resource_tags {
            self.resource_edits.set_str(key, text);
        }
        let payload = edit_resource(base, &self.resource_edits);
        (
            Answer {
                resource: resources.derive(id, &payload),
                tags: tags.into(),
            },
            need,
        )
    }
}

/// Extends a key by what is needed. Nothing at all makes another key, too.
fn put(need: Need, span: &Span<'_>, peer: Option<IpAddr>, key: &mut Vec<u8>) {
    match (need, peer) {
        (Need::Name, _) => {
            key.push(1);
            key.extend_from_slice(span.name());
        }
        (Need::Peer, Some(IpAddr::V4(ip))) => key.extend_from_slice(&ip.octets()),
        (Need::Peer, Some(IpAddr::V6(ip))) => key.extend_from_slice(&ip.octets()),
        (Need::Peer, None) => key.push(0),
    }
}

/// Puts an answer into the decision.
fn apply(answer: &Answer, decision: &mut Decision) {
    decision.resource = answer.resource;
    if !answer.tags.is_empty() {
        decision.edits.append_encoded(&answer.tags);
    }
}

impl Processor for Mesh {
    fn begin(&mut self, peer: Option<IpAddr>) {
        if self.knowledge.refresh() {
            self.memo.clear();
        }
        // Without a directory no address says anything.
        self.peer_counts = self.settings.peer_address && !self.knowledge.get().directory.is_empty();
        self.peer = peer.filter(|_| self.peer_counts);
    }

    fn process(&mut self, span: &Span<'_>, resources: &mut Resources, decision: &mut Decision) {
        let id = decision.resource;
        if !decision.edits.is_empty() {
            // An earlier processor changed the span: the bytes do not say all.
            let (answer, _) = self.answer(span, &decision.edits, id, resources);
            apply(&answer, decision);
            return;
        }
        self.key.clear();
        self.slots.key(span, id, &mut self.key);
        let mut asked = None;
        match self.memo.get(&self.key) {
            Some(Outcome::Known(answer)) => return apply(answer, decision),
            Some(Outcome::By(need)) => {
                asked = Some(*need);
                put(*need, span, self.peer, &mut self.key);
                if let Some(Outcome::Known(answer)) = self.memo.get(&self.key) {
                    return apply(answer, decision);
                }
            }
            None => {}
        }
        let (answer, need) = self.answer(span, &decision.edits, id, resources);
        apply(&answer, decision);
        if let Some(need) = need.filter(|need| asked != Some(*need)) {
            self.memo.put(&self.key, Outcome::By(need));
            put(need, span, self.peer, &mut self.key);
        }
        self.memo.put(&self.key, Outcome::Known(answer));
    }

    fn forget(&mut self) {
        self.memo.clear();
    }
}

#[cfg(test)]
mod tests;
