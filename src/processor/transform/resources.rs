/*! Statements that depend on the resource alone: run once for each resource, and remembered. */

use crate::{
    ottl::{Arena, State},
    pipeline::{Decision, Processor, ResourceId, Resources, Span},
    processor::{
        derived::Derived,
        ottl::{Failures, Group},
    },
};

/// A resource may grow by this much.
const MOST: usize = 1 << 20;

/// Derives resources from resources.
pub(super) struct ResourceTransform {
    groups: Vec<Group>,
    state: State,
    arena: Arena,
    failures: Failures,
    known: Derived<ResourceId>,
}

impl ResourceTransform {
    pub(super) fn new(groups: Vec<Group>, id: &str) -> Self {
        Self {
            groups,
            state: State::new(),
            arena: Arena::default(),
            failures: Failures::new(id),
            known: Derived::default(),
        }
    }

    fn derive(&mut self, from: ResourceId, resources: &mut Resources) -> ResourceId {
        let header = resources.get(from);
        self.state.resource.load(&header.payload);
        self.state.resource_url.load(&header.schema_url);
        for group in &self.groups {
            self.arena.reset(header.payload.len() + MOST);
            // Errors of these lists are never propagated.
            let _ = group.run(&mut self.state, &self.arena, &mut self.failures);
        }
        let state = &self.state;
        if !state.resource.is_changed() && !state.resource_url.is_changed {
            return from;
        }
        let (mut payload, rest) = (Vec::new(), header.rest.clone());
        state.resource.write(&mut payload);
        resources.intern(&payload, &state.resource_url.url, &rest)
    }
}

impl Processor for ResourceTransform {
    fn process(&mut self, _: &Span<'_>, resources: &mut Resources, decision: &mut Decision) {
        let from = decision.resource;
        decision.resource = match self.known.get(from, None) {
            Some(known) => known,
            None => {
                let derived = self.derive(from, resources);
                self.known.put(from, None, derived)
            }
        };
    }

    fn forget(&mut self) {
        self.known.forget();
    }
}
