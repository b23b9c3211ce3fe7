/*!
The keys of an action, and what of them belongs together.
*/

use super::{Action, Actions, Extraction, MOST_GROUPS, PutWhen, Selected, Source, convert::Type};
use crate::{
    config::{Field, KeyReader, RawValue, Spot, did_you_mean},
    processor::values::encode,
    regexp::Pattern,
};

/// What an action does. In a file it may be written in any letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Insert,
    Update,
    Upsert,
    Delete,
    Hash,
    Extract,
    Convert,
}

const VERBS: [(&str, Verb); 7] = [
    ("insert", Verb::Insert),
    ("update", Verb::Update),
    ("upsert", Verb::Upsert),
    ("delete", Verb::Delete),
    ("hash", Verb::Hash),
    ("extract", Verb::Extract),
    ("convert", Verb::Convert),
];

/// The keys of one action, as far as they are set.
struct ActionKeys {
    /// Where the action is written.
    spot: Option<Spot>,
    key: String,
    action: Field<String>,
    value: Field<RawValue>,
    from_attribute: Field<String>,
    from_context: Field<String>,
    default: Field<RawValue>,
    pattern: Field<String>,
    converted_type: Field<Type>,
}

/// Reads the list of actions below `key`. None when one of them is wrong, which has been reported.
pub(in crate::processor) fn read(key: &'static str, keys: &mut KeyReader<'_>) -> Option<Actions> {
    let cx = keys.reading();
    let list = keys.sections(key, |keys| {
        let action = ActionKeys::read(keys);
        action.check(keys)
    });
    let actions = list.value.unwrap_or_default();
    if actions.is_empty() {
        let message = format!("{key} lists nothing to do: without actions the processor has none");
        cx.error_at_key(list.spot.or(keys.spot()), &message, "");
        return None;
    }
    let actions: Vec<_> = actions.into_iter().collect::<Option<_>>()?;
    let asks_client = |action: &Action| match action {
        Action::Put(_, _, source) => source.from_client,
        _ => false,
    };
    let mut all = Actions::default();
    all.client.is_wanted = actions.iter().any(asks_client);
    all.actions = actions;
    Some(all)
}

impl ActionKeys {
    fn read(keys: &mut KeyReader<'_>) -> Self {
        let key = keys.get::<String>(
            "key",
            "required",
            "the attribute; with a `pattern` of `delete` and `hash` it may be left out",
        );
        Self {
            spot: keys.spot(),
            key: key.value.unwrap_or_default(),
            action: keys.get(
                "action",
                "required",
                "`insert` where it is missing, `update` where it is there, `upsert` in both cases, `delete`, `hash` (SHA-256), `extract`, `convert`",
            ),
            value: keys.get("value", "none", "the new value, of any type"),
            from_attribute: keys.get(
                "from_attribute",
                "none",
                "takes the value of this attribute, if it is there",
            ),
            from_context: keys.get(
                "from_context",
                "none",
                "`client.address` is the address of the sender; headers and credentials of requests are not known to processors, and so never there",
            ),
            default: keys.get(
                "default_value",
                "none",
                "the value where the source has none",
            ),
            pattern: keys.get(
                "pattern",
                "none",
                "`delete` and `hash`: attributes whose key matches; `extract`: each named group becomes an attribute",
            ),
            converted_type: keys.get(
                "converted_type",
                "none",
                "the type that `convert` makes: `string`, `int`, `double`",
            ),
        }
    }

    /// Makes the action, or reports what is wrong.
    fn check(self, keys: &KeyReader<'_>) -> Option<Action> {
        let cx = keys.reading();
        let (word, verb) = self.verb(keys)?;
        let takes_pattern = matches!(verb, Verb::Delete | Verb::Hash);
        let is_pattern_given = self.pattern.given().is_some();
        if self.key.is_empty() && !(takes_pattern && is_pattern_given) {
            let message = match takes_pattern {
                true => "an action needs a key or a pattern",
                false => "an action needs a key",
            };
            cx.error_at_key(self.spot, message, "");
            return None;
        }
        let is_put = matches!(verb, Verb::Insert | Verb::Update | Verb::Upsert);
        let allowed = [
            (
                self.value.spot.filter(|_| self.value.value.is_some()),
                is_put,
            ),
            (given(&self.from_attribute), is_put),
            (given(&self.from_context), is_put),
            (
                self.default.spot.filter(|_| self.default.value.is_some()),
                is_put,
            ),
            (given(&self.pattern), takes_pattern || verb == Verb::Extract),
            (self.converted_type.spot, verb == Verb::Convert),
        ];
        let mut is_good = true;
        for (spot, is_allowed) in allowed {
            if spot.is_some() && !is_allowed {
                cx.error_at_key(spot, &format!("means nothing to the action {word}"), "");
                is_good = false;
            }
        }
        let action = match verb {
            Verb::Insert => self.put(PutWhen::Insert, keys),
            Verb::Update => self.put(PutWhen::Update, keys),
            Verb::Upsert => self.put(PutWhen::Upsert, keys),
            Verb::Delete => self.selected(keys).map(Action::Delete),
            Verb::Hash => self.selected(keys).map(Action::Hash),
            Verb::Extract => self.extract(keys),
            Verb::Convert => {
                if self.converted_type.spot.is_none() {
                    let message = "convert needs a converted_type: string, int or double";
                    cx.error_at_key(self.spot, message, "");
                }
                let to = self.converted_type.value?;
                Some(Action::Convert(self.key, to))
            }
        };
        action.filter(|_| is_good)
    }

    /// The word of `action`, and what it means.
    fn verb(&self, keys: &KeyReader<'_>) -> Option<(&'static str, Verb)> {
        let cx = keys.reading();
        let Some(written) = self.action.trimmed() else {
            let message = "an action without `action`: say what to do";
            cx.error_at_key(self.action.spot.or(self.spot), message, "");
            return None;
        };
        let lower = written.to_lowercase();
        let found = VERBS.iter().find(|(word, _)| *word == lower);
        if found.is_none() {
            let words = VERBS.map(|(word, _)| word);
            let hint = did_you_mean(&lower, &words);
            let message = format!(
                "expected one of {}, found {written:?}{hint}",
                words.join(", ")
            );
            cx.error(self.action.spot, &message);
        }
        found.copied()
    }

    fn put(self, when: PutWhen, keys: &KeyReader<'_>) -> Option<Action> {
        let cx = keys.reading();
        let sources = [
            self.value.spot.filter(|_| self.value.value.is_some()),
            given(&self.from_attribute),
            given(&self.from_context),
        ];
        let mut sources = sources.into_iter().flatten();
        let is_any = sources.next().is_some();
        if let Some(second) = sources.next() {
            let message = "a second source of the value: keep one of value, from_attribute and \
                           from_context";
            cx.error_at_key(Some(second), message, "");
            return None;
        }
        if !is_any && self.default.value.is_none() {
            let message = "nothing says the value: give value, from_attribute, from_context or \
                           default_value";
            cx.error_at_key(self.spot, message, "");
            return None;
        }
        let context = self.from_context.given();
        let from_client = context == Some("client.address");
        if context.is_some() && !from_client && keys.is_used() {
            let message = "headers and credentials of requests are not known to processors, so \
                           this is never there";
            cx.warn(self.from_context.spot, message);
        }
        let source = Source {
            value: self.value.value.as_ref().map(encode),
            from_client,
            from_attribute: self.from_attribute.given().map(str::to_owned),
            default: self.default.value.as_ref().map(encode),
        };
        Some(Action::Put(when, self.key, source))
    }

    fn selected(self, keys: &KeyReader<'_>) -> Option<Selected> {
        let pattern = match self.pattern.given() {
            Some(_) => Some(compile(&self.pattern, keys)?),
            None => None,
        };
        Some(Selected {
            key: self.key,
            pattern,
        })
    }

    fn extract(self, keys: &KeyReader<'_>) -> Option<Action> {
        let cx = keys.reading();
        if self.pattern.given().is_none() {
            cx.error_at_key(self.spot, "extract needs a pattern with named groups", "");
            return None;
        }
        let pattern = compile(&self.pattern, keys)?;
        let groups = pattern.groups();
        if groups.is_empty() || groups.iter().any(String::is_empty) || groups.len() > MOST_GROUPS {
            let message = format!(
                "each group must have a name, as in (?P<name>.*), and there must be 1 to \
                 {MOST_GROUPS}; one that is only to group is written (?:…)"
            );
            cx.error(self.pattern.spot, &message);
            return None;
        }
        let places = pattern.regex().capture_locations();
        let extraction = Extraction { pattern, places };
        Some(Action::Extract(self.key, extraction))
    }
}

/// Where a text is written that is not empty.
fn given(field: &Field<String>) -> Option<Spot> {
    field.spot.filter(|_| field.given().is_some())
}

fn compile(field: &Field<String>, keys: &KeyReader<'_>) -> Option<Pattern> {
    let pattern = Pattern::new(field.given()?);
    let report = |message: String| keys.reading().error(field.spot, &message);
    pattern.map_err(report).ok()
}
