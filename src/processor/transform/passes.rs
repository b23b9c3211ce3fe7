/*!
Passes: which lists of statements run together on the way through a request.

The Collector runs each list over all of the request before the next. Two lists can be run item by item instead where neither can see
what the other did to another item: the first must be for the same or a wider context, and neither may change what is
wider than its own.
*/

use crate::{ottl::Context, processor::ottl::Group};

/// Lists that run on one way through a request.
#[derive(Debug, Default)]
pub(super) struct Pass {
    pub(super) resource: Vec<Group>,
    pub(super) scope: Vec<Group>,
    /// For spans and for events.
    pub(super) span: Vec<Group>,
    /// A list changes what is wider than its context.
    writes_wider: bool,
}

impl Pass {
    /// Puts lists into as few passes as may be.
    pub(super) fn plan(groups: Vec<Group>) -> Vec<Self> {
        let mut passes: Vec<Self> = Vec::new();
        for group in groups {
            let writes_wider = group
                .statements
                .iter()
                .any(|s| s.writes_wider(group.context));
            let fits = passes
                .last()
                .is_some_and(|pass| pass.takes(&group, writes_wider));
            if !fits {
                passes.push(Self::default());
            }
            if let Some(pass) = passes.last_mut() {
                pass.writes_wider |= writes_wider;
                match group.context {
                    Context::Resource => pass.resource.push(group),
                    Context::Scope => pass.scope.push(group),
                    Context::Span | Context::SpanEvent => pass.span.push(group),
                }
            }
        }
        passes
    }

    fn takes(&self, group: &Group, writes_wider: bool) -> bool {
        let (has_scope, has_span) = (!self.scope.is_empty(), !self.span.is_empty());
        let (is_in_order, has_same) = match group.context {
            Context::Resource => (!has_scope && !has_span, !self.resource.is_empty()),
            Context::Scope => (!has_span, has_scope),
            Context::Span | Context::SpanEvent => (true, has_span),
        };
        is_in_order && !self.writes_wider && !(writes_wider && has_same)
    }
}
