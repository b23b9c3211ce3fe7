/*!
What is taken away, and what is said about it.

One list of attributes at a time: each is ignored, removed, let pass, or has its value masked, and attributes that begin with
`redaction.` tell how many were, and which.
*/

use super::{mask::Mask, names::Names};
use crate::{
    pdata::{AnyValue, AttributeList, text::put_text},
    regexp::Pattern,
};
use std::collections::HashSet;

/// What the file says.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) allows_all_keys: bool,
    /// Keys that may leave; with those of the summary.
    pub(super) allowed_keys: HashSet<String>,
    pub(super) ignored_keys: HashSet<String>,
    pub(super) ignored_key_patterns: Vec<Pattern>,
    pub(super) blocked_key_patterns: Vec<Pattern>,
    pub(super) blocked_values: Vec<Pattern>,
    pub(super) allowed_values: Vec<Pattern>,
    /// Values that are no text are looked at as text.
    pub(super) redacts_all_types: bool,
    pub(super) mask: Mask,
    pub(super) summary: Summary,
    /// Matches whole lines.
    pub(super) everything: Pattern,
}

/// What attributes tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Summary {
    /// Nothing.
    Silent,
    /// How many.
    Info,
    /// How many, and which.
    Debug,
}

/// Of what is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Attributes,
    Body,
}

/// The attributes that tell of attributes, and those that tell of a body.
struct SummaryKeys {
    redacted: [&'static str; 2],
    masked: [&'static str; 2],
    allowed: [&'static str; 2],
    ignored: &'static str,
}

const OF_ATTRIBUTES: SummaryKeys = SummaryKeys {
    redacted: ["redaction.redacted.keys", "redaction.redacted.count"],
    masked: ["redaction.masked.keys", "redaction.masked.count"],
    allowed: ["redaction.allowed.keys", "redaction.allowed.count"],
    ignored: "redaction.ignored.count",
};

const OF_BODY: SummaryKeys = SummaryKeys {
    redacted: [
        "redaction.body.redacted.keys",
        "redaction.body.redacted.count",
    ],
    masked: ["redaction.body.masked.keys", "redaction.body.masked.count"],
    allowed: [
        "redaction.body.allowed.keys",
        "redaction.body.allowed.count",
    ],
    ignored: "redaction.body.ignored.count",
};

/// Keys of the summary that are always allowed: not those of allowed values, nor of
/// bodies, as in the Collector.
pub(super) const ALWAYS_ALLOWED: [&str; 5] = [
    OF_ATTRIBUTES.redacted[0],
    OF_ATTRIBUTES.redacted[1],
    OF_ATTRIBUTES.masked[0],
    OF_ATTRIBUTES.masked[1],
    OF_ATTRIBUTES.ignored,
];

impl Rules {
    /// Returns true if what has this key is left alone.
    pub(super) fn ignores(&self, key: &str) -> bool {
        self.ignored_keys.contains(key) || any(&self.ignored_key_patterns, key)
    }

    /// Returns true if what has this key must go.
    pub(super) fn removes(&self, key: &str) -> bool {
        !self.allows_all_keys && !self.allowed_keys.contains(key)
    }

    /// Returns true if the value of this key must be masked whatever it is.
    pub(super) fn masks(&self, key: &str) -> bool {
        any(&self.blocked_key_patterns, key)
    }

    /// Returns true if a value may leave as it is.
    pub(super) fn allows_value(&self, value: &str) -> bool {
        any(&self.allowed_values, value)
    }

    /// Appends `text` to `out` with all of it masked.
    pub(super) fn mask_all(&self, text: &str, most: usize, out: &mut String) {
        self.mask.replace(text, &self.everything, most, out);
    }
}

fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.is_match(text))
}

/// Rules at work, with their scratch.
pub(super) struct Redactor {
    pub(super) rules: Rules,
    pub(super) redacted: Names,
    pub(super) masked: Names,
    pub(super) allowed: Names,
    pub(super) value: String,
    pub(super) replaced: String,
    /// A longer text need not be made: the request is refused then.
    pub(super) most: usize,
}

impl Redactor {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            redacted: Names::default(),
            masked: Names::default(),
            allowed: Names::default(),
            value: String::new(),
            replaced: String::new(),
            most: 0,
        }
    }

    /// Forgets names of another list.
    pub(super) fn clear(&mut self) {
        self.redacted.clear();
        self.masked.clear();
        self.allowed.clear();
    }

    /// Redacts the attributes of one message.
    pub(super) fn redact(&mut self, list: &mut AttributeList<'_>) {
        self.clear();
        let rules = &self.rules;
        let mut ignored = 0;
        for at in 0..list.len() {
            let key = list.key(at);
            if rules.ignores(key) {
                ignored += 1;
                continue;
            }
            if rules.removes(key) {
                self.redacted.push(key);
                continue;
            }
            self.value.clear();
            match list.value(at) {
                AnyValue::String(text) => self.value.push_str(text),
                value if rules.redacts_all_types => put_text(value, &mut self.value),
                // Others are looked at as the empty text.
                _ => {}
            }
            if rules.allows_value(&self.value) {
                self.allowed.push(key);
                continue;
            }
            let is_masked = if rules.masks(key) {
                self.replaced.clear();
                rules.mask_all(&self.value, self.most, &mut self.replaced);
                std::mem::swap(&mut self.value, &mut self.replaced);
                true
            } else {
                mask_values(rules, self.most, &mut self.value, &mut self.replaced)
            };
            if is_masked {
                self.masked.push(key);
                let value = list.text(&self.value);
                list.set(at, value);
            }
        }
        for key in self.redacted.iter() {
            list.remove(key);
        }
        self.tell(list, ignored, Told::Attributes);
    }

    /// Tells of what was gathered, as far as the summary wants it.
    pub(super) fn tell(&mut self, list: &mut AttributeList<'_>, ignored: usize, of: Told) {
        let summary = self.rules.summary;
        if summary == Summary::Silent {
            return;
        }
        let keys = match of {
            Told::Attributes => &OF_ATTRIBUTES,
            Told::Body => &OF_BODY,
        };
        for (names, [names_key, count_key]) in [
            (&mut self.redacted, keys.redacted),
            (&mut self.masked, keys.masked),
            (&mut self.allowed, keys.allowed),
        ] {
            let count = names.len();
            if count == 0 {
                continue;
            }
            if summary == Summary::Debug {
                put_names(list, names_key, names, &mut self.value);
            }
            add(list, count_key, count);
        }
        if ignored > 0 {
            add(list, keys.ignored, ignored);
        }
    }
}

/// Masks what is blocked in `value`; `replaced` is scratch. Returns true if that made
/// another text of it.
pub(super) fn mask_values(
    rules: &Rules,
    most: usize,
    value: &mut String,
    replaced: &mut String,
) -> bool {
    let mut is_masked = false;
    for pattern in &rules.blocked_values {
        if !pattern.is_match(value) {
            continue;
        }
        replaced.clear();
        rules.mask.replace(value, pattern, most, replaced);
        is_masked |= value != replaced;
        std::mem::swap(value, replaced);
    }
    is_masked
}

/// Sets an attribute to names, sorted, and those that it has already.
fn put_names(list: &mut AttributeList<'_>, key: &str, names: &mut Names, text: &mut String) {
    if let Some(AnyValue::String(before)) = list.find(key).map(|at| list.value(at))
        && !before.is_empty()
    {
        before.split(',').for_each(|name| names.push(name));
    }
    text.clear();
    names.join_sorted(text);
    let value = list.text(text);
    list.put(key, value);
}

/// Adds to the number that an attribute has.
fn add(list: &mut AttributeList<'_>, key: &str, count: usize) {
    let before = match list.find(key).map(|at| list.value(at)) {
        Some(AnyValue::Int(before)) => before,
        _ => 0,
    };
    let value = list.int(before.wrapping_add_unsigned(count as u64));
    list.put(key, value);
}
