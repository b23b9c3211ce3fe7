/*! Running passes over requests. */

use super::passes::Pass;
use crate::{
    ottl::{Arena, Context, EVENT, State},
    pdata::{
        Index, Keys, Signal, groups, validate,
        wire::{put_bytes, put_message},
    },
    pipeline::{IndexedRequest, RewriteError, Rewriter, Rewritten},
    processor::ottl::{Failures, Group, refuse},
};
use std::mem;

/// Fields of a group: its resource or scope, its items, its schema URL.
const HEAD: u32 = 1;
const GROUP: u32 = 2;
const SCHEMA_URL: u32 = 3;

/// Memory that the buffer between passes keeps.
const KEPT: usize = 1 << 20;

/// Runs statements over requests.
pub(super) struct Transform {
    passes: Vec<Pass>,
    runner: Runner,
    /// What the pass before wrote.
    between: (Vec<u8>, Index),
}

impl Transform {
    pub(super) fn new(passes: Vec<Pass>, id: &str) -> Self {
        Self {
            passes,
            runner: Runner {
                state: State::new(),
                arena: Arena::default(),
                failures: Failures::new(id),
                most: 0,
                is_changed: false,
                error: None,
            },
            between: <_>::default(),
        }
    }
}

impl Rewriter for Transform {
    fn rewrite(
        &mut self,
        request: &IndexedRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Rewritten, RewriteError> {
        let mut rewritten = Rewritten::Unchanged;
        for pass in &self.passes {
            let (bytes, index) = match rewritten {
                Rewritten::Unchanged => (request.request, request.index),
                Rewritten::Changed => {
                    // What was written becomes what is read.
                    mem::swap(&mut self.between.0, out);
                    let (bytes, index) = &mut self.between;
                    let walked = validate(Signal::Traces, bytes, &Keys::default(), index);
                    walked.map_err(|e| refuse(self.runner.failures.id(), &format!("{e:?}")))?;
                    (&bytes[..], &*index)
                }
            };
            out.clear();
            self.runner.most = request.most;
            self.runner.is_changed = false;
            self.runner.pass(pass, (bytes, index), out);
            if let Some(error) = self.runner.error.take() {
                return Err(error);
            }
            match (self.runner.is_changed, rewritten) {
                (true, _) => rewritten = Rewritten::Changed,
                (false, Rewritten::Unchanged) => {}
                (false, Rewritten::Changed) => {
                    out.clear();
                    out.extend_from_slice(bytes);
                }
            }
            if out.len() > request.most {
                break;
            }
        }
        self.between.0.clear();
        self.between.0.shrink_to(KEPT);
        Ok(rewritten)
    }
}

/// What one pass works with.
struct Runner {
    state: State,
    arena: Arena,
    failures: Failures,
    /// So many bytes may be written.
    most: usize,
    is_changed: bool,
    /// Once it is set, nothing more is run.
    error: Option<RewriteError>,
}

impl Runner {
    fn run(&mut self, group: &Group) {
        if self.error.is_none() {
            self.arena.reset(self.most);
            let ran = group.run(&mut self.state, &self.arena, &mut self.failures);
            self.error = ran.err();
        }
    }

    fn pass(&mut self, pass: &Pass, (request, index): (&[u8], &Index), out: &mut Vec<u8>) {
        for (resource, items) in groups::resource_groups(index) {
            if self.error.is_some() || out.len() > self.most {
                return;
            }
            self.state.resource.load(resource.resource.of(request));
            self.state
                .resource_url
                .load(resource.schema_url.of(request));
            pass.resource.iter().for_each(|group| self.run(group));
            put_message(1, out, |out| {
                for (scope, items) in groups::scope_groups(index, items) {
                    self.state.scope.load(scope.scope.of(request));
                    self.state.scope_url.load(scope.schema_url.of(request));
                    pass.scope.iter().for_each(|group| self.run(group));
                    put_message(GROUP, out, |out| {
                        for item in items {
                            self.span(pass, item.bytes.of(request), out);
                        }
                        // Statements for spans may have changed the scope.
                        let head = &self.state.scope;
                        if scope.has_scope || head.is_changed() {
                            put_message(HEAD, out, |out| head.write(out));
                        }
                        self.is_changed |= head.is_changed() || self.state.scope_url.is_changed;
                        put_url(&self.state.scope_url.url, out);
                        out.extend_from_slice(scope.rest.of(request));
                    });
                }
                let head = &self.state.resource;
                if !resource.resource.is_empty() || head.is_changed() {
                    put_message(HEAD, out, |out| head.write(out));
                }
                self.is_changed |= head.is_changed() || self.state.resource_url.is_changed;
                put_url(&self.state.resource_url.url, out);
                out.extend_from_slice(resource.rest.of(request));
            });
        }
    }

    fn span(&mut self, pass: &Pass, payload: &[u8], out: &mut Vec<u8>) {
        if pass.span.is_empty() || out.len() > self.most {
            return groups::put_item(payload, out);
        }
        self.state.span.load(payload);
        for group in &pass.span {
            match group.context {
                Context::SpanEvent => self.events(group),
                _ => self.run(group),
            }
        }
        let span = &self.state.span;
        match span.is_changed() {
            false => groups::put_item(payload, out),
            true => {
                self.is_changed = true;
                put_message(GROUP, out, |out| span.write(out));
            }
        }
    }

    fn events(&mut self, group: &Group) {
        let mut position = 0;
        while let Some((at, payload)) = self.state.span.message_from(EVENT, position) {
            self.state.event.load(payload);
            self.run(group);
            let State { span, event, .. } = &mut self.state;
            if event.is_changed() {
                span.replace_message(at, |out| event.write(out));
            }
            position = at + 1;
        }
    }
}

fn put_url(url: &[u8], out: &mut Vec<u8>) {
    if !url.is_empty() {
        put_bytes(SCHEMA_URL, url, out);
    }
}
