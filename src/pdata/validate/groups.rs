/*! The request and its groups: resources, scopes, and the items in them. */

use super::fields::{MalformedRequest, RequestWalk, range};
use crate::pdata::{
    index::{ByteRange, ItemEntry, ResourceEntry, ScopeEntry},
    schema::{DenseKind, SchemaMessage},
    wire::{MAX_DEPTH, WireReason},
};

/// A signal's groups and items. Fields 1, 2 and 3 of the groups mean the same in
/// all of them: resource or scope, what is inside, `schema_url`.
pub(super) trait SignalItems {
    const REQUEST: SchemaMessage;
    const RESOURCE: SchemaMessage;
    const SCOPE: SchemaMessage;
    const ITEM: SchemaMessage;

    /// Walks the payload of an item and fills in what there is to know.
    fn item(
        walk: &mut RequestWalk<'_>,
        entry: &mut ItemEntry,
        depth: u32,
    ) -> Result<(), MalformedRequest>;
}

impl RequestWalk<'_> {
    pub(super) fn request<S: SignalItems>(&mut self) -> Result<(), MalformedRequest> {
        let (buf, depth) = (self.request, MAX_DEPTH);
        let (mut pos, mut seen) = (0, 0);
        let mut rest = ByteRange::default();
        while pos < buf.len() {
            let field = self.field::<true>(S::REQUEST, buf, pos, depth, &mut seen)?;
            if field.kind == DenseKind::Unknown {
                self.unknown(&mut rest, pos, field.end);
            } else {
                self.resource_group::<S>(field.start, field.end, depth - 1)?;
            }
            pos = field.end;
        }
        self.index.rest = rest;
        Ok(())
    }

    fn resource_group<S: SignalItems>(
        &mut self,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<(), MalformedRequest> {
        let at = self.index.resources.len();
        self.room(at, S::RESOURCE, start)?;
        self.index.resources.push(ResourceEntry::default());
        let mut entry = ResourceEntry {
            first_item: self.index.items.len() as u32,
            ..ResourceEntry::default()
        };
        let buf = self.until(end);
        let (mut pos, mut seen) = (start, 0);
        while pos < buf.len() {
            let field = self.field::<true>(S::RESOURCE, buf, pos, depth, &mut seen)?;
            match field.number {
                1 => {
                    self.canonical(SchemaMessage::Resource, field.start, field.end, depth - 1)?;
                    entry.resource = field.range();
                }
                2 => self.scope_group::<S>(at as u32, field.start, field.end, depth - 1)?,
                3 => entry.schema_url = field.range(),
                _ => self.unknown(&mut entry.rest, pos, field.end),
            }
            pos = field.end;
        }
        entry.end_item = self.index.items.len() as u32;
        if let Some(place) = self.index.resources.get_mut(at) {
            *place = entry;
        }
        Ok(())
    }

    fn scope_group<S: SignalItems>(
        &mut self,
        resource: u32,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<(), MalformedRequest> {
        let at = self.index.scopes.len();
        self.room(at, S::SCOPE, start)?;
        self.index.scopes.push(ScopeEntry::default());
        let mut entry = ScopeEntry::default();
        let buf = self.until(end);
        let (mut pos, mut seen) = (start, 0);
        while pos < buf.len() {
            let field = self.field::<true>(S::SCOPE, buf, pos, depth, &mut seen)?;
            match field.number {
                1 => {
                    self.canonical(SchemaMessage::Scope, field.start, field.end, depth - 1)?;
                    entry.scope = field.range();
                    entry.has_scope = true;
                }
                2 => {
                    self.room(self.index.items.len(), S::ITEM, field.start)?;
                    let mut item = ItemEntry::new(field.range(), resource, at as u32);
                    S::item(self, &mut item, depth - 1)?;
                    self.index.items.push(item);
                }
                3 => entry.schema_url = field.range(),
                _ => self.unknown(&mut entry.rest, pos, field.end),
            }
            pos = field.end;
        }
        if let Some(place) = self.index.scopes.get_mut(at) {
            *place = entry;
        }
        Ok(())
    }

    /// Extends the run of unknown fields `rest` by `start..end`; a second run
    /// does not fit into one range, so it calls for repair.
    fn unknown(&mut self, rest: &mut ByteRange, start: usize, end: usize) {
        if rest.is_empty() {
            *rest = range(start, end);
        } else if rest.end as usize == start {
            rest.end = end as u32;
        } else {
            self.index.needs_repair = true;
        }
    }

    /// Refuses entry number `len`, of `message`, where the index is full.
    #[inline]
    fn room(
        &self,
        len: usize,
        message: SchemaMessage,
        offset: usize,
    ) -> Result<(), MalformedRequest> {
        let most = self.index.limits.entries;
        if len < most {
            return Ok(());
        }
        let (path, reason) = (message.name(), WireReason::TooMany(most));
        Err(MalformedRequest {
            offset,
            path,
            reason,
        })
    }
}
