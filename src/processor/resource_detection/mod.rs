/*!
The `resource_detection` processor: adds to resources what can be told of where wayspan
runs, without asking a cloud.

All is detected once at start ([`background`]); what becomes of a resource is remembered.
*/

mod background;
mod build;
pub(crate) mod config;
mod detected;
mod environment;
mod factory;
mod node;
mod settings;
mod system;
#[cfg(test)]
mod tests;

use crate::{
    pdata::Edits,
    pipeline::{Decision, Processor, ResourceId, Resources, Span},
    processor::derived::Derived,
};
use detected::Detected;

/// The `resource_detection` processor.
#[derive(Debug)]
pub(crate) struct ResourceDetection {
    detected: Detected,
    overrides: bool,
    known: Derived<ResourceId>,
    scratch: Edits,
}

impl ResourceDetection {
    fn new(detected: Detected, overrides: bool) -> Self {
        Self {
            detected,
            overrides,
            known: Derived::default(),
            scratch: Edits::default(),
        }
    }

    fn merged(&mut self, id: ResourceId, resources: &mut Resources) -> ResourceId {
        let header = resources.get(id);
        let payload = &header.payload;
        let changed = (self.detected).merge(payload, self.overrides, &mut self.scratch);
        let lacks_schema = header.schema_url.is_empty() && !self.detected.schema_url.is_empty();
        if changed.is_none() && !lacks_schema {
            return id;
        }
        let payload = changed.unwrap_or_else(|| payload.clone());
        let rest = header.rest.clone();
        let schema_url = match lacks_schema {
            true => self.detected.schema_url.as_bytes().to_vec(),
            false => header.schema_url.clone(),
        };
        resources.intern(&payload, &schema_url, &rest)
    }
}

impl Processor for ResourceDetection {
    fn process(&mut self, _: &Span<'_>, resources: &mut Resources, decision: &mut Decision) {
        let id = decision.resource;
        decision.resource = match self.known.get(id, None) {
            Some(merged) => merged,
            None => {
                let merged = self.merged(id, resources);
                self.known.put(id, None, merged)
            }
        };
    }

    fn forget(&mut self) {
        self.known.forget();
    }
}
