/*! Classes of characters: in brackets, of Unicode, of POSIX, and those of letters such as `\d`. */

use super::{Walk, put_literal};
use std::fmt::Write as _;

impl Walk<'_> {
    /// Reads what follows `\p` or `\P`: a class of Unicode, in a form that may stand in
    /// a class, too.
    pub(super) fn unicode(&mut self, letter: char) -> Result<String, String> {
        let wrong = || "a class of Unicode is written \\pL or \\p{Greek}".to_owned();
        let mut is_negated = letter == 'P';
        let mut name = String::new();
        if self.takes('{') {
            is_negated ^= self.takes('^');
            loop {
                match self.rest.next().ok_or_else(wrong)? {
                    '}' => break,
                    c if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
                    _ => return Err(wrong()),
                }
            }
        } else {
            name.push(
                self.rest
                    .next()
                    .filter(char::is_ascii_alphabetic)
                    .ok_or_else(wrong)?,
            );
        }
        let letter = if is_negated { 'P' } else { 'p' };
        Ok(format!(r"\{letter}{{{name}}}"))
    }

    /// Reads what follows a `[`.
    pub(super) fn class(&mut self) -> Result<(), String> {
        let open = || "a [ is not closed".to_owned();
        self.out.pattern.push('[');
        if self.takes('^') {
            self.out.pattern.push('^');
        }
        let mut is_first = true;
        loop {
            let c = self.rest.next().ok_or_else(open)?;
            if c == ']' && !is_first {
                self.out.pattern.push(']');
                return Ok(());
            }
            is_first = false;
            if c == '[' && self.posix()? {
                continue;
            }
            let low = match c {
                '\\' => {
                    let escaped = self.rest.next().ok_or_else(open)?;
                    match self.class_escape(escaped)? {
                        Some(c) => c,
                        None => continue,
                    }
                }
                c => c,
            };
            put_literal(low, &mut self.out.pattern);
            // `[a-]` is an `a` or a `-`.
            let mut ahead = self.rest.clone();
            if ahead.next() != Some('-') || ahead.peek() == Some(&']') {
                continue;
            }
            self.rest.next();
            let high = match self.rest.next().ok_or_else(open)? {
                '\\' => {
                    let escaped = self.rest.next().ok_or_else(open)?;
                    self.character(escaped)?
                }
                c => c,
            };
            if high < low {
                return Err(format!("{low}-{high} is no range"));
            }
            self.out.pattern.push('-');
            put_literal(high, &mut self.out.pattern);
        }
    }

    /// Reads the rest of an escape in a class: a character, or a set, which is written.
    fn class_escape(&mut self, c: char) -> Result<Option<char>, String> {
        if let 'p' | 'P' = c {
            let class = self.unicode(c)?;
            self.out.pattern.push_str(&class);
            return Ok(None);
        }
        match perl(c) {
            Some((set, false)) => self.out.pattern.push_str(set),
            Some((set, true)) => _ = write!(self.out.pattern, "[^{set}]"),
            None => return self.character(c).map(Some),
        }
        Ok(None)
    }

    /// Reads a set such as `[:alpha:]`, if one follows a `[`.
    fn posix(&mut self) -> Result<bool, String> {
        let mut ahead = self.rest.clone();
        if ahead.next() != Some(':') {
            return Ok(false);
        }
        let mut name = String::new();
        loop {
            match ahead.next() {
                Some(':') if ahead.peek() == Some(&']') => break,
                Some(c) => name.push(c),
                None => return Ok(false),
            }
        }
        ahead.next();
        let plain = name.strip_prefix('^').unwrap_or(&name);
        if !POSIX.contains(&plain) {
            return Err(format!("[:{name}:] is no set of characters"));
        }
        let _ = write!(self.out.pattern, "[:{name}:]");
        self.rest = ahead;
        Ok(true)
    }
}

const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The characters of `\d` and its like, as the inside of a class; and whether it is all
/// others.
pub(super) fn perl(c: char) -> Option<(&'static str, bool)> {
    let set = match c.to_ascii_lowercase() {
        'd' => "0-9",
        's' => r"\t\n\x0C\r\x20",
        'w' => "0-9A-Za-z_",
        _ => return None,
    };
    Some((set, c.is_ascii_uppercase()))
}
