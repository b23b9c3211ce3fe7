/*! Deciding what is dropped, and writing what is left. */

use super::stats::FilterStats;
use crate::{
    ottl::{Arena, Context, EVENT, State},
    pdata::{Index, Signal, groups},
    pipeline::{IndexedRequest, RewriteError, Rewriter, Rewritten},
    processor::{
        matching::Selection,
        ottl::{Failures, Tests},
    },
};
use std::ops::Range;

/// Memory that the changed spans keep from request to request.
const KEPT: usize = 1 << 20;

/// What becomes of a span.
#[derive(Clone, Debug)]
enum Verdict {
    Keep,
    Drop,
    /// It lost events: its payload is here, in what was changed.
    Changed(Range<usize>),
}

/// Drops what conditions hold of, and spans that are not kept.
pub(super) struct Filter {
    /// By context, the widest first within a list of the file.
    tests: Vec<(Context, Tests)>,
    kept: Selection,
    state: State,
    arena: Arena,
    failures: Failures,
    /// One for each item.
    verdicts: Vec<Verdict>,
    changed: Vec<u8>,
    dropped: u64,
    stats: FilterStats,
}

impl Filter {
    pub(super) fn new(
        tests: Vec<(Context, Tests)>,
        kept: Selection,
        id: &str,
        stats: FilterStats,
    ) -> Self {
        Self {
            tests,
            kept,
            state: State::new(),
            arena: Arena::default(),
            failures: Failures::new(id),
            verdicts: Vec::new(),
            changed: Vec::new(),
            dropped: 0,
            stats,
        }
    }

    /// Whether a condition of this context holds of what is in the state.
    fn drops(&mut self, context: Context, most: usize) -> Result<bool, RewriteError> {
        for (_, tests) in self.tests.iter().filter(|(of, _)| *of == context) {
            self.state.clear_cache();
            self.arena.reset(most);
            if tests.any(&self.state, &self.arena, &mut self.failures)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Decides about every item of a request.
    fn decide(&mut self, request: &[u8], index: &Index, most: usize) -> Result<(), RewriteError> {
        let has = |filter: &Self, context| filter.tests.iter().any(|(of, _)| *of == context);
        let (spans, events) = (has(self, Context::Span), has(self, Context::SpanEvent));
        for (resource, items) in groups::resource_groups(index) {
            self.state.resource.load(resource.resource.of(request));
            self.state
                .resource_url
                .load(resource.schema_url.of(request));
            let drops_resource = self.drops(Context::Resource, most)?;
            let of_resource = self.kept.resource(resource.resource.of(request));
            for (scope, items) in groups::scope_groups(index, items) {
                self.state.scope.load(scope.scope.of(request));
                self.state.scope_url.load(scope.schema_url.of(request));
                let drops_all = drops_resource || self.drops(Context::Scope, most)?;
                let of_scope = self.kept.scope(of_resource, scope.scope.of(request));
                for item in items {
                    let verdict =
                        if drops_all || !self.kept.item(of_scope, Signal::Traces, item, request) {
                            Verdict::Drop
                        } else if spans || events {
                            self.span(item.bytes.of(request), most)?
                        } else {
                            Verdict::Keep
                        };
                    self.verdicts.push(verdict);
                }
            }
        }
        Ok(())
    }

    fn span(&mut self, payload: &[u8], most: usize) -> Result<Verdict, RewriteError> {
        self.state.span.load(payload);
        if self.drops(Context::Span, most)? {
            return Ok(Verdict::Drop);
        }
        if !self.tests.iter().any(|(of, _)| *of == Context::SpanEvent) {
            return Ok(Verdict::Keep);
        }
        let mut position = 0;
        while let Some((at, payload)) = self.state.span.message_from(EVENT, position) {
            self.state.event.load(payload);
            if self.drops(Context::SpanEvent, most)? {
                self.state.span.take_message(at);
            }
            position = at + 1;
        }
        if !self.state.span.is_changed() {
            return Ok(Verdict::Keep);
        }
        let start = self.changed.len();
        self.state.span.write(&mut self.changed);
        Ok(Verdict::Changed(start..self.changed.len()))
    }

    /// Writes what is left of a request.
    fn write(&self, request: &[u8], index: &Index, out: &mut Vec<u8>) {
        let mut verdicts = self.verdicts.iter();
        for (resource, items) in groups::resource_groups(index) {
            let payload = resource.resource.of(request);
            groups::put_resource_group(request, resource, payload, out, |out| {
                for (scope, items) in groups::scope_groups(index, items) {
                    groups::put_scope_group(request, scope, scope.scope.of(request), out, |out| {
                        for (item, verdict) in items.iter().zip(&mut verdicts) {
                            match verdict {
                                Verdict::Drop => {}
                                Verdict::Keep => groups::put_item(item.bytes.of(request), out),
                                Verdict::Changed(range) => {
                                    let changed = self.changed.get(range.clone());
                                    groups::put_item(changed.unwrap_or_default(), out);
                                }
                            }
                        }
                    });
                }
            });
        }
    }
}

impl Rewriter for Filter {
    fn rewrite(
        &mut self,
        request: &IndexedRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Rewritten, RewriteError> {
        self.verdicts.clear();
        self.changed.clear();
        self.changed.shrink_to(KEPT);
        self.decide(request.request, request.index, request.most)?;
        let dropped = self
            .verdicts
            .iter()
            .filter(|v| matches!(v, Verdict::Drop))
            .count();
        self.dropped += dropped as u64;
        if dropped == 0 && self.changed.is_empty() {
            return Ok(Rewritten::Unchanged);
        }
        self.write(request.request, request.index, out);
        Ok(Rewritten::Changed)
    }

    fn end(&mut self) {
        self.stats.dropped.add(std::mem::take(&mut self.dropped));
    }

    fn discard(&mut self) {
        self.dropped = 0;
    }
}
