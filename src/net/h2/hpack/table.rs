/*!
The tables that a header block refers to (RFC 7541, 2.3): the static one, and
the fields that the peer has told us to remember.

What a field means is decided once, when it is remembered ([`FieldKind`]), and not
with every request that refers to it. Names and values lie one after another in
one buffer, the oldest first; it is moved together when more than half of it is
dead, so a steady sender causes no allocation.
*/

use super::super::field::FieldKind;
use std::collections::VecDeque;

/// What an entry counts beside its text (RFC 7541, 4.1).
pub(crate) const OVERHEAD: usize = 32;

/// A field of a header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// What it means here.
    pub(crate) field: FieldKind,
    /// Its name.
    pub(crate) name: &'a [u8],
    /// Its value.
    pub(crate) value: &'a [u8],
}

/// An entry of [`Table::bytes`].
#[derive(Debug)]
struct Slot {
    /// Where it begins, counted from the first byte that was ever remembered.
    at: usize,
    name: usize,
    value: usize,
    field: FieldKind,
}

impl Slot {
    fn text(&self) -> usize {
        self.name + self.value
    }
}

/// The dynamic table, and the static one in front of it.
#[derive(Debug)]
pub(crate) struct Table {
    slots: VecDeque<Slot>,
    bytes: Vec<u8>,
    /// Where `bytes` begins, counted as in [`Slot::at`].
    base: usize,
    /// Bytes at the begin of `bytes` that belong to no slot.
    dead: usize,
    size: usize,
    most: usize,
}

impl Table {
    /// An empty one of at most so many octets.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            slots: VecDeque::new(),
            bytes: Vec::new(),
            base: 0,
            dead: 0,
            size: 0,
            most,
        }
    }

    /// The entry of an index, as header blocks count: from 1.
    pub(crate) fn get(&self, index: usize) -> Option<Entry<'_>> {
        if let Some((name, value, field)) = STATIC.get(index.checked_sub(1)?) {
            return Some(Entry {
                field: *field,
                name: name.as_bytes(),
                value: value.as_bytes(),
            });
        }
        let back = index - STATIC.len();
        let slot = self.slots.get(self.slots.len().checked_sub(back)?)?;
        let at = slot.at.wrapping_sub(self.base);
        let text = self.bytes.get(at..at + slot.text())?;
        let (name, value) = text.split_at_checked(slot.name)?;
        Some(Entry {
            field: slot.field,
            name,
            value,
        })
    }

    /// Remembers a field, and forgets the oldest for it.
    pub(crate) fn insert(&mut self, entry: Entry<'_>) {
        let size = entry.name.len() + entry.value.len() + OVERHEAD;
        self.shrink_to(self.most.saturating_sub(size));
        if size > self.most {
            // RFC 7541, 4.4: not an error; the table is empty now.
            return;
        }
        if self.dead > self.bytes.len() / 2 {
            self.bytes.drain(..self.dead);
            self.base = self.base.wrapping_add(self.dead);
            self.dead = 0;
        }
        self.slots.push_back(Slot {
            at: self.base.wrapping_add(self.bytes.len()),
            name: entry.name.len(),
            value: entry.value.len(),
            field: entry.field,
        });
        self.bytes.extend_from_slice(entry.name);
        self.bytes.extend_from_slice(entry.value);
        self.size += size;
    }

    /// Changes the size limit.
    pub(crate) fn resize(&mut self, most: usize) {
        self.most = most;
        self.shrink_to(most);
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.slots.pop_front() else {
                return;
            };
            self.size -= oldest.text() + OVERHEAD;
            self.dead += oldest.text();
        }
    }
}

/// RFC 7541, Appendix A.
#[rustfmt::skip]
static STATIC: [(&str, &str, FieldKind); 61] = [
    (":authority", "", FieldKind::Authority),
    (":method", "GET", FieldKind::Method),
    (":method", "POST", FieldKind::Method),
    (":path", "/", FieldKind::Path),
    (":path", "/index.html", FieldKind::Path),
    (":scheme", "http", FieldKind::Scheme),
    (":scheme", "https", FieldKind::Scheme),
    (":status", "200", FieldKind::Malformed),
    (":status", "204", FieldKind::Malformed),
    (":status", "206", FieldKind::Malformed),
    (":status", "304", FieldKind::Malformed),
    (":status", "400", FieldKind::Malformed),
    (":status", "404", FieldKind::Malformed),
    (":status", "500", FieldKind::Malformed),
    ("accept-charset", "", FieldKind::Other),
    ("accept-encoding", "gzip, deflate", FieldKind::Other),
    ("accept-language", "", FieldKind::Other),
    ("accept-ranges", "", FieldKind::Other),
    ("accept", "", FieldKind::Other),
    ("access-control-allow-origin", "", FieldKind::Other),
    ("age", "", FieldKind::Other),
    ("allow", "", FieldKind::Other),
    ("authorization", "", FieldKind::Other),
    ("cache-control", "", FieldKind::Other),
    ("content-disposition", "", FieldKind::Other),
    ("content-encoding", "", FieldKind::Other),
    ("content-language", "", FieldKind::Other),
    ("content-length", "", FieldKind::ContentLength),
    ("content-location", "", FieldKind::Other),
    ("content-range", "", FieldKind::Other),
    ("content-type", "", FieldKind::ContentType),
    ("cookie", "", FieldKind::Other),
    ("date", "", FieldKind::Other),
    ("etag", "", FieldKind::Other),
    ("expect", "", FieldKind::Other),
    ("expires", "", FieldKind::Other),
    ("from", "", FieldKind::Other),
    ("host", "", FieldKind::Other),
    ("if-match", "", FieldKind::Other),
    ("if-modified-since", "", FieldKind::Other),
    ("if-none-match", "", FieldKind::Other),
    ("if-range", "", FieldKind::Other),
    ("if-unmodified-since", "", FieldKind::Other),
    ("last-modified", "", FieldKind::Other),
    ("link", "", FieldKind::Other),
    ("location", "", FieldKind::Other),
    ("max-forwards", "", FieldKind::Other),
    ("proxy-authenticate", "", FieldKind::Other),
    ("proxy-authorization", "", FieldKind::Other),
    ("range", "", FieldKind::Other),
    ("referer", "", FieldKind::Other),
    ("refresh", "", FieldKind::Other),
    ("retry-after", "", FieldKind::Other),
    ("server", "", FieldKind::Other),
    ("set-cookie", "", FieldKind::Other),
    ("strict-transport-security", "", FieldKind::Other),
    ("transfer-encoding", "", FieldKind::Malformed),
    ("user-agent", "", FieldKind::Other),
    ("vary", "", FieldKind::Other),
    ("via", "", FieldKind::Other),
    ("www-authenticate", "", FieldKind::Other),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn entry<'a>(name: &'a str, value: &'a str) -> Entry<'a> {
        Entry {
            field: FieldKind::Other,
            name: name.as_bytes(),
            value: value.as_bytes(),
        }
    }

    #[test]
    fn the_static_table_says_what_its_fields_mean() {
        for (name, value, field) in &STATIC {
            let means = FieldKind::of(name.as_bytes(), value.as_bytes());
            assert_eq!(means, *field, "{name}");
        }
    }

    #[test]
    fn the_newest_is_first_and_the_oldest_goes() {
        let mut table = Table::new(3 * (OVERHEAD + 2));
        for name in ["a", "b", "c", "d"] {
            table.insert(entry(name, "1"));
        }
        assert_eq!(table.get(62), Some(entry("d", "1")));
        assert_eq!(table.get(64), Some(entry("b", "1")));
        assert_eq!((table.get(65), table.get(0)), (None, None));
        table.resize(OVERHEAD + 2);
        assert_eq!(table.get(62), Some(entry("d", "1")));
        assert_eq!(table.get(63), None);
        // One that is too large empties the table.
        table.insert(entry("long", "long"));
        assert_eq!((table.get(62), table.size), (None, 0));
    }

    #[test]
    fn a_steady_sender_needs_no_more_room() {
        let mut table = Table::new(4096);
        for n in 0..100_000 {
            let value = format!("{n:0>30}");
            table.insert(entry("x-request-id", &value));
            assert_eq!(table.get(62), Some(entry("x-request-id", &value)));
        }
        assert!(table.bytes.capacity() <= 16 << 10);
    }
}
