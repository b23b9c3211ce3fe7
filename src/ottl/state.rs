/*!
What statements run over: the resource, scope, span and event at hand, and the cache of the context.

Reading a field gives a [`Value`](super::value::Value); setting one checks the type, as the Collector's setters do.
*/

mod fields;
mod get;
mod set;
mod trace_state;

pub(super) use fields::{parse_hex, span};

use super::{
    paths::Owner,
    record::{Record, Shape},
};
use fields::id;

/// Field of a span that holds an event.
pub(crate) const EVENT: u32 = span::EVENTS;

/// What statements run over.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) resource: Record,
    pub(crate) scope: Record,
    pub(crate) span: Record,
    pub(crate) event: Record,
    pub(crate) resource_url: SchemaUrl,
    pub(crate) scope_url: SchemaUrl,
    pub(crate) cache: Record,
    /// A map within an attribute, while it is edited.
    pub(super) nested: Record,
}

/// The schema URL of a group.
#[derive(Debug, Default)]
pub(crate) struct SchemaUrl {
    pub(crate) url: Vec<u8>,
    pub(crate) is_changed: bool,
}

impl SchemaUrl {
    pub(crate) fn load(&mut self, url: &[u8]) {
        self.is_changed = false;
        self.url.clear();
        self.url.extend_from_slice(url);
    }

    fn set(&mut self, url: &str) {
        self.load(url.as_bytes());
        self.is_changed = true;
    }
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            resource: Record::new(Shape::Resource),
            scope: Record::new(Shape::Scope),
            span: Record::new(Shape::Span),
            event: Record::new(Shape::EVENT),
            resource_url: SchemaUrl::default(),
            scope_url: SchemaUrl::default(),
            cache: Record::new(Shape::MAP),
            nested: Record::new(Shape::MAP),
        }
    }

    /// Empties the cache: another item comes, or another list of statements.
    pub(crate) fn clear_cache(&mut self) {
        self.cache.load(&[]);
    }

    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        let records = [
            &self.resource,
            &self.scope,
            &self.span,
            &self.event,
            &self.cache,
        ];
        records.iter().map(|record| record.size()).sum()
    }

    pub(super) fn record(&self, owner: Option<Owner>) -> &Record {
        match owner {
            None => &self.cache,
            Some(Owner::Resource) => &self.resource,
            Some(Owner::Scope) => &self.scope,
            Some(Owner::Span) => &self.span,
            Some(Owner::Event) => &self.event,
        }
    }

    pub(super) fn record_mut(&mut self, owner: Option<Owner>) -> &mut Record {
        match owner {
            None => &mut self.cache,
            Some(Owner::Resource) => &mut self.resource,
            Some(Owner::Scope) => &mut self.scope,
            Some(Owner::Span) => &mut self.span,
            Some(Owner::Event) => &mut self.event,
        }
    }

    /// Returns true if the span has no parent.
    pub(super) fn is_root(&self) -> bool {
        id::<8>(self.span.bytes(span::PARENT_SPAN_ID)) == [0; 8]
    }
}
