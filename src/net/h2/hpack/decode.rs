/*!
Header blocks to fields.

Fields are shown to a visitor until it has seen enough. What follows changes the
table and is neither copied otherwise nor looked at; and it is bounded, since an
octet of a block can stand for a field of four thousand.
*/

use super::{
    super::field::FieldKind,
    huffman,
    table::{Entry, OVERHEAD, Table},
};
use std::ops::Range;

/// The size of the dynamic table that peers may use: the default of
/// SETTINGS_HEADER_TABLE_SIZE.
const TABLE_SIZE: usize = 4096;

/// How much may follow in a block, as SETTINGS_MAX_HEADER_LIST_SIZE counts, after
/// what the visitor wanted to see: more than a sender can mean.
const UNSEEN: usize = 64 << 10;

/// Scratch above this size is given back after a block.
const KEEP: usize = 1024;

/// One direction of one connection.
#[derive(Debug)]
pub(crate) struct HpackDecoder {
    table: Table,
    /// Where strings that are not in the block as they are get decoded to.
    scratch: Vec<u8>,
    path: Path,
}

/// The last `:path`. Most encoders send it anew with every request, Huffman-coded,
/// since paths are many elsewhere; here it is always the same.
#[derive(Debug)]
struct Path {
    /// The string as it stood in its block; empty: none.
    coded: Vec<u8>,
    plain: Vec<u8>,
    field: FieldKind,
}

/// Why a block was not decoded. The connection cannot go on then, since both
/// sides' tables differ from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockFault {
    /// It is no block; what is wrong with it.
    Broken(&'static str),
    /// It stands for far more than anybody looks at.
    Endless,
}

impl From<&'static str> for BlockFault {
    fn from(why: &'static str) -> Self {
        Self::Broken(why)
    }
}

/// Shows fields to a visitor, until that has seen enough.
struct Viewer<V> {
    visit: V,
    has_enough: bool,
    unseen: usize,
}

impl<V: FnMut(Entry<'_>) -> bool> Viewer<V> {
    fn show(&mut self, entry: Entry<'_>) -> Result<(), BlockFault> {
        if self.has_enough {
            return self.pass(entry.name.len() + entry.value.len());
        }
        self.has_enough = !(self.visit)(entry);
        Ok(())
    }

    /// Counts a field of so many octets that is not shown.
    fn pass(&mut self, octets: usize) -> Result<(), BlockFault> {
        self.unseen = self.unseen.saturating_add(octets + OVERHEAD);
        match self.unseen > UNSEEN {
            true => Err(BlockFault::Endless),
            false => Ok(()),
        }
    }
}

/// A string of a block.
enum Text<'b> {
    Plain(&'b [u8]),
    Scratch(Range<usize>),
}

impl Text<'_> {
    fn of<'a>(&'a self, scratch: &'a [u8]) -> &'a [u8] {
        match self {
            Text::Plain(bytes) => bytes,
            Text::Scratch(range) => scratch.get(range.clone()).unwrap_or_default(),
        }
    }
}

impl Default for HpackDecoder {
    fn default() -> Self {
        Self {
            table: Table::new(TABLE_SIZE),
            scratch: Vec::new(),
            path: Path {
                coded: Vec::new(),
                plain: Vec::new(),
                field: FieldKind::Path,
            },
        }
    }
}

impl HpackDecoder {
    /// Reads one whole block and shows its fields, until `visit` returns false.
    ///
    /// # Errors
    ///
    /// What is wrong with the block.
    pub(crate) fn decode(
        &mut self,
        mut block: &[u8],
        visit: impl FnMut(Entry<'_>) -> bool,
    ) -> Result<(), BlockFault> {
        let mut viewer = Viewer {
            visit,
            has_enough: false,
            unseen: 0,
        };
        let mut begun = false;
        while let Some(first) = block.first().copied() {
            let rest = &mut block;
            if first & 0x80 != 0 {
                let index = integer(rest, 7)?;
                viewer.show(self.table.get(index).ok_or(NO_ENTRY)?)?;
            } else if first & 0xe0 == 0x20 {
                let size = integer(rest, 5)?;
                if begun {
                    return Err("a table size update after the first field".into());
                }
                if size > TABLE_SIZE {
                    return Err("a table size update over the limit".into());
                }
                self.table.resize(size);
                continue;
            } else {
                let remember = first & 0x40 != 0;
                self.literal(rest, remember, &mut viewer)?;
            }
            begun = true;
        }
        if self.scratch.capacity() > KEEP {
            self.scratch = Vec::new();
        }
        Ok(())
    }

    fn literal(
        &mut self,
        block: &mut &[u8],
        remember: bool,
        viewer: &mut Viewer<impl FnMut(Entry<'_>) -> bool>,
    ) -> Result<(), BlockFault> {
        let is_passed = viewer.has_enough && !remember;
        self.scratch.clear();
        let name = match integer(block, if remember { 6 } else { 4 })? {
            0 => string(block, &mut self.scratch)?,
            index => {
                // Copied, because the entry may go when this one is remembered.
                let named = self.table.get(index).ok_or(NO_ENTRY)?;
                if is_passed {
                    let value = string(block, &mut self.scratch)?;
                    return viewer.pass(named.name.len() + value.of(&self.scratch).len());
                }
                if named.field == FieldKind::Path && !remember {
                    return self.path(block, viewer);
                }
                self.scratch.extend_from_slice(named.name);
                Text::Scratch(0..self.scratch.len())
            }
        };
        let value = string(block, &mut self.scratch)?;
        let (name, value) = (name.of(&self.scratch), value.of(&self.scratch));
        if is_passed {
            return viewer.pass(name.len() + value.len());
        }
        let entry = Entry {
            field: FieldKind::of(name, value),
            name,
            value,
        };
        viewer.show(entry)?;
        if remember {
            self.table.insert(entry);
        }
        Ok(())
    }
}

impl HpackDecoder {
    /// The value of a path that nobody is to remember.
    fn path(
        &mut self,
        block: &mut &[u8],
        viewer: &mut Viewer<impl FnMut(Entry<'_>) -> bool>,
    ) -> Result<(), BlockFault> {
        let known = &mut self.path;
        let same = block
            .strip_prefix(&known.coded[..])
            .filter(|_| !known.coded.is_empty());
        if let Some(rest) = same {
            *block = rest;
        } else {
            let before = *block;
            let text = string(block, &mut self.scratch)?;
            let value = text.of(&self.scratch);
            known.coded.clear();
            known.plain.clear();
            known.field = FieldKind::of(PATH, value);
            if value.len() > KEEP {
                return viewer.show(Entry {
                    field: known.field,
                    name: PATH,
                    value,
                });
            }
            let coded = before.len() - block.len();
            known
                .coded
                .extend_from_slice(before.get(..coded).unwrap_or_default());
            known.plain.extend_from_slice(value);
        }
        viewer.show(Entry {
            field: known.field,
            name: PATH,
            value: &known.plain,
        })
    }
}

const PATH: &[u8] = b":path";
const NO_ENTRY: &str = "an index that no table has";
const CUT: &str = "a block that ends in the middle of a field";

/// An integer whose first octet has so many bits of it (RFC 7541, 5.1).
fn integer(block: &mut &[u8], bits: u32) -> Result<usize, &'static str> {
    let (first, mut rest) = block.split_first().ok_or(CUT)?;
    let most = (1_u32 << bits) - 1;
    let mut value = u32::from(*first) & most;
    if value == most {
        let mut shift = 0;
        loop {
            let (octet, after) = rest.split_first().ok_or(CUT)?;
            rest = after;
            // Four octets: 2^28, and more than any length that is of use.
            if shift > 21 {
                return Err("an integer that is too large");
            }
            value += u32::from(octet & 0x7f) << shift;
            shift += 7;
            if octet & 0x80 == 0 {
                break;
            }
        }
    }
    *block = rest;
    Ok(value as usize)
}

/// A string (RFC 7541, 5.2).
fn string<'b>(block: &mut &'b [u8], scratch: &mut Vec<u8>) -> Result<Text<'b>, &'static str> {
    let packed = block.first().ok_or(CUT)? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length).ok_or(CUT)?;
    *block = rest;
    if !packed {
        return Ok(Text::Plain(text));
    }
    let begin = scratch.len();
    match huffman::decode(text, scratch) {
        true => Ok(Text::Scratch(begin..scratch.len())),
        false => Err("a string that is not Huffman-coded as it says"),
    }
}

#[cfg(test)]
mod tests;
