/*!
The `k8s_attributes` processor: adds to resources what Kubernetes knows of the Pod that
they are of.

It decides by resource, and by sender where that counts: what one gets is worked out
once ([`enrich`]) and remembered until the inventory changes ([`inventory`]), which a
watcher keeps on its own thread. So an item costs a look into a table. What is
looked for in the cluster, and what is kept of it, follows from the keys ([`rules`]).
*/

mod association;
mod background;
mod build;
pub(crate) mod config;
mod container;
mod enrich;
mod factory;
mod field;
mod image;
mod inventory;
mod owners;
mod pod;
mod rules;
mod settings;
mod stats;
mod synced;
#[cfg(test)]
mod tests;

use crate::{
    mesh::{Current, Reader},
    pdata::Edits,
    pipeline::{Decision, Processor, ResourceId, Resources, Span},
    processor::derived::Derived,
};
use enrich::{Enriching, Outcome};
use factory::K8sAttributesFactory;
use inventory::Inventory;
use settings::K8sSettings;
use stats::AssociationStats;
use std::{net::IpAddr, sync::Arc};

/// What is known of a resource from a sender.
#[derive(Clone, Copy, Debug)]
struct Answer {
    resource: ResourceId,
    outcome: Outcome,
}

/// The `k8s_attributes` processor.
#[derive(Debug)]
pub(crate) struct K8sAttributes {
    settings: Arc<K8sSettings>,
    inventory: Reader<Inventory>,
    known: Derived<Answer>,
    uses_peer: bool,
    /// Who sent the request at hand, if that counts.
    peer: Option<IpAddr>,
    /// The number of the resource of the item before, in its request.
    last: Option<u32>,
    scratch: Edits,
    /// Of each association, the last for what says nothing: known, and not, of the
    /// request at hand.
    tally: Vec<[u64; 2]>,
    stats: Vec<AssociationStats>,
}

impl K8sAttributes {
    /// An instance that looks for Pods in `current` and counts into `stats`.
    fn new(
        settings: Arc<K8sSettings>,
        current: &Current<Inventory>,
        stats: Vec<AssociationStats>,
    ) -> Self {
        Self {
            uses_peer: settings.filing.associations.use_connection(),
            settings,
            inventory: current.reader(),
            known: Derived::default(),
            peer: None,
            last: None,
            scratch: Edits::default(),
            tally: vec![[0; 2]; stats.len()],
            stats,
        }
    }

    fn answer(&mut self, id: ResourceId, resources: &mut Resources) -> Answer {
        if let Some(answer) = self.known.get(id, self.peer) {
            return answer;
        }
        let filing = &self.settings.filing;
        let enriching = Enriching {
            rules: &filing.rules,
            associations: &filing.associations,
            passthrough: self.settings.passthrough,
            inventory: self.inventory.get(),
        };
        let payload = &resources.get(id).payload;
        let (changed, outcome) = enriching.enrich(payload, self.peer, &mut self.scratch);
        let resource = changed.map_or(id, |payload| resources.derive(id, &payload));
        (self.known).put(id, self.peer, Answer { resource, outcome })
    }

    fn count(&mut self, outcome: Outcome) {
        let nothing = self.tally.len().saturating_sub(1);
        let at = outcome.association.unwrap_or(nothing);
        if let Some([known, unknown]) = self.tally.get_mut(at) {
            *known += u64::from(outcome.is_found);
            *unknown += u64::from(!outcome.is_found);
        }
    }
}

impl Processor for K8sAttributes {
    fn begin(&mut self, peer: Option<IpAddr>) {
        if self.inventory.refresh() {
            self.known.forget();
        }
        self.peer = peer
            .filter(|_| self.uses_peer)
            .map(|peer| peer.to_canonical());
        self.last = None;
    }

    fn process(&mut self, span: &Span<'_>, resources: &mut Resources, decision: &mut Decision) {
        let answer = self.answer(decision.resource, resources);
        decision.resource = answer.resource;
        if self.last.replace(span.entry.resource) != Some(span.entry.resource) {
            self.count(answer.outcome);
        }
    }

    fn end(&mut self) {
        for (tally, stats) in self.tally.iter_mut().zip(&self.stats) {
            let [known, unknown] = std::mem::take(tally);
            if known > 0 {
                stats.success.add(known);
            }
            if unknown > 0 {
                stats.error.add(unknown);
            }
        }
    }

    fn discard(&mut self) {
        self.tally.fill([0; 2]);
    }

    fn forget(&mut self) {
        self.known.forget();
    }
}
