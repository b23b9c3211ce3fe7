/*!
A message that lies in several pieces, as a sealed batch does, read where it lies.

Only what nests is read here: the groups of a request and their items. What is inside
of these is looked at as one slice, which is copied only where it is cut.
*/

use crate::pdata::wire::{WireType, tag, varint};
use bytes::Bytes;
use std::borrow::Cow;

/// The most bytes that a key and a length may have.
const HEAD: usize = 20;

/// A message, from some place of its first piece on.
#[derive(Clone, Copy)]
pub(super) struct Pieces<'a> {
    chunks: &'a [Bytes],
    at: usize,
    len: usize,
}

impl<'a> Pieces<'a> {
    /// Reads all of `chunks` as one message.
    pub(super) fn new(chunks: &'a [Bytes]) -> Self {
        let len = chunks.iter().map(Bytes::len).sum();
        Self { chunks, at: 0, len }
    }

    /// Returns how many bytes it has.
    pub(super) fn len(self) -> usize {
        self.len
    }

    /// Iterates over the payloads of a nested or repeated field. Ends early at
    /// damaged bytes.
    pub(super) fn all(self, number: u32) -> impl Iterator<Item = Pieces<'a>> {
        let fields = std::iter::successors(self.field(), |(_, _, rest)| rest.field());
        fields.filter_map(move |(found, payload, _)| (found == number).then_some(payload))
    }

    /// Returns the payload of a nested field, empty if there is none.
    pub(super) fn first(self, number: u32) -> Cow<'a, [u8]> {
        self.all(number)
            .next()
            .map(Self::joined)
            .unwrap_or_default()
    }

    /// Returns its bytes, copied only if they lie in several pieces.
    pub(super) fn joined(self) -> Cow<'a, [u8]> {
        let end = self.at + self.len;
        match self
            .chunks
            .first()
            .and_then(|chunk| chunk.get(self.at..end))
        {
            Some(bytes) => Cow::Borrowed(bytes),
            None => Cow::Owned(self.slices().collect::<Vec<_>>().concat()),
        }
    }

    /// Iterates over its bytes, piece by piece.
    fn slices(self) -> impl Iterator<Item = &'a [u8]> {
        let (mut at, mut left) = (self.at, self.len);
        self.chunks.iter().map_while(move |chunk| {
            let rest = chunk.get(std::mem::take(&mut at)..)?;
            let slice = rest.get(..rest.len().min(left))?;
            left -= slice.len();
            (left > 0 || !slice.is_empty()).then_some(slice)
        })
    }

    /// Returns the number and payload of the next field that has a length and is in
    /// no group, and what comes behind it.
    fn field(mut self) -> Option<(u32, Pieces<'a>, Pieces<'a>)> {
        let mut groups = 0_usize;
        while self.len > 0 {
            let (head, known) = self.head();
            let head = head.get(..known)?;
            let (key, value) = tag(head, 0).ok()?;
            let end = match key.wire {
                WireType::Varint => varint(head, value).ok()?.1,
                WireType::Fixed64 => value + 8,
                WireType::Fixed32 => value + 4,
                WireType::StartGroup => {
                    groups += 1;
                    value
                }
                WireType::EndGroup => {
                    groups = groups.checked_sub(1)?;
                    value
                }
                WireType::Len => {
                    let (len, begin) = varint(head, value).ok()?;
                    let payload = self.after(begin)?;
                    let len = usize::try_from(len).ok()?;
                    let rest = payload.after(len)?;
                    if groups == 0 {
                        return Some((key.number, Self { len, ..payload }, rest));
                    }
                    self = rest;
                    continue;
                }
            };
            self = self.after(end)?;
        }
        None
    }

    /// Copies the first bytes, in which a key and a length find room, and returns how
    /// many there are.
    fn head(self) -> ([u8; HEAD], usize) {
        let (mut head, mut known) = ([0; HEAD], 0);
        for slice in self.slices() {
            let room = head.get_mut(known..).unwrap_or_default();
            room.iter_mut()
                .zip(slice)
                .for_each(|(to, from)| *to = *from);
            known += room.len().min(slice.len());
            if known == HEAD {
                break;
            }
        }
        (head, known)
    }

    /// Returns what is left behind the first `bytes`.
    fn after(mut self, bytes: usize) -> Option<Self> {
        self.len = self.len.checked_sub(bytes)?;
        self.at += bytes;
        while let [first, rest @ ..] = self.chunks
            && self.at >= first.len()
            && !rest.is_empty()
        {
            self.at -= first.len();
            self.chunks = rest;
        }
        Some(self)
    }
}
