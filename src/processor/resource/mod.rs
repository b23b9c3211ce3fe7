/*!
`resource`: actions on the attributes of resources.

A resource that was seen before is known by its id, so that the actions run once for each (and for each sender, where
they ask for its address), and an item costs a comparison.
*/

pub(crate) mod config;

use super::{actions::Actions, derived::Derived};
use crate::{
    pdata::{AttributeList, AttributeScratch, Keys},
    pipeline::{
        Decision, Processor, ProcessorFactory, ProcessorInstance, ResourceId, Resources, Span,
    },
};
use std::net::IpAddr;

/// The field of a resource that holds its attributes.
const ATTRIBUTES: u32 = 1;

/// The settings of a processor, which makes its instances too.
#[derive(Clone, Debug)]
pub(crate) struct ResourceSettings {
    actions: Actions,
}

impl ProcessorFactory for ResourceSettings {
    fn instance(&self, _: usize, _: &mut Keys) -> ProcessorInstance {
        ProcessorInstance::Items(Box::new(Resource::new(self.actions.clone())))
    }
}

struct Resource {
    actions: Actions,
    known: Derived<ResourceId>,
    /// Who sent the request at hand, where that counts.
    peer: Option<IpAddr>,
    scratch: AttributeScratch,
    payload: Vec<u8>,
}

impl Resource {
    fn new(actions: Actions) -> Self {
        Self {
            actions,
            known: Derived::default(),
            peer: None,
            scratch: AttributeScratch::default(),
            payload: Vec::new(),
        }
    }

    fn changed(&mut self, id: ResourceId, resources: &mut Resources) -> ResourceId {
        if let Some(known) = self.known.get(id, self.peer) {
            return known;
        }
        let resource = &resources.get(id).payload;
        let mut list = AttributeList::read(resource, ATTRIBUTES, &mut self.scratch);
        self.actions.run(&mut list);
        let changed = match list.is_changed() {
            true => {
                self.payload.clear();
                list.write(&mut self.payload);
                resources.derive(id, &self.payload)
            }
            false => id,
        };
        self.known.put(id, self.peer, changed)
    }
}

impl Processor for Resource {
    fn begin(&mut self, peer: Option<IpAddr>) {
        if self.actions.begin(peer) {
            self.peer = peer;
        }
    }

    fn process(&mut self, _: &Span<'_>, resources: &mut Resources, decision: &mut Decision) {
        decision.resource = self.changed(decision.resource, resources);
    }

    fn forget(&mut self) {
        self.known.forget();
    }
}
