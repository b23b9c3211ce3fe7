/*! Times to text. */

use super::{Piece, pieces};
use crate::ottl::{
    EvalError,
    converters::calendar::{Calendar, MONTHS, WEEKDAYS},
    value::Time,
};
use std::fmt::{self, Write};

/// Appends a time, by a format that was checked.
pub(in crate::ottl::converters) fn write(
    time: Time,
    format: &str,
    out: &mut String,
) -> Result<(), EvalError> {
    let calendar = Calendar::of(time);
    // Writing to a String does not fail.
    let _ = put(&calendar, format, out);
    Ok(())
}

fn put(c: &Calendar, format: &str, out: &mut String) -> fmt::Result {
    for piece in pieces(format) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Fraction(point, digits) => fraction(c, point, digits, out),
            Piece::Directive(letter) => directive(c, letter, out)?,
        }
    }
    Ok(())
}

/// So many digits without the zeros at their end; without the point, too, where nothing is left.
fn fraction(c: &Calendar, point: char, digits: usize, out: &mut String) {
    let all = format!("{:09}", c.nanosecond);
    let shown = all.get(..digits).unwrap_or(&all).trim_end_matches('0');
    if !shown.is_empty() {
        out.push(point);
        out.push_str(shown);
    }
}

fn directive(c: &Calendar, letter: char, out: &mut String) -> fmt::Result {
    let hour = match c.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let name = |names: &[&'static str], i: u32| names.get(i as usize).copied().unwrap_or_default();
    let month = name(&MONTHS, c.month - 1);
    let weekday = name(&WEEKDAYS, c.weekday);
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    match letter {
        'Y' => write!(out, "{:04}", c.year),
        'y' => write!(out, "{:02}", c.year.rem_euclid(100)),
        'm' => write!(out, "{:02}", c.month),
        // Go has no month padded with a space, and takes the underscore for itself.
        'o' => write!(out, "_{}", c.month),
        'q' => write!(out, "{}", c.month),
        'b' | 'h' => out.write_str(short(month)),
        'B' => out.write_str(month),
        'd' => write!(out, "{:02}", c.day),
        'e' => write!(out, "{:2}", c.day),
        'g' => write!(out, "{}", c.day),
        'a' => out.write_str(short(weekday)),
        'A' => out.write_str(weekday),
        'H' => write!(out, "{:02}", c.hour),
        'l' => write!(out, "{hour}"),
        'I' => write!(out, "{hour:02}"),
        'p' => out.write_str(if c.hour < 12 { "AM" } else { "PM" }),
        'P' => out.write_str(if c.hour < 12 { "am" } else { "pm" }),
        'M' => write!(out, "{:02}", c.minute),
        'S' => write!(out, "{:02}", c.second),
        'Z' if c.offset == 0 => out.write_str("UTC"),
        'z' if c.offset == 0 => out.write_str("Z"),
        'Z' | 'z' => offset(c, "", 2, out),
        'w' => offset(c, "", 3, out),
        'i' => offset(c, "", 1, out),
        'j' => offset(c, ":", 2, out),
        'k' => offset(c, ":", 3, out),
        'D' | 'x' => put(c, "%m/%d/%Y", out),
        'F' => put(c, "%Y-%m-%d", out),
        'T' | 'X' => put(c, "%H:%M:%S", out),
        'r' => put(c, "%I:%M:%S %P", out),
        'R' => put(c, "%H:%M", out),
        'c' => put(c, "%a %b %d %H:%M:%S %Y", out),
        'n' => out.write_str("\n"),
        't' => out.write_str("\t"),
        other => out.write_char(other),
    }
}

/// Hours, minutes and seconds by which the clock is ahead, so many of them.
fn offset(c: &Calendar, between: &str, parts: usize, out: &mut String) -> fmt::Result {
    let size = c.offset.unsigned_abs();
    out.push(if c.offset < 0 { '-' } else { '+' });
    let all = [size / 3600, size / 60 % 60, size % 60];
    for (i, part) in all.iter().take(parts).enumerate() {
        let between = if i > 0 { between } else { "" };
        write!(out, "{between}{part:02}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_by_the_collector() {
        let time = |nanos, offset| Time { nanos, offset };
        for (at, format, expected) in [
            (
                time(1_700_000_000_120_000_000, 0),
                "%Y-%m-%dT%H:%M:%S.%f%z",
                "2023-11-14T22:13:20.12Z",
            ),
            (time(1_700_000_000_000_000_000, 0), "%T.%L", "22:13:20"),
            (
                time(1_700_000_000_123_456_789, 0),
                "%S,%L %S.%s",
                "20,123 20.123456789",
            ),
            (
                time(1_700_000_000_000_000_000, 19_800),
                "%c %z %Z %j %i %w %k",
                "Wed Nov 15 03:43:20 2023 +0530 +0530 +05:30 +05 +053000 +05:30:00",
            ),
            (
                time(0, 0),
                "%y %m %o %q %b %B %d %e %g %a %A",
                "70 01 _1 1 Jan January 01  1 1 Thu Thursday",
            ),
            (
                time(0, 0),
                "%I:%l %p %P %Z %D %F %R %r %%",
                "12:12 AM am UTC 01/01/1970 1970-01-01 00:00 12:00:00 am %",
            ),
        ] {
            let mut out = String::new();
            assert_eq!(write(at, format, &mut out), Ok(()));
            assert_eq!(out, expected, "{format}");
        }
    }
}
