/*!
Values that may be of any type: what a key gets that takes "any value".

A plain scalar is typed as the Collector's YAML reader does it, which is neither YAML 1.1 nor 1.2:
`0123` is 83, `1_000` is 1000, `yes` is a text. A date is refused, as it is there.
*/

use super::{
    node::{Node, NodeValue, Scalar},
    value::{At, ValueType},
};

/// A value of any type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RawValue {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<RawValue>),
    /// With its keys in the order of the file.
    Map(Vec<(String, RawValue)>),
}

impl ValueType for RawValue {
    fn kind() -> String {
        "any value".to_owned()
    }

    fn read(at: &At<'_>) -> Result<Self, String> {
        raw(at.node)
    }
}

fn raw(node: &Node) -> Result<RawValue, String> {
    match &node.value {
        NodeValue::Scalar(scalar) => typed(scalar),
        NodeValue::List(items) => items
            .iter()
            .map(raw)
            .collect::<Result<_, _>>()
            .map(RawValue::List),
        NodeValue::Map(entries) => {
            let pair = |(key, node): &(String, Node)| Ok((key.clone(), raw(node)?));
            let pairs: Result<_, String> = entries.iter().map(pair).collect();
            pairs.map(RawValue::Map)
        }
    }
}

fn typed(scalar: &Scalar) -> Result<RawValue, String> {
    let text = scalar.text.as_str();
    if !scalar.plain {
        return Ok(RawValue::Text(text.to_owned()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(RawValue::Null),
        "true" | "True" | "TRUE" => return Ok(RawValue::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(RawValue::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Ok(RawValue::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Ok(RawValue::Float(f64::INFINITY));
        }
        "-.inf" | "-.Inf" | "-.INF" => return Ok(RawValue::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    let is_numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if is_numeric {
        if is_date(text) {
            return Err(format!(
                "{text} is a date, which no attribute can be: write \"{text}\" for the text"
            ));
        }
        if let Some(number) = number(text) {
            return Ok(number);
        }
    }
    Ok(RawValue::Text(text.to_owned()))
}

fn number(text: &str) -> Option<RawValue> {
    let plain = match text.starts_with('.') {
        true => text.to_owned(),
        false => text.replace('_', ""),
    };
    if let Some(int) = integer(&plain) {
        return Some(RawValue::Int(int));
    }
    let digits = plain.trim_start_matches(['+', '-']);
    let is_float = digits.contains(|c: char| c.is_ascii_digit())
        && (digits.chars()).all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    let float: f64 = is_float.then(|| plain.parse().ok())??;
    float.is_finite().then_some(RawValue::Float(float))
}

/// Reads an integer with the prefixes of Go: `0x`, `0o`, `0b`, and `0` for octal. One that
/// only fits 64 bits without a sign becomes negative, as an attribute does there.
fn integer(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (lower.get(2..)?, 16),
        [b'0', b'o', ..] => (lower.get(2..)?, 8),
        [b'0', b'b', ..] => (lower.get(2..)?, 2),
        [b'0', _, ..] => (lower.get(1..)?, 8),
        _ => (lower.as_str(), 10),
    };
    // The standard library would take a second sign.
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    match is_negative {
        true => i64::try_from(-i128::from(value)).ok(),
        false => Some(value.cast_signed()),
    }
}

/// Returns true for `2006-1-2`, alone or with a time of day.
fn is_date(text: &str) -> bool {
    let number = |part: &str, lengths: std::ops::RangeInclusive<usize>, most: u32| {
        lengths.contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse::<u32>().is_ok_and(|n| n <= most)
    };
    let (day, time) = match text.find(['T', 't', ' ']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let day: Vec<_> = day.split('-').collect();
    let &[year, month, day] = &day[..] else {
        return false;
    };
    let is_day = number(year, 4..=4, 9999)
        && number(month, 1..=2, 12)
        && number(day, 1..=2, 31)
        && !month.trim_start_matches('0').is_empty()
        && !day.trim_start_matches('0').is_empty();
    if !is_day || time.is_empty() {
        return is_day;
    }
    let zoned = !time.starts_with(' ');
    let time = time.get(1..).unwrap_or_default();
    let end = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(end);
    let clock: Vec<_> = clock.split(':').collect();
    let &[hour, minute, second] = &clock[..] else {
        return false;
    };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let is_zone = match zone.as_bytes() {
        b"Z" => zoned,
        [b'+' | b'-', rest @ ..] => zoned && rest.len() == 5 && rest.get(2) == Some(&b':'),
        [] => !zoned,
        _ => false,
    };
    number(hour, 1..=2, 23)
        && number(minute, 1..=2, 59)
        && number(second, 1..=2, 59)
        && number(fraction, 1..=9, u32::MAX)
        && is_zone
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn scalars_are_typed_as_the_collector_does_it() {
        use RawValue::{Bool, Float, Int, Null};
        let text = |text: &str| RawValue::Text(text.to_owned());
        for (written, expected) in [
            ("", Null),
            ("~", Null),
            ("True", Bool(true)),
            ("yes", text("yes")),
            ("12", Int(12)),
            ("+12", Int(12)),
            ("-12", Int(-12)),
            ("0123", Int(83)),
            ("089", Float(89.0)),
            ("0o17", Int(15)),
            ("0x1F", Int(31)),
            ("0b101", Int(5)),
            ("-0b101", Int(-5)),
            ("1_000", Int(1000)),
            ("9223372036854775808", Int(i64::MIN)),
            ("18446744073709551616", Float(18_446_744_073_709_551_616.0)),
            ("1.50", Float(1.5)),
            (".5", Float(0.5)),
            ("1e3", Float(1000.0)),
            ("1.2.3", text("1.2.3")),
            ("1e", text("1e")),
            ("+-1", text("+-1")),
            ("-.inf", Float(f64::NEG_INFINITY)),
            ("infinity", text("infinity")),
            ("5s", text("5s")),
            ("2006-13-01", text("2006-13-01")),
        ] {
            assert_eq!(typed(&Scalar::plain(written)), Ok(expected), "{written}");
        }
        for date in [
            "2006-01-02",
            "2006-1-2",
            "2006-01-02T15:04:05Z",
            "2006-01-02 15:04:05.5",
        ] {
            assert!(typed(&Scalar::plain(date)).is_err(), "{date}");
        }
        for zone in ["2006-01-02T15:04:05", "2006-01-02 15:04:05Z", "2006-01-02x"] {
            assert_eq!(typed(&Scalar::plain(zone)), Ok(text(zone)), "{zone}");
        }
    }
}
