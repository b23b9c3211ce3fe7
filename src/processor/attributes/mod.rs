/*!
`attributes`: actions on the attributes of spans, log records and data points.

Items that are not selected, or that no action changes, go on byte for byte.
*/

pub(crate) mod config;

use super::{actions::Actions, items::put_item, matching::Selection};
use crate::{
    pdata::{AttributeScratch, Keys, Signal, groups},
    pipeline::{
        IndexedRequest, ProcessorFactory, ProcessorInstance, RewriteError, Rewriter, Rewritten,
    },
};
use std::net::IpAddr;

/// Makes instances for one pipeline.
#[derive(Debug)]
struct AttributesFactory {
    actions: Actions,
    selection: Selection,
    signal: Signal,
}

impl ProcessorFactory for AttributesFactory {
    fn instance(&self, _: usize, _: &mut Keys) -> ProcessorInstance {
        ProcessorInstance::Requests(Box::new(Attributes {
            actions: self.actions.clone(),
            selection: self.selection.clone(),
            signal: self.signal,
            scratch: AttributeScratch::default(),
        }))
    }
}

struct Attributes {
    actions: Actions,
    selection: Selection,
    signal: Signal,
    scratch: AttributeScratch,
}

impl Rewriter for Attributes {
    fn begin(&mut self, peer: Option<IpAddr>) {
        self.actions.begin(peer);
    }

    fn rewrite(
        &mut self,
        request: &IndexedRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Rewritten, RewriteError> {
        let (bytes, signal) = (request.request, self.signal);
        let (selection, scratch) = (&mut self.selection, &mut self.scratch);
        let (mut is_changed, mut is_too_long) = (false, false);
        for (resource, items) in groups::resource_groups(request.index) {
            let payload = resource.resource.of(bytes);
            let of_resource = selection.resource(payload);
            groups::put_resource_group(bytes, resource, payload, out, |out| {
                for (scope, items) in groups::scope_groups(request.index, items) {
                    let payload = scope.scope.of(bytes);
                    let of_scope = selection.scope(of_resource, payload);
                    groups::put_scope_group(bytes, scope, payload, out, |out| {
                        for entry in items {
                            if out.len() > request.most {
                                is_too_long = true;
                                break;
                            }
                            let item = entry.bytes.of(bytes);
                            if selection.item(of_scope, signal, entry, bytes) {
                                let actions = &mut self.actions;
                                is_changed |=
                                    put_item(signal, item, scratch, out, |list| actions.run(list));
                            } else {
                                groups::put_item(item, out);
                            }
                        }
                    });
                }
            });
        }
        match (is_too_long, is_changed) {
            (true, _) => Err(RewriteError::TooLong),
            (false, true) => Ok(Rewritten::Changed),
            (false, false) => Ok(Rewritten::Unchanged),
        }
    }
}
