/*!
Numbers as text, to and from, as the Collector has them: Go's notation. And bytes in hexadecimal.
*/

use std::fmt::{self, Write};

/// Reads a number as Go's `ParseFloat` does: decimal, hexadecimal with an exponent, infinities, and
/// NaN without a sign. None where the text is none, or is out of range.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let begins = |prefix: &str| {
        let start = unsigned.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if begins("0x") {
        let value = parse_hexadecimal(unsigned.get(2..)?)?;
        return Some(if text.starts_with('-') { -value } else { value });
    }
    let value: f64 = text.parse().ok()?;
    let fits = if begins("inf") {
        true
    } else if begins("nan") {
        unsigned.len() == text.len()
    } else {
        value.is_finite()
    };
    fits.then_some(value)
}

/// Reads what follows `0x`: digits, perhaps with a point and underscores between them, and `p` with
/// a decimal exponent.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    // Underscores stand between digits, or behind the prefix.
    if digits.ends_with('_')
        || digits.contains("__")
        || digits.contains("_.")
        || digits.contains("._")
    {
        return None;
    }
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if exponent_digits.is_empty() || !exponent_digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let exponent: i64 = exponent.parse().unwrap_or(match exponent.starts_with('-') {
        true => -1_000_000,
        false => 1_000_000,
    });
    let mut exponent = exponent.clamp(-1_000_000, 1_000_000);
    let (mut mantissa, mut sticky) = (0_u64, false);
    let (mut point, mut any) = (false, false);
    for c in digits.chars().filter(|c| *c != '_') {
        if c == '.' && !point {
            point = true;
            continue;
        }
        let digit = u64::from(c.to_digit(16)?);
        any = true;
        if mantissa >> 59 == 0 {
            mantissa = mantissa << 4 | digit;
            exponent -= if point { 4 } else { 0 };
        } else {
            // What does not fit only decides how to round.
            sticky |= digit != 0;
            exponent += if point { 0 } else { 4 };
        }
    }
    if !any {
        return None;
    }
    let value = scale(mantissa | u64::from(sticky), exponent);
    value.is_finite().then_some(value)
}

/// `mantissa` times two to the power of `exponent`, rounded once, to even.
fn scale(mantissa: u64, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let bits = 64 - i64::from(mantissa.leading_zeros());
    // The exponent of the last bit that is kept: 53 bits, fewer below the least normal number.
    let last = (exponent + bits - 53).max(-1074);
    let drop = last - exponent;
    let kept = match drop {
        ..=0 => mantissa << (-drop).min(63),
        1..=63 => {
            let (kept, dropped) = (mantissa >> drop, mantissa & ((1 << drop) - 1));
            let half = 1 << (drop - 1);
            kept + u64::from(dropped > half || dropped == half && kept & 1 == 1)
        }
        64 => u64::from(mantissa > 1 << 63),
        _ => 0,
    };
    // Exact: 54 bits at most, of which the last is 0 where there are so many.
    let kept = kept as f64;
    match last {
        971.. if last > 1100 => f64::INFINITY,
        971.. => kept * 2_f64.powi(971) * 2_f64.powi((last - 971) as i32),
        // The power itself would be below the least normal number.
        ..=-1023 => kept * 2_f64.powi(-1000) * 2_f64.powi((last + 1000) as i32),
        _ => kept * 2_f64.powi(last as i32),
    }
}

/// A number as JSON and ECMAScript write it: the shortest digits that mean it, with an exponent where
/// it is very small or large.
pub(crate) struct ShowFloat(pub(crate) f64);

impl fmt::Display for ShowFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        if self.0.is_nan() {
            f.write_str("NaN")
        } else if self.0.is_infinite() {
            f.write_str(if self.0 > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let mut text = Exponent { f, seen: false };
            write!(text, "{:e}", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// Bytes in hexadecimal.
pub(crate) struct ShowHex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for ShowHex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A number with the shortest digits that mean it, and never an exponent.
pub(crate) struct ShowPlain(pub(crate) f64);

impl fmt::Display for ShowPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_infinite() {
            f.write_str(if self.0 > 0.0 { "+Inf" } else { "-Inf" })
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// Puts a plus sign in front of an exponent that has no sign.
struct Exponent<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    seen: bool,
}

impl Write for Exponent<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            if std::mem::take(&mut self.seen) && c != '-' {
                self.f.write_char('+')?;
            }
            self.seen = c == 'e';
            self.f.write_char(c)
        })
    }
}

/// A number truncated to an integer as amd64 does it: what does not fit is the least one.
pub(crate) fn truncate(value: f64) -> i64 {
    // Both bounds are exact: two to the power of 63, and its negative.
    match (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        true => value as i64,
        false => i64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("+1.", Some(1.0)),
            (".5e1", Some(5.0)),
            ("-0", Some(-0.0)),
            ("inf", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("1e400", None),
            ("+nan", None),
            ("infi", None),
            ("1_0", None),
            (" 1", None),
            ("", None),
            ("0x10", None),
            ("0x1p4", Some(16.0)),
            ("-0X_1.8p-1", Some(-0.75)),
            ("0x.p1", None),
            ("0x1p", None),
            ("0x1p1024", None),
            ("0x1.fffffffffffffp1023", Some(f64::MAX)),
            ("0x1.fffffffffffff8p1023", None),
            ("0x1p-1074", Some(5e-324)),
            ("0x1p-1075", Some(0.0)),
            ("0x1.8p-1075", Some(5e-324)),
            ("0x10000000000000081p0", Some(18_446_744_073_709_551_744.0)),
            ("0x1.00000000000008p0", Some(1.0)),
            ("0x1.00000000000018p0", Some(1.000_000_000_000_000_4)),
            ("0x1p99999999999999999999", None),
            ("0x0p99999999999999999999", Some(0.0)),
        ] {
            let read = parse_float(text);
            let bits = |value: Option<f64>| value.map(f64::to_bits);
            assert_eq!(bits(read), bits(expected), "{text}: {read:?}");
        }
        assert!(parse_float("nAn").is_some_and(f64::is_nan));
    }

    #[test]
    fn numbers_are_shown_as_json_has_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.25e-7, "1.25e-7"),
            (-1e-10, "-1e-10"),
            (1e-6, "0.000001"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(ShowFloat(value).to_string(), expected);
        }
    }

    #[test]
    fn what_does_not_fit_an_integer_is_the_least() {
        for (value, expected) in [
            (-1.9, -1),
            (1e300, i64::MIN),
            (f64::NAN, i64::MIN),
            (9_223_372_036_854_775_808.0, i64::MIN),
        ] {
            assert_eq!(truncate(value), expected, "{value}");
        }
    }
}
