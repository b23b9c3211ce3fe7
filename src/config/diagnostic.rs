/*!
What is wrong with a configuration, and where.

All findings of a load are gathered in a [`Findings`], so that an operator sees
every mistake at once and not one per attempt.
*/

use super::{
    node::{Place, TextSpan},
    secrecy::{below_secret, masked, stars, stars_after},
};
use std::{
    cell::{Ref, RefCell},
    fmt::{self, Write as _},
    path::{Path, PathBuf},
};

/// A source as it was read, kept for the excerpts in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// What messages call it: the path as given, `env:NAME`, `--set …`.
    pub(super) name: String,
    pub(super) text: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(super) place: Option<Place>,
    /// Show the key (an unknown key), not its value (a bad value).
    pub(super) at_key: bool,
    pub(super) message: String,
    /// What to do about it, or what is valid here.
    pub(super) help: Option<Box<str>>,
    /// What comes after the key may be a secret.
    hides_value: bool,
    /// The part of the value that it is about.
    within: Option<Box<Within>>,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Within {
    text: String,
    at: usize,
    width: usize,
}

impl Within {
    /// Where the part stands in the file, if its line of the text is found there as it is: escapes and
    /// folded lines hide it.
    fn find(&self, value: TextSpan, file: &Text) -> Option<TextSpan> {
        let end = (self.at + self.width.max(1)).min(self.text.len());
        let before = self.text.get(..self.at)?;
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        let breaks = self.text.matches('\n').count();
        let line = self.text.get(begin..)?.lines().next()?;
        let lines = file
            .text
            .lines()
            .enumerate()
            .skip(value.line.checked_sub(1)?);
        for (i, written) in lines.take(breaks + 2) {
            if let Some(found) = written.find(line) {
                let column = written.get(..found + self.at - begin)?.chars().count() + 1;
                let width = self
                    .text
                    .get(self.at..end)
                    .map_or(1, |part| part.chars().count());
                return Some(TextSpan {
                    line: i + 1,
                    column,
                    width,
                });
            }
        }
        None
    }
}

impl Diagnostic {
    pub(crate) fn at(place: Place, message: impl Into<String>) -> Self {
        Self {
            place: Some(place),
            at_key: false,
            message: message.into(),
            help: None,
            hides_value: false,
            within: None,
        }
    }

    pub(crate) fn at_key(place: Place, message: impl Into<String>) -> Self {
        Self {
            at_key: true,
            ..Self::at(place, message)
        }
    }

    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self {
            place: None,
            at_key: false,
            message: message.into(),
            help: None,
            hides_value: false,
            within: None,
        }
    }

    /// Keeps what comes after the key out of the excerpt, if `hides_value`.
    pub(super) fn hiding_value(self, hides_value: bool) -> Self {
        Self {
            hides_value,
            ..self
        }
    }

    pub(crate) fn help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn span(&self) -> Option<(usize, TextSpan)> {
        let place = self.place?;
        let span = if self.at_key {
            place.key.unwrap_or(place.value)
        } else {
            place.value
        };
        Some((place.source, span))
    }

    /// As [`Self::span`], and within the value where that is found in the file.
    fn span_in(&self, texts: &[Text]) -> Option<(usize, TextSpan)> {
        let (i, span) = self.span()?;
        let within = self.within.as_ref();
        let found = within.and_then(|within| within.find(span, texts.get(i)?));
        Some((i, found.unwrap_or(span)))
    }

    /// `file:line:column: message`, on one line.
    fn headline(&self, texts: &[Text]) -> String {
        let text = self
            .span_in(texts)
            .and_then(|(i, span)| Some((texts.get(i)?, span)));
        match text {
            Some((text, span)) => {
                format!(
                    "{}:{}:{}: {}",
                    text.name, span.line, span.column, self.message
                )
            }
            None => self.message.clone(),
        }
    }

    /// The headline, the line it is about with a caret under it, and the help.
    fn render(&self, texts: &[Text]) -> String {
        let mut out = self.headline(texts);
        let line = self.span_in(texts).and_then(|(i, span)| {
            let lines: Vec<&str> = texts.get(i)?.text.lines().collect();
            let at = span.line.checked_sub(1)?;
            let line = lines.get(at)?;
            let shown = match below_secret(&lines, at) {
                true => stars(line),
                false => masked(line),
            };
            let shown = match self.hides_value {
                // The colon after the key is not secret.
                true => stars_after(&shown, span.column + span.width),
                false => shown,
            };
            Some((shown, span))
        });
        let mut gutter = 0;
        if let Some((line, span)) = line {
            gutter = span.line.to_string().len();
            let (shown, indent, width) = window(&line, span);
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "\n  {} | {shown}\n  {:gutter$} | {:indent$}{}",
                span.line,
                "",
                "",
                "^".repeat(width)
            );
        }
        if let Some(help) = &self.help {
            for line in help.lines() {
                let _ = write!(out, "\n  {:gutter$} = {line}", "");
            }
        }
        out
    }
}

/// The part of `line` worth showing, and where in it the caret goes. Tabs and
/// control characters become spaces, so that the caret stands under its place.
fn window(line: &str, span: TextSpan) -> (String, usize, usize) {
    const BEFORE: usize = 60;
    const SHOWN: usize = 120;
    let start = span.column.saturating_sub(1);
    let skip = if start > SHOWN - 20 {
        start - BEFORE
    } else {
        0
    };
    let shown: String = line
        .chars()
        .skip(skip)
        .take(SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let indent = start - skip;
    let room = shown.chars().count().saturating_sub(indent).max(1);
    (
        shown.trim_end().to_owned(),
        indent,
        span.width.clamp(1, room),
    )
}

/// Names a value that has been read, for findings about it made later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot(usize);

/// Gathers findings while a configuration is read and checked.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    errors: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
    spots: RefCell<Vec<(Place, String)>>,
    files: RefCell<Vec<PathBuf>>,
}

impl Findings {
    pub(crate) fn error(&self, diagnostic: Diagnostic) {
        self.errors.borrow_mut().push(diagnostic);
    }

    pub(crate) fn warn(&self, diagnostic: Diagnostic) {
        self.warnings.borrow_mut().push(diagnostic);
    }

    /// Remembers a file that is read.
    pub(super) fn note_file(&self, path: &Path) {
        let mut files = self.files.borrow_mut();
        if !files.iter().any(|known| known == path) {
            files.push(path.to_owned());
        }
    }

    /// The files that were read.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.files.borrow().clone()
    }

    /// Remembers a value's place and key path.
    pub(crate) fn spot(&self, place: Place, path: &str) -> Spot {
        let mut spots = self.spots.borrow_mut();
        spots.push((place, path.to_owned()));
        Spot(spots.len() - 1)
    }

    fn spotted(&self, spot: Spot, at_key: bool, message: &str) -> Diagnostic {
        match Ref::filter_map(self.spots.borrow(), |spots| spots.get(spot.0)) {
            Ok(found) => {
                let (place, path) = &*found;
                let message = format!("{path}: {message}");
                Diagnostic {
                    at_key,
                    ..Diagnostic::at(*place, message)
                }
            }
            Err(_) => Diagnostic::nowhere(message),
        }
    }

    /// An error about the value at `spot`; its key path is put before `message`.
    pub(crate) fn error_at(&self, spot: Spot, message: &str) {
        self.error(self.spotted(spot, false, message));
    }

    /// As [`Self::error_at`], with what to do about it.
    pub(crate) fn error_at_help(&self, spot: Spot, message: &str, help: &str) {
        self.error(self.spotted(spot, false, message).help(help));
    }

    /// As [`Self::error_at`], about a part of the value, a text: `width` bytes at `at`.
    pub(crate) fn error_within(
        &self,
        spot: Spot,
        (text, at, width): (&str, usize, usize),
        message: &str,
        help: &str,
    ) {
        let diagnostic = Diagnostic {
            within: Some(Box::new(Within {
                text: text.to_owned(),
                at,
                width,
            })),
            ..self.spotted(spot, false, message)
        };
        self.error(if help.is_empty() {
            diagnostic
        } else {
            diagnostic.help(help)
        });
    }

    /// As [`Self::error_at`], shown at the key, with what to do about it.
    pub(crate) fn error_at_key(&self, spot: Spot, message: &str, help: &str) {
        let diagnostic = self.spotted(spot, true, message);
        self.error(if help.is_empty() {
            diagnostic
        } else {
            diagnostic.help(help)
        });
    }

    /// A warning about the key at `spot`.
    pub(crate) fn warn_at(&self, spot: Spot, message: &str) {
        self.warn(self.spotted(spot, true, message));
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// The warnings as log lines, in the order of the files.
    pub(crate) fn warnings(&self, texts: &[Text]) -> Vec<String> {
        let mut warnings = self.warnings.borrow().clone();
        sort(&mut warnings);
        warnings.iter().map(|w| w.headline(texts)).collect()
    }

    /// Everything that is wrong, ready to be shown.
    pub(crate) fn to_error(&self, texts: &[Text]) -> LoadError {
        let mut errors = self.errors.borrow().clone();
        sort(&mut errors);
        LoadError {
            errors: errors.iter().map(|e| e.render(texts)).collect(),
        }
    }
}

fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(|d| d.span().map_or((usize::MAX, TextSpan::default()), |s| s));
    diagnostics.dedup();
}

/// A configuration that cannot be used. Its `Display` shows every mistake with
/// its file, line and column, the line itself, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    errors: Vec<String>,
}

impl LoadError {
    /// Each mistake, rendered on its own.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.errors.join("\n\n"))
    }
}

impl std::error::Error for LoadError {}

/// `did you mean "x"?` for the candidate nearest to `word`, if any is near.
pub(crate) fn did_you_mean(word: &str, candidates: &[&str]) -> String {
    nearest(word, candidates)
        .map(|c| format!("; did you mean \"{c}\"?"))
        .unwrap_or_default()
}

/// The candidate that `word` is most likely a misspelling of.
pub(super) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .iter()
        .filter(|c| !c.is_empty())
        .map(|c| {
            // A word that only lacks or adds a part (`limit` for `limit_mib`)
            // counts as near, though many letters differ.
            let near = c.to_lowercase();
            let part = lower.len() >= 4 && (near.starts_with(&lower) || lower.starts_with(&near));
            let score = strsim::jaro_winkler(&lower, &near) + if part { 0.2 } else { 0.0 };
            let edits = strsim::damerau_levenshtein(&lower, &near);
            (*c, edits, score, part)
        })
        .filter(|(c, edits, _, part)| *part || *edits <= 1 + c.chars().count() / 4)
        .max_by(|a, b| a.2.total_cmp(&b.2))
        .map(|(c, ..)| c)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn near_words_are_offered_and_far_ones_are_not() {
        let keys = ["endpoint", "keepalive", "max_recv_msg_size_mib", "tls"];
        assert_eq!(nearest("endpont", &keys), Some("endpoint"));
        assert_eq!(nearest("Endpoint", &keys), Some("endpoint"));
        assert_eq!(nearest("keep_alive", &keys), Some("keepalive"));
        assert_eq!(
            nearest("max_recv_msg_size", &keys),
            Some("max_recv_msg_size_mib")
        );
        assert_eq!(nearest("compression", &keys), None);
        assert_eq!(nearest("traceIDs", &["traceID", "record"]), Some("traceID"));
        assert_eq!(nearest("snappy", &["none", "", "gzip", "zstd"]), None);
    }

    #[test]
    fn the_caret_stands_under_its_word_even_in_long_lines() {
        let line = format!("{}word rest", "x".repeat(300));
        let texts = [Text {
            name: "f".to_owned(),
            text: line,
        }];
        let value = TextSpan {
            line: 1,
            column: 301,
            width: 4,
        };
        let place = Place {
            source: 0,
            key: None,
            value,
        };
        let shown = Diagnostic::at(place, "m").render(&texts);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], "f:1:301: m");
        assert_eq!(lines[1].find("word"), lines[2].find("^^^^"));
        assert!(lines[2].ends_with(" ^^^^"));
    }
}
