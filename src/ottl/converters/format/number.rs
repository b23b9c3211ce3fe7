/*! Numbers in texts, as Go's `Sprintf` puts them there. */

use super::{Verb, texts::pad};

/// Appends an integer by a verb for integers.
pub(super) fn put_int(n: i64, verb: Verb, out: &mut String) {
    let size = n.unsigned_abs();
    let (digits, prefix) = match verb.letter {
        'b' => (format!("{size:b}"), "0b"),
        'o' => (format!("{size:o}"), "0"),
        'O' => (format!("{size:o}"), "0o"),
        'x' => (format!("{size:x}"), "0x"),
        'X' => (format!("{size:X}"), "0X"),
        _ => (size.to_string(), ""),
    };
    let prefix = if verb.sharp || verb.letter == 'O' {
        prefix
    } else {
        ""
    };
    let sign = sign(n < 0, verb);
    let least = match verb.precision {
        Some(0) if n == 0 => return pad("", verb, out),
        Some(precision) => precision,
        // Zeros fill the width.
        None if verb.zero => verb.width.saturating_sub(sign.len()),
        None => 0,
    };
    let zeros = "0".repeat(least.saturating_sub(digits.len()));
    pad(&[sign, prefix, &zeros, &digits].concat(), verb, out);
}

fn sign(is_negative: bool, verb: Verb) -> &'static str {
    match is_negative {
        true => "-",
        false if verb.plus => "+",
        false if verb.space => " ",
        false => "",
    }
}

/// Appends a double by a verb for doubles.
pub(super) fn put_double(n: f64, verb: Verb, out: &mut String) {
    if !n.is_finite() {
        let text = match n {
            n if n.is_nan() && verb.plus => "+NaN",
            n if n.is_nan() && verb.space => " NaN",
            n if n.is_nan() => "NaN",
            n if n < 0.0 => "-Inf",
            _ if verb.space && !verb.plus => " Inf",
            _ => "+Inf",
        };
        return pad(text, verb, out);
    }
    let size = n.abs();
    let digits = match verb.letter {
        'f' | 'F' => format!("{size:.*}", verb.precision.unwrap_or(6)),
        'e' | 'E' => with_exponent(&format!("{size:.*e}", verb.precision.unwrap_or(6))),
        _ => general(size, verb),
    };
    let digits = match verb.letter {
        'E' | 'G' => digits.to_uppercase(),
        _ => digits,
    };
    let sign = sign(n.is_sign_negative(), verb);
    let least = if verb.zero {
        verb.width.saturating_sub(sign.len())
    } else {
        0
    };
    let zeros = "0".repeat(least.saturating_sub(digits.len()));
    pad(&[sign, &zeros, &digits].concat(), verb, out);
}

/// Rust's `1.5e-7` as `1.5e-07`.
fn with_exponent(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// The shortest digits, or so many, with an exponent where that is small or large.
fn general(size: f64, verb: Verb) -> String {
    let precision = verb.precision.map(|precision| precision.max(1));
    let scientific = match precision {
        Some(precision) => format!("{size:.*e}", precision - 1),
        None => format!("{size:e}"),
    };
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = match digits.contains('.') && !verb.sharp {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    };
    let significant = digits.bytes().filter(u8::is_ascii_digit).count();
    let most = match precision {
        // A number of fewer digits than are asked for has its exponent by its own.
        Some(precision) => match i32::try_from(significant) {
            Ok(n) if precision > significant && n > exponent => n,
            _ => i32::try_from(precision).unwrap_or(i32::MAX),
        },
        None => 6,
    };
    if exponent < -4 || exponent >= most {
        return with_exponent(&format!("{digits}e{exponent}"));
    }
    let after = i32::try_from(significant).unwrap_or_default() - 1 - exponent;
    format!("{size:.*}", usize::try_from(after).unwrap_or_default())
}
