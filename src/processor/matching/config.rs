/*! The keys of `include` and `exclude`. */

use super::{AttributeRule, Library, Selection, Selector, Severity, Texts, ValueRule};
use crate::{
    config::{Field, KeyReader, RawValue, Spot, Word},
    pdata::{Signal, schema::SPAN_KINDS},
    processor::values::encode,
    regexp::Pattern,
};

/// How texts of a section are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MatchType {
    Strict,
    Regexp,
}

impl Word for MatchType {
    const WORDS: &'static [(&'static str, Self)] =
        &[("strict", Self::Strict), ("regexp", Self::Regexp)];
}

/// The signals whose items a section can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::processor) struct Signals {
    traces: bool,
    metrics: bool,
    logs: bool,
}

impl Signals {
    const ALL: Self = Self {
        traces: true,
        metrics: true,
        logs: true,
    };

    fn both(self, other: Self) -> Self {
        Self {
            traces: self.traces && other.traces,
            metrics: self.metrics && other.metrics,
            logs: self.logs && other.logs,
        }
    }

    /// As a list.
    pub(in crate::processor) fn list(self) -> &'static [Signal] {
        match (self.traces, self.metrics, self.logs) {
            (true, true, true) => &Signal::ALL,
            (true, true, false) => &[Signal::Traces, Signal::Metrics],
            (true, false, true) => &[Signal::Traces, Signal::Logs],
            (true, false, false) => &[Signal::Traces],
            (false, true, true) => &[Signal::Metrics, Signal::Logs],
            (false, true, false) => &[Signal::Metrics],
            (false, false, true) => &[Signal::Logs],
            (false, false, false) => &[],
        }
    }
}

/// Reads both sections. None when something is wrong, which has been reported.
pub(in crate::processor) fn read(keys: &mut KeyReader<'_>) -> Option<(Selection, Signals)> {
    let include = section("include", keys);
    let exclude = section("exclude", keys);
    let ((include, of_include), (exclude, of_exclude)) = (include?, exclude?);
    let signals = of_include.both(of_exclude);
    if signals.list().is_empty() {
        let message = "include and exclude are for items of different signals";
        keys.reading().error_at_key(keys.spot(), message, "");
        return None;
    }
    let selection = Selection {
        include,
        exclude,
        text: String::new(),
    };
    Some((selection, signals))
}

fn section(key: &'static str, keys: &mut KeyReader<'_>) -> Option<(Option<Selector>, Signals)> {
    // A section without a value is none.
    let is_there = keys.spot_of(key).is_some();
    let read = keys.section(key, |keys| selector(keys, is_there));
    if !is_there {
        return Some((None, Signals::ALL));
    }
    read.map(|(selector, signals)| (Some(selector), signals))
}

/// Lists of a section, as they are written.
type Strings = Field<Vec<Field<String>>>;

fn selector(keys: &mut KeyReader<'_>, is_there: bool) -> Option<(Selector, Signals)> {
    let match_type: Field<MatchType> = keys.get(
        "match_type",
        "required",
        "`strict`: texts are the same; `regexp`: the pattern is found in the text",
    );
    keys.section("regexp", |keys| {
        keys.ignored(&["cacheenabled", "cachemaxnumentries"])
    });
    let mut list = |key, effect| -> Strings { keys.get(key, "all", effect) };
    let services = list(
        "services",
        "spans of these services, by `service.name` of the resource",
    );
    let span_names = list("span_names", "spans with these names");
    let span_kinds = list("span_kinds", "spans of these kinds: `SPAN_KIND_SERVER`");
    let log_bodies = list("log_bodies", "log records with these bodies");
    let log_severity_texts = list(
        "log_severity_texts",
        "log records with these severity texts",
    );
    let metric_names = list("metric_names", "metrics with these names");
    let severity_spot = keys.spot_of("log_severity_number");
    let severity = keys.section("log_severity_number", |keys| Severity {
        least: i64::from(
            keys.or("min", 0_u32, "log records of at least this severity")
                .value,
        ),
        fits_undefined: (keys.or("match_undefined", false, "those without one, too")).value,
    });
    let libraries = keys.sections("libraries", |keys| {
        let name: Field<String> = keys.get(
            "name",
            "required",
            "items of instrumentation scopes with this name",
        );
        let version: Field<String> =
            keys.get("version", "any", "and this version; the empty text is one");
        (keys.spot(), name, version)
    });
    let mut attributes = |key, of_key, of_value| {
        keys.sections(key, |keys| {
            let key: Field<String> = keys.get("key", "required", of_key);
            let value: Field<RawValue> = keys.get("value", "any", of_value);
            (keys.spot(), key, value)
        })
    };
    let resources = attributes(
        "resources",
        "items whose resource has this attribute",
        "with this value, or with `regexp` one that matches",
    );
    let attributes = attributes(
        "attributes",
        "items that have this attribute",
        "with this value, or with `regexp` one that matches",
    );
    if !is_there {
        return None;
    }

    let check = Check {
        keys,
        match_type: match_type.value,
        spot: match_type.spot.or(keys.spot()),
    };
    if match_type.spot.is_some() && match_type.value.is_none() {
        return None;
    }
    let of_spans =
        services.value.is_some() || span_names.value.is_some() || span_kinds.value.is_some();
    let of_logs =
        log_bodies.value.is_some() || log_severity_texts.value.is_some() || severity_spot.is_some();
    let of_metrics = metric_names.value.is_some();
    let has = |len: Option<usize>| len.is_some_and(|len| len > 0);
    let of_groups = has(libraries.value.as_ref().map(Vec::len))
        || has(resources.value.as_ref().map(Vec::len))
        || has(attributes.value.as_ref().map(Vec::len));
    if !(of_spans || of_logs || of_metrics || of_groups) {
        let message = "selects nothing: name services, span_names, span_kinds, attributes, \
                       resources, libraries, or those of logs and metrics";
        keys.reading().error_at_key(keys.spot(), message, "");
        return None;
    }
    if let (Some(MatchType::Strict), Some(kinds)) = (match_type.value, &span_kinds.value) {
        for kind in kinds {
            let known = kind
                .value
                .as_deref()
                .is_some_and(|kind| SPAN_KINDS[1..].contains(&kind));
            if !known {
                let message = format!("expected one of {}", SPAN_KINDS[1..].join(", "));
                keys.reading().error(kind.spot, &message);
                return None;
            }
        }
    }
    let libraries = libraries.value.unwrap_or_default().into_iter();
    let libraries = libraries.map(|(spot, name, version)| {
        let name = check.texts(vec![name.value.unwrap_or_default()], name.spot.or(spot))?;
        let version = match version.value {
            Some(text) => Some(check.texts(vec![text], version.spot)?),
            None => None,
        };
        Some(Library { name, version })
    });
    let selector = Selector {
        services: check.list(services)?,
        span_names: check.list(span_names)?,
        span_kinds: check.list(span_kinds)?,
        log_bodies: check.list(log_bodies)?,
        log_severity_texts: check.list(log_severity_texts)?,
        log_severity: severity_spot.map(|_| severity),
        metric_names: check.list(metric_names)?,
        libraries: libraries.collect::<Option<_>>()?,
        resources: check.rules(resources.value)?,
        attributes: check.rules(attributes.value)?,
    };
    let signals = Signals {
        traces: !of_logs && !of_metrics,
        logs: !of_spans && !of_metrics,
        // The Collector takes resources there, and does not heed them.
        metrics: of_metrics && !of_spans && !of_logs && !of_groups,
    };
    if signals.list().is_empty() {
        let message = "selects nothing of any signal: its selectors are of different ones";
        keys.reading().error_at_key(keys.spot(), message, "");
        return None;
    }
    Some((selector, signals))
}

/// A rule as a file has it: its place, the attribute's key, and the value it must have.
type WrittenRule = (Option<Spot>, Field<String>, Field<RawValue>);

/// Makes texts and rules of what is written, and reports what is wrong.
struct Check<'k, 'n> {
    keys: &'k KeyReader<'n>,
    match_type: Option<MatchType>,
    spot: Option<Spot>,
}

impl Check<'_, '_> {
    /// None: an error. An empty list fits all, as none does.
    fn list(&self, list: Strings) -> Option<Option<Texts>> {
        let texts = list.value.unwrap_or_default();
        let texts: Vec<_> = texts.into_iter().filter_map(|text| text.value).collect();
        match texts.is_empty() {
            true => Some(None),
            false => self.texts(texts, list.spot).map(Some),
        }
    }

    fn texts(&self, texts: Vec<String>, spot: Option<Spot>) -> Option<Texts> {
        match self.match_type() {
            None => None,
            Some(MatchType::Strict) => Some(Texts::Strict(texts)),
            Some(MatchType::Regexp) => {
                let patterns = texts.iter().map(|text| self.pattern(text, spot));
                patterns.collect::<Option<_>>().map(Texts::Regexp)
            }
        }
    }

    fn match_type(&self) -> Option<MatchType> {
        if self.match_type.is_none() {
            let message = "match_type is missing: strict or regexp";
            self.keys.reading().error_at_key(self.spot, message, "");
        }
        self.match_type
    }

    fn pattern(&self, text: &str, spot: Option<Spot>) -> Option<Pattern> {
        let report = |message: String| self.keys.reading().error(spot, &message);
        Pattern::new(text).map_err(report).ok()
    }

    fn rules(&self, rules: Option<Vec<WrittenRule>>) -> Option<Vec<AttributeRule>> {
        let rules = rules.unwrap_or_default().into_iter();
        let rules = rules.map(|(spot, key, value)| {
            let key = key.value.filter(|key| !key.is_empty());
            let Some(key) = key else {
                let message = "the attribute's key is missing";
                self.keys.reading().error_at_key(spot, message, "");
                return None;
            };
            let rule = match value.value {
                None => ValueRule::Any,
                Some(raw) => match (self.match_type()?, raw) {
                    (MatchType::Strict, raw) => ValueRule::Equals(encode(&raw)),
                    (MatchType::Regexp, RawValue::Text(text)) => {
                        ValueRule::Matches(self.pattern(&text, value.spot)?)
                    }
                    (MatchType::Regexp, _) => {
                        let message =
                            "with regexp the value is a pattern, a text: put it in quotes";
                        self.keys.reading().error(value.spot, message);
                        return None;
                    }
                },
            };
            Some(AttributeRule { key, value: rule })
        });
        rules.collect()
    }
}
