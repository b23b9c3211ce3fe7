/*!
Bodies of log records: a text, or a tree of which each leaf is looked at as an attribute's value is, and each key of a
map as an attribute's key. What is told of it names leaves by their path, `a.b.[0]`.
*/

use super::{
    names::Names,
    rules::{Redactor, Rules, Told, mask_values},
};
use crate::pdata::{
    AnyValue, AttributeList, AttributeScratch,
    text::put_text,
    view::messages,
    wire::{put_bytes, put_message},
};

/// The fields of a value that hold a text, a list and a map.
const TEXT: u32 = 1;
const LIST: u32 = 5;
const MAP: u32 = 6;

/// One body at work.
struct BodyWalk<'r> {
    rules: &'r Rules,
    redacted: &'r mut Names,
    masked: &'r mut Names,
    allowed: &'r mut Names,
    value: &'r mut String,
    replaced: &'r mut String,
    most: usize,
    ignored: usize,
    /// Where the walk is; empty at the body itself.
    path: String,
}

impl Redactor {
    /// Redacts a body, the payload of a value, into `out`, and tells of it in the record's attributes.
    /// Returns true if it was changed; else `out` has nothing to say.
    pub(super) fn redact_body(
        &mut self,
        body: &[u8],
        list: &mut AttributeList<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        self.clear();
        let mut walk = BodyWalk {
            rules: &self.rules,
            redacted: &mut self.redacted,
            masked: &mut self.masked,
            allowed: &mut self.allowed,
            value: &mut self.value,
            replaced: &mut self.replaced,
            most: self.most,
            ignored: 0,
            path: String::new(),
        };
        let value = AnyValue::new(body);
        let is_tree = matches!(value, AnyValue::KvList(_) | AnyValue::Array(_));
        let is_changed = walk.value(value, true, out);
        let ignored = walk.ignored;
        // Of a whole body that is allowed nothing is told.
        if !is_tree {
            self.allowed.clear();
        }
        self.tell(list, ignored, Told::Body);
        is_changed
    }
}

impl BodyWalk<'_> {
    /// Redacts a value into `out`. Returns true if it was changed.
    fn value(&mut self, value: AnyValue<'_>, is_top: bool, out: &mut Vec<u8>) -> bool {
        match value {
            AnyValue::KvList(map) => self.map(map, is_top, out),
            AnyValue::Array(list) => self.list(list, is_top, out),
            value => {
                self.value.clear();
                put_text(value, self.value);
                let path = if is_top { "body" } else { &self.path };
                if self.rules.allows_value(self.value) {
                    self.allowed.push(path);
                    return false;
                }
                if !mask_values(self.rules, self.most, self.value, self.replaced) {
                    return false;
                }
                self.masked.push(path);
                put_bytes(TEXT, self.value.as_bytes(), out);
                true
            }
        }
    }

    fn map(&mut self, map: &[u8], is_top: bool, out: &mut Vec<u8>) -> bool {
        let mut scratch = AttributeScratch::default();
        let mut list = AttributeList::read(map, 1, &mut scratch);
        let mut gone = Names::default();
        for at in 0..list.len() {
            let key = list.key(at);
            if self.rules.ignores(key) {
                self.ignored += 1;
                continue;
            }
            if self.rules.removes(key) {
                gone.push(key);
                continue;
            }
            let before = self.path.len();
            self.enter(key, is_top);
            if self.rules.masks(key) {
                self.masked.push(&self.path);
                let text = match list.value(at) {
                    AnyValue::String(text) => text,
                    _ => "",
                };
                self.replaced.clear();
                self.rules.mask_all(text, self.most, self.replaced);
                let value = list.text(self.replaced);
                list.set(at, value);
            } else {
                let mut nested = Vec::new();
                if self.value(list.value(at), false, &mut nested) {
                    let value = list.encoded(&nested);
                    list.set(at, value);
                }
            }
            self.path.truncate(before);
        }
        for key in gone.iter() {
            list.remove(key);
            let before = self.path.len();
            self.enter(key, is_top);
            self.redacted.push(&self.path);
            self.path.truncate(before);
        }
        if list.is_changed() {
            put_message(MAP, out, |out| list.write(out));
        }
        list.is_changed()
    }

    fn list(&mut self, list: &[u8], is_top: bool, out: &mut Vec<u8>) -> bool {
        let mut is_changed = false;
        put_message(LIST, out, |out| {
            for (at, value) in messages(list, 1).enumerate() {
                let before = self.path.len();
                self.enter(&format!("[{at}]"), is_top);
                let mut nested = Vec::new();
                if self.value(AnyValue::new(value), false, &mut nested) {
                    is_changed = true;
                    put_bytes(1, &nested, out);
                } else {
                    put_bytes(1, value, out);
                }
                self.path.truncate(before);
            }
        });
        is_changed
    }

    /// Goes down one step.
    fn enter(&mut self, step: &str, is_top: bool) {
        if !is_top {
            self.path.push('.');
        }
        self.path.push_str(step);
    }
}
