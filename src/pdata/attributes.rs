/*!
The attributes of one message as a list that can be changed and written once.

[`AttributeList`] has the semantics of the Collector's map, order and doubled keys included: the first
attribute of a key is the one that counts, a new one goes to the end, a changed one keeps its place, and a
removed one leaves its place to the last. It holds places in the message, and in an arena for what is new; both
are scratch ([`AttributeScratch`]), so that once grown nothing is allocated per message. An attribute that is not
changed is written byte for byte.
*/

use super::{
    Runs, key_value,
    view::AnyValue,
    wire::{WireFields, put_bytes, put_fixed64, put_message, put_number},
};
use std::ops::Range;

/// Where bytes are: in the message, or in the arena.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u32,
    end: u32,
    is_new: bool,
}

impl Piece {
    fn of_message(range: Range<usize>) -> Self {
        Self {
            start: range.start as u32,
            end: range.end as u32,
            is_new: false,
        }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Piece,
    value: Piece,
    /// The whole field, while it is as it was.
    raw: Option<Piece>,
}

/// Memory for lists, used again and again.
#[derive(Debug, Default)]
pub struct AttributeScratch {
    entries: Vec<Entry>,
    /// The other fields of the message, and how many of them stand before the first attribute.
    others: Vec<Piece>,
    in_front: usize,
    arena: Vec<u8>,
    is_changed: bool,
}

/// A value to be given to attributes of one list.
#[derive(Clone, Copy, Debug)]
pub struct NewValue(Piece);

/// The attributes of one message.
#[derive(Debug)]
pub struct AttributeList<'a> {
    message: &'a [u8],
    number: u32,
    scratch: &'a mut AttributeScratch,
}

/// Bytes for which an arena keeps its memory.
const KEPT: usize = 256 << 10;

impl<'a> AttributeList<'a> {
    /// Reads the attributes of a message's payload: its fields with this number.
    pub fn read(message: &'a [u8], number: u32, scratch: &'a mut AttributeScratch) -> Self {
        scratch.entries.clear();
        scratch.arena.clear();
        scratch.arena.shrink_to(KEPT);
        scratch.entries.shrink_to(KEPT / size_of::<Entry>());
        scratch.others.shrink_to(KEPT / size_of::<Piece>());
        scratch.is_changed = false;
        scratch.others.clear();
        scratch.in_front = 0;
        for field in WireFields::new(message) {
            let raw = field.at..field.end();
            match field.bytes() {
                Some(pair) if field.number == number => {
                    let start = raw.end - pair.len();
                    let (key, value) = key_value(pair);
                    scratch.entries.push(Entry {
                        key: Piece::of_message(start + key.start..start + key.end),
                        value: Piece::of_message(start + value.start..start + value.end),
                        raw: Some(Piece::of_message(raw)),
                    });
                }
                _ => {
                    scratch.others.push(Piece::of_message(raw));
                    scratch.in_front += usize::from(scratch.entries.is_empty());
                }
            }
        }
        Self {
            message,
            number,
            scratch,
        }
    }

    /// How many attributes there are.
    pub fn len(&self) -> usize {
        self.scratch.entries.len()
    }

    /// Returns true if there is none.
    pub fn is_empty(&self) -> bool {
        self.scratch.entries.is_empty()
    }

    /// Returns true if anything was changed.
    pub fn is_changed(&self) -> bool {
        self.scratch.is_changed
    }

    /// The position of the first attribute with this key.
    pub fn find(&self, key: &str) -> Option<usize> {
        let mut entries = self.scratch.entries.iter();
        entries.position(|entry| self.at(entry.key) == key.as_bytes())
    }

    /// The key of the attribute at a position; empty past the end.
    pub fn key(&self, at: usize) -> &str {
        let entry = self.scratch.entries.get(at);
        let key = entry.map_or(&[][..], |entry| self.at(entry.key));
        std::str::from_utf8(key).unwrap_or_default()
    }

    /// The value of the attribute at a position; empty past the end.
    pub fn value(&self, at: usize) -> AnyValue<'_> {
        let entry = self.scratch.entries.get(at);
        AnyValue::new(entry.map_or(&[], |entry| self.at(entry.value)))
    }

    /// The value of an attribute, to give it to another.
    pub fn value_of(&self, at: usize) -> Option<NewValue> {
        self.scratch
            .entries
            .get(at)
            .map(|entry| NewValue(entry.value))
    }

    /// Makes a value of an encoded `AnyValue`.
    pub fn encoded(&mut self, value: &[u8]) -> NewValue {
        self.new_value(|arena| arena.extend_from_slice(value))
    }

    /// Makes a value of a text.
    pub fn text(&mut self, text: &str) -> NewValue {
        self.new_value(|arena| put_bytes(1, text.as_bytes(), arena))
    }

    /// Makes a value of an integer.
    pub fn int(&mut self, value: i64) -> NewValue {
        self.new_value(|arena| {
            put_number(3, value.cast_unsigned(), arena);
        })
    }

    /// Makes a value of a number.
    pub fn double(&mut self, value: f64) -> NewValue {
        self.new_value(|arena| {
            put_fixed64(4, value.to_bits(), arena);
        })
    }

    /// Makes a value of a part of the text at a position.
    pub fn part_of_text(&mut self, at: usize, part: Range<usize>) -> NewValue {
        let entry = self.scratch.entries.get(at).copied();
        // A text is the last part of its value, but for unknown fields: so it is looked for.
        let found = entry.and_then(|entry| {
            let value = self.at(entry.value);
            let text = WireFields::new(value)
                .filter(|field| field.number == 1)
                .last()?;
            let start = text.end() - text.bytes()?.len();
            let part = start + part.start..start + part.end;
            value.get(part.clone())?;
            Some((entry.value, part))
        });
        let Some((value, part)) = found else {
            return self.text("");
        };
        let message = self.message;
        let range = value.start as usize + part.start..value.start as usize + part.end;
        let scratch = &mut *self.scratch;
        let start = scratch.arena.len();
        if value.is_new {
            put_message(1, &mut scratch.arena, |arena| {
                arena.extend_from_within(range)
            });
        } else {
            let part = message.get(range).unwrap_or_default();
            put_bytes(1, part, &mut scratch.arena);
        }
        NewValue(self.new_piece(start))
    }

    /// Gives the attribute at a position a new value.
    pub fn set(&mut self, at: usize, value: NewValue) {
        let Some(entry) = self.scratch.entries.get(at).copied() else {
            return;
        };
        if self.at(entry.value) == self.at(value.0) {
            return;
        }
        if let Some(entry) = self.scratch.entries.get_mut(at) {
            entry.value = value.0;
            entry.raw = None;
            self.scratch.is_changed = true;
        }
    }

    /// Adds an attribute at the end.
    pub fn push(&mut self, key: &str, value: NewValue) {
        let start = self.scratch.arena.len();
        self.scratch.arena.extend_from_slice(key.as_bytes());
        let key = self.new_piece(start);
        self.scratch.entries.push(Entry {
            key,
            value: value.0,
            raw: None,
        });
        self.scratch.is_changed = true;
    }

    /// Sets the first attribute with this key, or adds one.
    pub fn put(&mut self, key: &str, value: NewValue) {
        match self.find(key) {
            Some(at) => self.set(at, value),
            None => self.push(key, value),
        }
    }

    /// Removes the first attribute with this key; the last one takes its place.
    pub fn remove(&mut self, key: &str) {
        if let Some(at) = self.find(key) {
            self.scratch.entries.swap_remove(at);
            self.scratch.is_changed = true;
        }
    }

    /// Removes all attributes whose key is wanted gone; the others keep their order.
    pub fn remove_if(&mut self, mut is_gone: impl FnMut(&str) -> bool) {
        let (message, arena) = (self.message, &self.scratch.arena);
        let before = self.scratch.entries.len();
        self.scratch.entries.retain(|entry| {
            let key = bytes(message, arena, entry.key);
            !is_gone(std::str::from_utf8(key).unwrap_or_default())
        });
        self.scratch.is_changed |= self.scratch.entries.len() != before;
    }

    /// Appends the message's payload with these attributes: they stand together where the first
    /// stood.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (in_front, behind) = self
            .scratch
            .others
            .split_at_checked(self.scratch.in_front)
            .unwrap_or_default();
        let mut runs = Runs::new(self.message);
        in_front.iter().for_each(|p| runs.push(p.range(), out));
        for entry in &self.scratch.entries {
            if let Some(raw) = entry.raw {
                runs.push(raw.range(), out);
                continue;
            }
            runs.flush(out);
            put_message(self.number, out, |out| {
                put_bytes(1, self.at(entry.key), out);
                put_bytes(2, self.at(entry.value), out);
            });
        }
        behind.iter().for_each(|p| runs.push(p.range(), out));
        runs.flush(out);
    }

    fn new_value(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> NewValue {
        let start = self.scratch.arena.len();
        write(&mut self.scratch.arena);
        NewValue(self.new_piece(start))
    }

    /// What was written into the arena since it had this length.
    fn new_piece(&self, start: usize) -> Piece {
        Piece {
            start: start as u32,
            end: self.scratch.arena.len() as u32,
            is_new: true,
        }
    }

    fn at(&self, piece: Piece) -> &[u8] {
        bytes(self.message, &self.scratch.arena, piece)
    }
}

fn bytes<'b>(message: &'b [u8], arena: &'b [u8], piece: Piece) -> &'b [u8] {
    let home = if piece.is_new { arena } else { message };
    home.get(piece.range()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with a field, attributes in field 9, and a field behind them.
    fn message(attributes: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(5, b"name", &mut out);
        for (key, text) in attributes {
            put_message(9, &mut out, |out| {
                put_bytes(1, key.as_bytes(), out);
                put_message(2, out, |out| put_bytes(1, text.as_bytes(), out));
            });
        }
        put_bytes(15, b"", &mut out);
        out
    }

    fn changed(before: &[(&str, &str)], change: impl FnOnce(&mut AttributeList<'_>)) -> Vec<u8> {
        let message = message(before);
        let mut scratch = AttributeScratch::default();
        let mut list = AttributeList::read(&message, 9, &mut scratch);
        change(&mut list);
        let mut out = Vec::new();
        list.write(&mut out);
        assert_eq!(list.is_changed(), out != message);
        out
    }

    const ABC: [(&str, &str); 4] = [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")];

    #[test]
    fn changes_are_those_of_the_collectors_map() {
        assert_eq!(changed(&ABC, |_| {}), message(&ABC));
        let removed = changed(&ABC, |list| list.remove("a"));
        assert_eq!(removed, message(&[("c", "4"), ("b", "2"), ("a", "3")]));
        let removed = changed(&ABC, |list| list.remove_if(|key| key == "a"));
        assert_eq!(removed, message(&[("b", "2"), ("c", "4")]));
        let set = changed(&ABC, |list| {
            let value = list.text("new");
            list.put("a", value);
            list.put("d", value);
        });
        let expected = [
            ("a", "new"),
            ("b", "2"),
            ("a", "3"),
            ("c", "4"),
            ("d", "new"),
        ];
        assert_eq!(set, message(&expected));
        let same = changed(&ABC, |list| {
            let value = list.text("2");
            list.put("b", value);
        });
        assert_eq!(same, message(&ABC));
    }

    #[test]
    fn parts_are_taken_of_old_and_new_texts() {
        let before = [("a", "some text")];
        let out = changed(&before, |list| {
            let part = list.part_of_text(0, 5..9);
            list.push("b", part);
            let part = list.part_of_text(1, 1..3);
            list.push("c", part);
            let copy = list.value_of(2).unwrap_or(part);
            list.push("d", copy);
            let none = list.part_of_text(0, 5..99);
            list.push("e", none);
        });
        let expected = [
            ("a", "some text"),
            ("b", "text"),
            ("c", "ex"),
            ("d", "ex"),
            ("e", ""),
        ];
        assert_eq!(out, message(&expected));
    }

    #[test]
    fn attributes_without_a_value_and_of_odd_form_stay() {
        let mut message = Vec::new();
        put_bytes(9, b"", &mut message);
        put_bytes(9, b"\x12\x02\x18\x07\x0a\x01k\xfa\x07\x01x", &mut message);
        let mut scratch = AttributeScratch::default();
        let mut list = AttributeList::read(&message, 9, &mut scratch);
        assert_eq!((list.key(0), list.value(0)), ("", AnyValue::Empty));
        assert_eq!((list.key(1), list.value(1)), ("k", AnyValue::Int(7)));
        let value = list.text("");
        list.push("n", value);
        let mut out = Vec::new();
        list.write(&mut out);
        assert!(out.starts_with(&message));
    }
}
