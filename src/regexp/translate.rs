/*!
A pattern from Go's notation to that of the `regex` crate.

One walk over the characters. What means the same in both is copied, each literal that could
mean something is written as `\x{…}`, and classes are written as ranges. Only what Go refuses and the
crate would take is refused here; what both refuse is left to the crate.
*/

mod classes;

use classes::perl;
use std::{fmt::Write as _, iter::Peekable, str::Chars};

/// A pattern in the notation of the `regex` crate.
#[derive(Debug, Default)]
pub(super) struct Translated {
    pub(super) pattern: String,
    /// Names of groups in order; empty where there is none.
    pub(super) groups: Vec<String>,
}

/// The highest count of a repetition that Go takes.
const MOST_REPEATED: u32 = 1000;

/// Translates a pattern.
///
/// # Errors
///
/// What Go refuses about it.
pub(super) fn translate(pattern: &str) -> Result<Translated, String> {
    let mut walk = Walk {
        rest: pattern.chars().peekable(),
        out: Translated::default(),
    };
    walk.pattern()?;
    Ok(walk.out)
}

struct Walk<'p> {
    rest: Peekable<Chars<'p>>,
    out: Translated,
}

impl Walk<'_> {
    fn pattern(&mut self) -> Result<(), String> {
        let mut was_repeated = false;
        while let Some(c) = self.rest.next() {
            let repeats = match c {
                '*' | '+' | '?' => Some(String::from(c)),
                '{' => self.counts()?,
                _ => None,
            };
            if let Some(repeats) = repeats {
                if was_repeated {
                    return Err("a repetition is repeated".to_owned());
                }
                self.out.pattern.push_str(&repeats);
                if self.takes('?') {
                    self.out.pattern.push('?');
                }
                was_repeated = true;
                continue;
            }
            was_repeated = false;
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                ')' | '|' | '.' | '^' | '$' => self.out.pattern.push(c),
                c => self.literal(c),
            }
        }
        Ok(())
    }

    fn takes(&mut self, c: char) -> bool {
        self.rest.next_if_eq(&c).is_some()
    }

    fn literal(&mut self, c: char) {
        put_literal(c, &mut self.out.pattern);
    }

    /// Reads what follows a `{`, if it is a repetition.
    fn counts(&mut self) -> Result<Option<String>, String> {
        let mut ahead = self.rest.clone();
        let Some(least) = count(&mut ahead) else {
            return Ok(None);
        };
        let mut most = Some(least);
        if ahead.next_if_eq(&',').is_some() {
            most = match ahead.peek() {
                Some('}') => None,
                _ => match count(&mut ahead) {
                    Some(most) => Some(most),
                    None => return Ok(None),
                },
            };
        }
        if ahead.next() != Some('}') {
            return Ok(None);
        }
        self.rest = ahead;
        if least > MOST_REPEATED || most.is_some_and(|most| most > MOST_REPEATED || most < least) {
            return Err(format!(
                "a repetition is counted wrong: at most {MOST_REPEATED} times, and the larger \
                 number last"
            ));
        }
        Ok(Some(match most {
            Some(most) if most == least => format!("{{{least}}}"),
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        }))
    }

    /// Reads what follows a `(`.
    fn group(&mut self) -> Result<(), String> {
        if !self.takes('?') {
            self.out.groups.push(String::new());
            self.out.pattern.push('(');
            return Ok(());
        }
        let begins_name = match self.rest.peek() {
            Some('P') => {
                self.rest.next();
                if !self.takes('<') {
                    return Err("after (?P a name in <> must follow".to_owned());
                }
                true
            }
            Some('<') => {
                self.rest.next();
                true
            }
            _ => false,
        };
        if begins_name {
            return self.named_group();
        }
        self.out.pattern.push_str("(?");
        for c in self.rest.by_ref() {
            match c {
                'i' | 'm' | 's' | 'U' | '-' => self.out.pattern.push(c),
                ':' | ')' => {
                    self.out.pattern.push(c);
                    return Ok(());
                }
                _ => break,
            }
        }
        Err("after (? only flags, a colon or a name may follow: there is no looking around".into())
    }

    fn named_group(&mut self) -> Result<(), String> {
        let mut name = String::new();
        loop {
            match self.rest.next() {
                Some('>') if !name.is_empty() => break,
                Some(c) if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
                _ => return Err("a group's name is of letters, digits and _".to_owned()),
            }
        }
        // In the crate no name begins with a digit, and none comes twice.
        let is_plain = name.starts_with(|c: char| c.is_ascii_digit());
        match is_plain || self.out.groups.contains(&name) {
            true => self.out.pattern.push('('),
            false => _ = write!(self.out.pattern, "(?P<{name}>"),
        }
        self.out.groups.push(name);
        Ok(())
    }

    /// Reads what follows a backslash, outside a class.
    fn escape(&mut self) -> Result<(), String> {
        let Some(c) = self.rest.next() else {
            return Err("the pattern ends in a backslash".to_owned());
        };
        let out = &mut self.out.pattern;
        match c {
            'A' | 'z' => {
                out.push('\\');
                out.push(c);
            }
            'b' => out.push_str(r"(?-u:\b)"),
            'B' => out.push_str(r"(?-u:\B)"),
            'Q' => self.quoted(),
            'p' | 'P' => {
                let class = self.unicode(c)?;
                self.out.pattern.push_str(&class);
            }
            c => match perl(c) {
                Some((set, is_negated)) => {
                    let not = if is_negated { "^" } else { "" };
                    let _ = write!(out, "[{not}{set}]");
                }
                None => {
                    let c = self.character(c)?;
                    self.literal(c);
                }
            },
        }
        Ok(())
    }

    /// Reads what follows `\Q`, up to `\E`.
    fn quoted(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.takes('E') {
                return;
            }
            self.literal(c);
        }
    }

    /// Reads the rest of an escape that stands for one character.
    fn character(&mut self, first: char) -> Result<char, String> {
        let wrong = || format!(r"\{first} means nothing");
        let octal = |c: &char| ('0'..='7').contains(c);
        let value = match first {
            'a' => 7,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            '0'..='7' => {
                // A single digit but 0 would be a back reference.
                if first != '0' && !self.rest.peek().is_some_and(octal) {
                    return Err(format!(r"\{first}: there are no back references"));
                }
                let mut value = first.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(digit) = self.rest.next_if(octal) else {
                        break;
                    };
                    value = value * 8 + digit.to_digit(8).unwrap_or_default();
                }
                value
            }
            'x' => self.hexadecimal().ok_or_else(wrong)?,
            c if c.is_ascii_punctuation() || c == ' ' || c.is_ascii_control() => u32::from(c),
            _ => return Err(wrong()),
        };
        char::from_u32(value).ok_or_else(wrong)
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        if !self.takes('{') {
            let high = self.rest.next()?.to_digit(16)?;
            return Some(high << 4 | self.rest.next()?.to_digit(16)?);
        }
        let mut value = 0_u32;
        let mut digits = 0;
        while !self.takes('}') {
            value = value
                .checked_mul(16)?
                .checked_add(self.rest.next()?.to_digit(16)?)?;
            digits += 1;
        }
        (digits > 0).then_some(value)
    }
}

/// Reads a number without leading zeros.
fn count(rest: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let first = rest.next_if(char::is_ascii_digit)?;
    let mut value = first.to_digit(10)?;
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        if first == '0' {
            return None;
        }
        value = value.saturating_mul(10).saturating_add(digit.to_digit(10)?);
    }
    Some(value)
}

/// Writes a character that stands for itself, in a class or outside.
fn put_literal(c: char, out: &mut String) {
    match c.is_ascii() && !c.is_ascii_alphanumeric() {
        true => _ = write!(out, r"\x{:02X}", u32::from(c)),
        false => out.push(c),
    }
}
