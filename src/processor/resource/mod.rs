/*!
`resource`: actions on the attributes of resources.

A resource that was seen before is known by its id, so that the actions run once for each (and for each sender, where
they ask for its address), and an item costs a comparison.
*/

pub(crate) mod config;

use super::actions::Actions;
use crate::{
    pdata::{AttributeList, AttributeScratch, Keys},
    pipeline::{
        Decision, Processor, ProcessorFactory, ProcessorInstance, ResourceId, Resources, Span,
    },
};
use hashbrown::HashMap;
use std::net::IpAddr;

/// The field of a resource that holds its attributes.
const ATTRIBUTES: u32 = 1;

/// Answers that are remembered: beyond, all are forgotten.
const MOST_REMEMBERED: usize = 8192;

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
    known: HashMap<(ResourceId, Option<IpAddr>), ResourceId, foldhash::fast::RandomState>,
    /// Who sent the request at hand, where that counts.
    peer: Option<IpAddr>,
    /// The resource of the item before, and what became of it.
    last: Option<(ResourceId, ResourceId)>,
    scratch: AttributeScratch,
    payload: Vec<u8>,
}

impl Resource {
    fn new(actions: Actions) -> Self {
        Self {
            actions,
            known: HashMap::default(),
            peer: None,
            last: None,
            scratch: AttributeScratch::default(),
            payload: Vec::new(),
        }
    }

    fn changed(&mut self, id: ResourceId, resources: &mut Resources) -> ResourceId {
        let key = (id, self.peer);
        if let Some(known) = self.known.get(&key) {
            return *known;
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
        if self.known.len() >= MOST_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(key, changed);
        changed
    }
}

impl Processor for Resource {
    fn begin(&mut self, peer: Option<IpAddr>) {
        if self.actions.begin(peer) {
            self.peer = peer;
            self.last = None;
        }
    }

    fn process(&mut self, _: &Span<'_>, resources: &mut Resources, decision: &mut Decision) {
        let id = decision.resource;
        decision.resource = match self.last {
            Some((before, after)) if before == id => after,
            _ => {
                let changed = self.changed(id, resources);
                self.last = Some((id, changed));
                changed
            }
        };
    }

    fn forget(&mut self) {
        self.known.clear();
        self.last = None;
    }
}
