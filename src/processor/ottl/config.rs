/*! Reading lists of texts in OTTL, and saying where they are wrong. */

use crate::{
    config::{Field, KeyReader, Reading, Word},
    ottl::{Context, ParseError},
};

/// What an error of evaluation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorMode {
    /// It is logged, and the next statement runs.
    Ignore,
    /// The next statement runs.
    Silent,
    /// The request is refused.
    Propagate,
}

impl Word for ErrorMode {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("ignore", Self::Ignore),
        ("silent", Self::Silent),
        ("propagate", Self::Propagate),
    ];
}

impl Word for Context {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("resource", Self::Resource),
        ("scope", Self::Scope),
        ("span", Self::Span),
        ("spanevent", Self::SpanEvent),
    ];
}

/// Reads the context of a list.
pub(crate) fn context(keys: &mut KeyReader<'_>) -> Field<Context> {
    keys.get(
        "context",
        "what follows from the paths",
        "what each statement is run for",
    )
}

/// Whether a context is given and wrong, which has been reported: nothing else can be said of its list.
pub(crate) fn is_wrong(context: &Field<Context>) -> bool {
    context.spot.is_some() && context.value.is_none()
}

/// The texts of a list that could be read.
pub(crate) fn texts(fields: &[Field<String>]) -> Vec<&str> {
    fields
        .iter()
        .map(|field| field.value.as_deref().unwrap_or_default())
        .collect()
}

/// Reports the mistakes of texts that stand in one list; true if there are none.
pub(crate) fn mistakes<T>(
    compiled: Result<T, Vec<(usize, ParseError)>>,
    fields: &[&Field<String>],
    cx: &Reading<'_>,
) -> bool {
    match compiled {
        Ok(_) => true,
        Err(mistakes) => {
            for (i, mistake) in &mistakes {
                let Some(field) = fields.get(*i) else {
                    continue;
                };
                if let (Some(spot), Some(text)) = (field.spot, &field.value) {
                    let place = (text.as_str(), mistake.at, mistake.width);
                    cx.report()
                        .error_within(spot, place, &mistake.message, &mistake.help);
                }
            }
            false
        }
    }
}
