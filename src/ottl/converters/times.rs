/*! Converters of times and durations. */

use super::{OTHER, calendar::Calendar, strptime};
use crate::ottl::{
    EvalError,
    calls::Called,
    compile::expression::Call,
    given::Given,
    value::{Time, Value},
};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn call<'v>(call: &'v Call, with: Given<'v, '_>) -> Result<Value<'v>, EvalError> {
    let time = || with.required(call, 0)?.time();
    let duration = || with.required(call, 0)?.duration();
    let calendar = || -> Result<Calendar, EvalError> { Ok(Calendar::of(time()?)) };
    let nanos = || -> Result<i64, EvalError> { Ok(time()?.nanos) };
    let int = |n: u32| Value::Int(i64::from(n));
    Ok(match call.function.is {
        Called::Now => Value::Time(Time::utc(now())),
        Called::Time => {
            let (text, format) = (with.string(call, 0)?, call.text(1).unwrap_or_default());
            Value::Time(strptime::parse(text, format, now())?)
        }
        Called::FormatTime => {
            let (time, format) = (time()?, call.text(1).unwrap_or_default());
            Value::Str((with.arena).build_text(|out| strptime::write(time, format, out))?)
        }
        Called::TruncateTime => {
            let (time, duration) = (time()?, with.required(call, 1)?.duration()?);
            Value::Time(Time {
                nanos: truncate(time.nanos, duration),
                ..time
            })
        }
        Called::Duration => Value::Duration(parse(with.string(call, 0)?)?),
        Called::Unix => {
            let seconds = with.required(call, 0)?.int()?;
            let nanos = with.argument(call, 1)?.map_or(Ok(0), Value::int)?;
            let nanos = seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos);
            Value::Time(Time::utc(nanos))
        }
        Called::UnixNano => Value::Int(nanos()?),
        Called::UnixMicro => Value::Int(nanos()?.div_euclid(1_000)),
        Called::UnixMilli => Value::Int(nanos()?.div_euclid(1_000_000)),
        Called::UnixSeconds => Value::Int(nanos()?.div_euclid(1_000_000_000)),
        Called::Year => Value::Int(calendar()?.year),
        Called::Month => int(calendar()?.month),
        Called::Day => int(calendar()?.day),
        Called::Weekday => int(calendar()?.weekday),
        Called::Hour => int(calendar()?.hour),
        Called::Minute => int(calendar()?.minute),
        Called::Second => int(calendar()?.second),
        Called::Nanosecond => int(calendar()?.nanosecond),
        Called::Nanoseconds => Value::Int(duration()?),
        Called::Microseconds => Value::Int(duration()? / 1_000),
        Called::Milliseconds => Value::Int(duration()? / 1_000_000),
        Called::Seconds => Value::Double(in_units(duration()?, 1_000_000_000)),
        Called::Minutes => Value::Double(in_units(duration()?, 60_000_000_000)),
        Called::Hours => Value::Double(in_units(duration()?, 3_600_000_000_000)),
        _ => return Err(OTHER),
    })
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// The last multiple of a duration before a time, counted, as in Go, from the year 1.
fn truncate(nanos: i64, duration: i64) -> i64 {
    const YEAR_ONE: i128 = -62_135_596_800_000_000_000;
    if duration <= 0 {
        return nanos;
    }
    let since = i128::from(nanos) - YEAR_ONE;
    let rest = since.rem_euclid(i128::from(duration));
    i64::try_from(i128::from(nanos) - rest).unwrap_or(nanos)
}

/// Whole units and the rest apart, so that whole numbers stay exact.
fn in_units(nanos: i64, unit: i64) -> f64 {
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

/// Reads a duration as Go writes it: `-1h2m3.5s`.
fn parse(text: &str) -> Result<i64, EvalError> {
    const WRONG: EvalError = EvalError::new("the string is no duration such as 1m30s");
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(WRONG);
    }
    let (mut whole, mut parts) = (0_i64, 0.0);
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or(WRONG)?;
        let (number, after) = rest.split_at(end);
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(WRONG),
        };
        let (int, fraction) = number.split_once('.').unwrap_or((number, ""));
        if int.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(WRONG);
        }
        let int: i64 = if int.is_empty() {
            0
        } else {
            int.parse().map_err(|_| WRONG)?
        };
        let scaled = int.checked_mul(unit).and_then(|n| whole.checked_add(n));
        whole = scaled.ok_or(WRONG)?;
        if !fraction.is_empty() {
            let fraction: f64 = format!("0.{fraction}").parse().map_err(|_| WRONG)?;
            parts += fraction * unit as f64;
        }
        rest = after;
    }
    let nanos = whole.checked_add(parts as i64).ok_or(WRONG)?;
    Ok(if sign < 0.0 { -nanos } else { nanos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanos) in [
            ("1s", 1_000_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("1h2m3.5s", 3_723_500_000_000),
            ("7us", 7_000),
            ("0", 0),
            (".5ms", 500_000),
        ] {
            assert_eq!(parse(text), Ok(nanos), "{text}");
        }
        for text in ["", "1", "s", ".s", "1d", "1..2s", "9999999999h", "1s2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
