/*!
Which items a processor is for: `include` and `exclude`, as the Collector has them
(`internal/filter`).

All selectors of one section must fit. What depends on the resource or the scope alone is found out once for
each group, so that an item costs only what is asked of itself.
*/

pub(super) mod config;
mod equal;

use crate::{
    pdata::{
        AnyValue, ItemEntry, KeyValue, Signal,
        number::ShowPlain,
        schema::SPAN_KINDS,
        text::put_text,
        view::messages,
        wire::{WireFields, WireValue},
    },
    regexp::Pattern,
};
use equal::equal;
use std::fmt::Write;

/// `include` and `exclude`.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    include: Option<Selector>,
    exclude: Option<Selector>,
    /// Text of a value that is compared.
    text: String,
}

/// What a group has to do with a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupFit {
    include: bool,
    exclude: bool,
}

impl GroupFit {
    /// Nothing was found out yet.
    pub(super) const ANY: Self = Self {
        include: true,
        exclude: true,
    };
}

/// The selectors of one section; those that are empty fit all.
#[derive(Clone, Debug, Default)]
struct Selector {
    services: Option<Texts>,
    span_names: Option<Texts>,
    span_kinds: Option<Texts>,
    log_bodies: Option<Texts>,
    log_severity_texts: Option<Texts>,
    log_severity: Option<Severity>,
    metric_names: Option<Texts>,
    libraries: Vec<Library>,
    resources: Vec<AttributeRule>,
    attributes: Vec<AttributeRule>,
}

/// Texts of which one must be the text, or patterns of which one must match it.
#[derive(Clone, Debug)]
enum Texts {
    Strict(Vec<String>),
    Regexp(Vec<Pattern>),
}

impl Texts {
    fn fit(&self, text: &str) -> bool {
        match self {
            Self::Strict(texts) => texts.iter().any(|other| other == text),
            Self::Regexp(patterns) => patterns.iter().any(|pattern| pattern.is_match(text)),
        }
    }
}

#[derive(Clone, Debug)]
struct Library {
    name: Texts,
    version: Option<Texts>,
}

/// The least severity that fits, and whether none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Severity {
    least: i64,
    fits_undefined: bool,
}

#[derive(Clone, Debug)]
struct AttributeRule {
    key: String,
    value: ValueRule,
}

#[derive(Clone, Debug)]
enum ValueRule {
    Any,
    Matches(Pattern),
    /// An encoded value.
    Equals(Vec<u8>),
}

impl Selection {
    /// Narrows to a resource, a payload.
    pub(super) fn resource(&mut self, resource: &[u8]) -> GroupFit {
        let text = &mut self.text;
        self::fit(&self.include, &self.exclude, GroupFit::ANY, |selector| {
            selector.fits_resource(resource, text)
        })
    }

    /// Narrows to a scope of it, a payload.
    pub(super) fn scope(&self, of: GroupFit, scope: &[u8]) -> GroupFit {
        self::fit(&self.include, &self.exclude, of, |selector| {
            selector.fits_scope(scope)
        })
    }

    /// Returns true if an item of such a group is selected.
    pub(super) fn item(
        &mut self,
        of: GroupFit,
        signal: Signal,
        entry: &ItemEntry,
        request: &[u8],
    ) -> bool {
        let text = &mut self.text;
        let fit = self::fit(&self.include, &self.exclude, of, |selector| {
            selector.fits_item(signal, entry, request, text)
        });
        (self.include.is_none() || fit.include) && !(self.exclude.is_some() && fit.exclude)
    }

    /// Returns true if everything is selected.
    pub(super) fn is_all(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }

    /// What they are, for `validate`; empty if everything is selected.
    pub(super) fn describe(&self) -> &'static str {
        match (&self.include, &self.exclude) {
            (None, None) => "",
            (Some(_), None) => ", of what `include` names",
            (None, Some(_)) => ", but for what `exclude` names",
            (Some(_), Some(_)) => ", of what `include` names, but for what `exclude` names",
        }
    }
}

fn fit(
    include: &Option<Selector>,
    exclude: &Option<Selector>,
    so_far: GroupFit,
    mut fits: impl FnMut(&Selector) -> bool,
) -> GroupFit {
    let mut of = |selector: &Option<Selector>, so_far: bool| {
        so_far && selector.as_ref().is_none_or(&mut fits)
    };
    GroupFit {
        include: of(include, so_far.include),
        exclude: of(exclude, so_far.exclude),
    }
}

impl Selector {
    fn fits_resource(&self, resource: &[u8], text: &mut String) -> bool {
        if let Some(services) = &self.services {
            text.clear();
            match attribute(resource, 1, "service.name") {
                Some(value) => put_text(value, text),
                None => text.push_str("<nil-service-name>"),
            }
            if !services.fit(text) {
                return false;
            }
        }
        fit_attributes(&self.resources, resource, 1, text)
    }

    fn fits_scope(&self, scope: &[u8]) -> bool {
        self.libraries.iter().all(|library| {
            let version = library.version.as_ref();
            library.name.fit(text_of(scope, 1))
                && version.is_none_or(|version| version.fit(text_of(scope, 2)))
        })
    }

    fn fits_item(
        &self,
        signal: Signal,
        entry: &ItemEntry,
        request: &[u8],
        text: &mut String,
    ) -> bool {
        let item = entry.bytes.of(request);
        match signal {
            Signal::Traces => {
                let name = std::str::from_utf8(entry.name.of(request)).unwrap_or_default();
                self.span_names.as_ref().is_none_or(|names| names.fit(name))
                    && (self.span_kinds.as_ref()).is_none_or(|kinds| kinds.fit(kind(entry.kind)))
                    && fit_attributes(&self.attributes, item, 9, text)
            }
            Signal::Logs => {
                self.fits_record(item, text) && fit_attributes(&self.attributes, item, 6, text)
            }
            Signal::Metrics => {
                (self.metric_names.as_ref()).is_none_or(|names| names.fit(text_of(item, 1)))
            }
        }
    }

    fn fits_record(&self, record: &[u8], text: &mut String) -> bool {
        if let Some(bodies) = &self.log_bodies {
            text.clear();
            let body = messages(record, 5).last().unwrap_or_default();
            put_text(AnyValue::new(body), text);
            if !bodies.fit(text) {
                return false;
            }
        }
        let texts = self.log_severity_texts.as_ref();
        if texts.is_some_and(|texts| !texts.fit(text_of(record, 3))) {
            return false;
        }
        self.log_severity.is_none_or(|severity| {
            let numbers = WireFields::new(record).filter(|field| field.number == 2);
            let number = numbers.last().map_or(0, |field| match field.value {
                WireValue::Varint(number) => i64::from(number as i32),
                _ => 0,
            });
            match number {
                0 => severity.fits_undefined,
                number => number >= severity.least,
            }
        })
    }
}

/// Returns true if the attributes of a message fit all rules. A message without attributes fits none.
fn fit_attributes(rules: &[AttributeRule], message: &[u8], number: u32, text: &mut String) -> bool {
    rules.iter().all(|rule| {
        let Some(value) = attribute(message, number, &rule.key) else {
            return false;
        };
        match &rule.value {
            ValueRule::Any => true,
            ValueRule::Equals(expected) => equal(value, AnyValue::new(expected)),
            ValueRule::Matches(pattern) => {
                text.clear();
                // Writing to a String does not fail.
                let _ = match value {
                    AnyValue::String(text) => return pattern.is_match(text),
                    AnyValue::Bool(value) => write!(text, "{value}"),
                    AnyValue::Int(value) => write!(text, "{value}"),
                    AnyValue::Double(value) => write!(text, "{}", ShowPlain(value)),
                    _ => return false,
                };
                pattern.is_match(text)
            }
        }
    })
}

/// The value of the first attribute of a message with this key.
fn attribute<'a>(message: &'a [u8], number: u32, key: &str) -> Option<AnyValue<'a>> {
    let mut pairs = messages(message, number).map(KeyValue::new);
    pairs.find(|pair| pair.key == key).map(|pair| pair.value)
}

/// The text in a field of a message.
fn text_of(message: &[u8], number: u32) -> &str {
    let text = messages(message, number).last().unwrap_or_default();
    std::str::from_utf8(text).unwrap_or_default()
}

fn kind(number: u8) -> &'static str {
    SPAN_KINDS
        .get(usize::from(number))
        .copied()
        .unwrap_or_default()
}
