/*!
A JSON array of spans, of either version: one span is in memory at a time.
*/

use super::{
    ImportOptions,
    groups::{Groups, TooMuch},
    json::{Items, List, Members, Nullable, Object},
};
use crate::zipkin::ZipkinError;
use serde::de::{DeserializeSeed, Error, SeqAccess};

/// A span that is read member by member, and the member of it that is being read.
pub(super) trait ListedSpan<'de>: Members<'de> + Default {
    /// Forgets the span before.
    fn clear(&mut self);

    /// Returns what is wrong with a span that was read whole.
    fn fault(&mut self) -> Option<&'static str>;

    /// Adds the span to the groups.
    fn add(&mut self, options: ImportOptions, groups: &mut Groups) -> Result<(), TooMuch>;

    /// Returns the path to what is being read, from the span on.
    fn place(&self) -> String;
}

/// Reads all spans of the body into the groups.
pub(super) fn read<'de, S: ListedSpan<'de>>(
    body: &'de [u8],
    options: ImportOptions,
    groups: &mut Groups,
) -> Result<(), ZipkinError> {
    let mut spans = Spans {
        span: S::default(),
        index: 0,
        options,
        groups,
    };
    let mut parser = serde_json::Deserializer::from_slice(body);
    let read = Nullable(List(&mut spans)).deserialize(&mut parser);
    read.and_then(|_| parser.end()).map_err(|error| {
        let within = spans.span.place();
        ZipkinError::of_span(spans.index, format_args!("{within}: {error}"))
    })
}

struct Spans<'g, S> {
    span: S,
    index: usize,
    options: ImportOptions,
    groups: &'g mut Groups,
}

impl<'de, S: ListedSpan<'de>> Items<'de> for Spans<'_, S> {
    fn item<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        self.span.clear();
        let Some(item) = seq.next_element_seed(Nullable(Object(&mut self.span)))? else {
            return Ok(false);
        };
        if item.is_some() {
            if let Some(fault) = self.span.fault() {
                return Err(A::Error::custom(fault));
            }
            let added = self.span.add(self.options, self.groups);
            added.map_err(A::Error::custom)?;
        }
        self.index += 1;
        Ok(true)
    }
}
