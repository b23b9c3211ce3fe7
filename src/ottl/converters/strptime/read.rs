/*! Times from text. */

use super::{Piece, pieces};
use crate::ottl::{
    EvalError,
    converters::calendar::{Calendar, MONTHS, WEEKDAYS, days_of},
    value::Time,
};

/// What was read so far.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    year: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanosecond: u32,
    /// Whether it is after noon, where that is said.
    is_late: Option<bool>,
    offset: i32,
}

/// Reads a time, by a format that was checked; `now` says of which year one without a year is.
pub(in crate::ottl::converters) fn parse(
    text: &str,
    format: &str,
    now: i64,
) -> Result<Time, EvalError> {
    const WRONG: EvalError = EvalError::new("the string is no time of this format");
    let mut parts = Parts::default();
    let mut rest = text;
    let mut all = pieces(format).peekable();
    while let Some(piece) = all.next() {
        let is_fraction_next = matches!(all.peek(), Some(Piece::Fraction(..)));
        rest = parts.take(piece, rest, is_fraction_next).ok_or(WRONG)?;
    }
    match rest.is_empty() {
        true => parts.time(now).ok_or(WRONG),
        false => Err(WRONG),
    }
}

impl Parts {
    /// Takes a piece from the beginning of a text; gives the rest.
    fn take<'t>(
        &mut self,
        piece: Piece<'_>,
        text: &'t str,
        is_fraction_next: bool,
    ) -> Option<&'t str> {
        match piece {
            Piece::Text(wanted) => skip(text, wanted),
            Piece::Fraction(..) => Some(self.fraction(text)),
            Piece::Directive(letter) => {
                let rest = self.directive(letter, text)?;
                let ends_in_seconds = matches!(letter, 'S' | 'T' | 'X' | 's');
                // Go takes a fraction that no format asks for.
                Some(match ends_in_seconds && !is_fraction_next {
                    true => self.fraction(rest),
                    false => rest,
                })
            }
        }
    }

    fn directive<'t>(&mut self, letter: char, text: &'t str) -> Option<&'t str> {
        let mut rest = text;
        match letter {
            'Y' => self.year = Some(digits(&mut rest, 4, 4)?.into()),
            'y' => {
                let year = i64::from(digits(&mut rest, 2, 2)?);
                self.year = Some(if year >= 69 { 1900 + year } else { 2000 + year });
            }
            'm' | 'o' | 'q' => self.month = Some(number(&mut rest, 1..=12)?),
            'b' | 'h' => self.month = Some(1 + name(&mut rest, &MONTHS, Some(3))?),
            'B' => self.month = Some(1 + name(&mut rest, &MONTHS, None)?),
            'd' | 'e' | 'g' => self.day = Some(number(&mut rest, 0..=99)?),
            'a' => _ = name(&mut rest, &WEEKDAYS, Some(3))?,
            'A' => _ = name(&mut rest, &WEEKDAYS, None)?,
            'H' => self.hour = digits(&mut rest, 1, 2).filter(|hour| *hour < 24)?,
            'I' | 'l' => self.hour = number(&mut rest, 0..=12)?,
            'p' | 'P' => {
                let names = if letter == 'p' {
                    ["AM", "PM"]
                } else {
                    ["am", "pm"]
                };
                let half = names.iter().position(|name| rest.starts_with(name))?;
                self.is_late = Some(half == 1);
                rest = rest.get(2..)?;
            }
            'M' => self.minute = number(&mut rest, 0..=59)?,
            'S' => self.second = number(&mut rest, 0..=59)?,
            'Z' => {
                let name = ["UTC", "GMT"]
                    .into_iter()
                    .find(|name| rest.starts_with(name))?;
                rest = rest.get(name.len()..)?;
            }
            'z' => {
                rest = rest.trim_start_matches(char::is_whitespace);
                match rest.strip_prefix('Z') {
                    Some(after) => rest = after,
                    None => {
                        let ways = [("", 2), (":", 2), ("", 1)];
                        let read = ways
                            .iter()
                            .find_map(|(between, parts)| offset(rest, between, *parts));
                        (self.offset, rest) = read?;
                    }
                }
            }
            'w' => (self.offset, rest) = offset(rest, "", 3)?,
            'i' => (self.offset, rest) = offset(rest, "", 1)?,
            'j' => (self.offset, rest) = offset(rest, ":", 2)?,
            'k' => (self.offset, rest) = offset(rest, ":", 3)?,
            'D' | 'x' => {
                let before = *self;
                rest = match self.all("%m/%d/%Y", text) {
                    Some(rest) => rest,
                    None => {
                        *self = before;
                        self.all("%m/%d/%y", text)?
                    }
                };
            }
            'F' => rest = self.all("%Y-%m-%d", text)?,
            'T' | 'X' => rest = self.all("%H:%M:%S", text)?,
            'r' => rest = self.all("%I:%M:%S %P", text)?,
            'R' => rest = self.all("%H:%M", text)?,
            'c' => rest = self.all("%a %b %d %H:%M:%S %Y", text)?,
            'n' => rest = skip(text, "\n")?,
            't' => rest = skip(text, "\t")?,
            other => rest = text.strip_prefix(other)?,
        }
        Some(rest)
    }

    /// Takes what a directive stands for.
    fn all<'t>(&mut self, format: &str, text: &'t str) -> Option<&'t str> {
        pieces(format).try_fold(text, |rest, piece| match piece {
            Piece::Text(wanted) => skip(rest, wanted),
            Piece::Directive(letter) => self.directive(letter, rest),
            Piece::Fraction(..) => None,
        })
    }

    /// Takes a point and digits, if they are there.
    fn fraction<'t>(&mut self, text: &'t str) -> &'t str {
        let Some(after) = text.strip_prefix(['.', ',']) else {
            return text;
        };
        let count = after.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return text;
        }
        let (digits, rest) = after.split_at(count);
        let kept = digits.get(..9).unwrap_or(digits);
        self.nanosecond = format!("{kept:0<9}").parse().unwrap_or_default();
        rest
    }

    fn time(self, now: i64) -> Option<Time> {
        let hour = match (self.is_late, self.hour) {
            (Some(true), hour) if hour < 12 => hour + 12,
            (Some(false), 12) => 0,
            (_, hour) => hour,
        };
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        // Without a year it is that of a leap year, 0.
        if day == 0 || day > days_of(self.year.unwrap_or_default(), month) {
            return None;
        }
        let mut calendar = Calendar {
            year: self.year.unwrap_or_default(),
            month,
            day,
            weekday: 0,
            hour,
            minute: self.minute,
            second: self.second,
            nanosecond: self.nanosecond,
            offset: self.offset,
        };
        if calendar.year > 0 {
            return calendar.time();
        }
        calendar.year = Calendar::of(Time::utc(now)).year;
        // More than a week ahead, it is of last year.
        let week = 7 * 86_400 * 1_000_000_000;
        let time = calendar.time()?;
        if time.nanos > now.saturating_add(week) {
            calendar.year -= 1;
            return calendar.time();
        }
        Some(time)
    }
}

/// Takes a text, of which any spaces are any spaces.
fn skip<'t>(text: &'t str, wanted: &str) -> Option<&'t str> {
    let (mut text, mut wanted) = (text, wanted);
    while let Some(c) = wanted.chars().next() {
        if c == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return None;
            }
            wanted = wanted.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(c)?;
        wanted = wanted.get(c.len_utf8()..)?;
    }
    Some(text)
}

/// Takes so many digits.
fn digits(text: &mut &str, least: usize, most: usize) -> Option<u32> {
    let whole = *text;
    let count = whole
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < least {
        return None;
    }
    let (digits, rest) = whole.split_at(count);
    *text = rest;
    digits.parse().ok()
}

/// Takes a number of one or two digits, behind spaces, within a range.
fn number(text: &mut &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    *text = text.trim_start_matches(char::is_whitespace);
    digits(text, 1, 2).filter(|n| range.contains(n))
}

/// Takes one of these names, or the first letters of one; gives its number.
fn name(text: &mut &str, names: &[&str], letters: Option<usize>) -> Option<u32> {
    let whole = *text;
    let found = names.iter().zip(0..).find_map(|(name, i)| {
        let name = name.get(..letters.unwrap_or(name.len()))?;
        let start = whole.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then_some((name.len(), i))
    });
    let (len, i) = found?;
    *text = whole.get(len..)?;
    Some(i)
}

/// Takes a sign and hours, minutes and seconds, so many of them.
fn offset<'t>(text: &'t str, between: &str, parts: usize) -> Option<(i32, &'t str)> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut rest = text.get(1..)?;
    let mut seconds = 0;
    for (i, unit, most) in [(0, 3600, 24), (1, 60, 60), (2, 1, 60)]
        .into_iter()
        .take(parts)
    {
        if i > 0 {
            rest = rest.strip_prefix(between)?;
        }
        let part = digits(&mut rest, 2, 2).filter(|part| *part <= most)?;
        seconds += i32::try_from(part).ok()? * unit;
    }
    Some((sign * seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z.
    const NOW: i64 = 1_700_000_000_000_000_000;

    #[test]
    fn times_are_read_as_by_the_collector() {
        let second = 1_000_000_000;
        for (text, format, expected) in [
            ("2023-11-14T22:13:20Z", "%Y-%m-%dT%H:%M:%SZ", Some((NOW, 0))),
            (
                "2023-11-14 22:13:20.25",
                "%Y-%m-%d %H:%M:%S.%L",
                Some((NOW + second / 4, 0)),
            ),
            (
                "2023-11-14 22:13:20.123456789",
                "%F %T",
                Some((NOW + 123_456_789, 0)),
            ),
            ("2023-11-14 22:13:20", "%F %T.%f", Some((NOW, 0))),
            (
                "2023-11-15T03:43:20+0530",
                "%Y-%m-%dT%H:%M:%S%z",
                Some((NOW, 19_800)),
            ),
            (
                "2023-11-15T03:43:20+05:30",
                "%Y-%m-%dT%H:%M:%S%z",
                Some((NOW, 19_800)),
            ),
            (
                "2023-11-14T21:13:20 -01",
                "%Y-%m-%dT%H:%M:%S%z",
                Some((NOW, -3600)),
            ),
            (
                "2023-11-14T22:13:20 Z",
                "%Y-%m-%dT%H:%M:%S%z",
                Some((NOW, 0)),
            ),
            (
                "Tue, 14 Nov 2023 22:13:20 GMT",
                "%a, %d %b %Y %H:%M:%S %Z",
                Some((NOW, 0)),
            ),
            (
                "november 14, 23 10:13:20 PM",
                "%B %d, %y %I:%M:%S %p",
                Some((NOW, 0)),
            ),
            ("11/14/2023 10:13:20 pm", "%D %r", Some((NOW, 0))),
            ("11/14/23   22:13", "%D %R", Some((NOW - 20 * second, 0))),
            ("Tue Nov 14 22:13:20 2023", "%c", Some((NOW, 0))),
            (
                "2019-1-2T15:4:5Z",
                "%Y-%m-%dT%H:%M:%S%z",
                Some((1_546_441_445 * second, 0)),
            ),
            ("Nov 14 22:13:20", "%b %d %H:%M:%S", Some((NOW, 0))),
            (
                "Dec 14 22:13:20",
                "%b %d %H:%M:%S",
                Some((1_671_056_000 * second, 0)),
            ),
            ("2023-02-29", "%F", None),
            ("2023-13-01", "%F", None),
            ("2023-11-14 24:00:00", "%F %T", None),
            ("2023-11-14x", "%F", None),
            ("23-11-14", "%F", None),
            ("2023-11-14 CET", "%F %Z", None),
            ("9999-01-01", "%F", None),
        ] {
            let found = parse(text, format, NOW).ok();
            let found = found.map(|time| (time.nanos, time.offset));
            assert_eq!(found, expected, "{text} by {format}");
        }
        assert!(parse("30", "%S", NOW).is_ok());
    }
}
