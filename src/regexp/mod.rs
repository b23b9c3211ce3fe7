/*!
Regular expressions as Go has them, for the patterns of Collector files.

The `regex` crate searches the same way: in linear time, leftmost-first. Its notation differs
in places: `\d`, `\w`, `\s` and `\b` are of ASCII alone in Go, `[` stands for itself within a class, `\Q…\E` and octal
escapes exist, a `{` that begins no repetition stands for itself. [`translate`] writes a
pattern in the other notation, so that it means what it means to the Collector, or refuses it.
*/

mod translate;

use regex::Regex;
use std::fmt;

/// A compiled pattern of Go's notation. A clone has a cache of its own: one for each thread
/// spares them from sharing one.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    regex: Regex,
    groups: Vec<String>,
}

impl Pattern {
    /// Compiles `source`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in a sentence.
    pub fn new(source: &str) -> Result<Self, String> {
        let translated = translate::translate(source)?;
        let regex = Regex::new(&translated.pattern).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
            error => {
                // The last line of the message says what is wrong, those before show the
                // pattern as it was translated.
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.trim_start_matches("error: ").to_owned()
            }
        })?;
        Ok(Self {
            source: source.to_owned(),
            regex,
            groups: translated.groups,
        })
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns true if any part of `text` matches.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The compiled pattern, for searches and replacements.
    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    /// The names of its groups in order, without that of the whole match; empty for a
    /// group without a name.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.source)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
