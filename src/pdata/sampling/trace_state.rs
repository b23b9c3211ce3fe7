/*!
W3C trace state with OpenTelemetry's member, `ot=rv:…;th:…`: read, changed and written as the Collector does it
(`pkg/sampling`), without copying.

What is not about sampling is kept as it is, behind `ot`. A state that is wrong is wrong as a whole, but what of it
could be read stays, since one kind of sampler writes it again.
*/

use super::threshold::{Randomness, Threshold};
use std::fmt::Write;

const MOST_BYTES: usize = 1024;
const MOST_OTEL_BYTES: usize = 256;
/// Members, empty ones among them, are fewer.
const END_OF_MEMBERS: usize = 32;

/// A trace state; `is_wrong` where it is not as it should be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TraceState<'a> {
    randomness: Option<(Randomness, Option<&'a str>)>,
    threshold: Option<(Threshold, Option<&'a str>)>,
    /// Members, those that are kept among them.
    members: &'a str,
    /// OpenTelemetry's own.
    otel: &'a str,
    pub(crate) is_wrong: bool,
}

impl<'a> TraceState<'a> {
    /// Reads a state.
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut state = Self::default();
        if text.len() > MOST_BYTES || !split(text, ',').map(trim).all(is_member) {
            state.is_wrong = true;
            return state;
        }
        state.members = text;
        for (number, member) in split(text, ',').map(trim).enumerate() {
            if number + 1 >= END_OF_MEMBERS {
                state.is_wrong = true;
                break;
            }
            let Some((key, value)) = member.split_once('=') else {
                continue;
            };
            if !is_short(key) {
                state.is_wrong = true;
            } else if key == "ot" {
                state.read_otel(value);
            }
        }
        state
    }

    fn read_otel(&mut self, text: &'a str) {
        (self.randomness, self.threshold, self.otel) = (None, None, "");
        let is_member = |member: &str| {
            member.split_once(':').is_some_and(|(key, value)| {
                let first = key.starts_with(|c: char| c.is_ascii_lowercase());
                let key = key
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
                let value = value
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
                first && key && value
            })
        };
        if text.len() > MOST_OTEL_BYTES || text.ends_with(';') || !split(text, ';').all(is_member) {
            self.is_wrong = true;
            return;
        }
        self.otel = text;
        for (key, value) in split(text, ';').filter_map(|member| member.split_once(':')) {
            let is_read = match key {
                "rv" => {
                    self.randomness = Randomness::parse(value).map(|read| (read, Some(value)));
                    self.randomness.is_some()
                }
                "th" => {
                    self.threshold = Threshold::parse(value).map(|read| (read, Some(value)));
                    self.threshold.is_some()
                }
                _ => true,
            };
            self.is_wrong |= !is_read;
        }
    }

    pub(crate) fn randomness(&self) -> Option<Randomness> {
        self.randomness.map(|(randomness, _)| randomness)
    }

    pub(crate) fn set_randomness(&mut self, randomness: Randomness) {
        self.randomness = Some((randomness, None));
    }

    pub(crate) fn threshold(&self) -> Option<Threshold> {
        self.threshold.map(|(threshold, _)| threshold)
    }

    /// Raises the threshold. A lower one would claim items that were dropped before.
    pub(crate) fn raise_threshold(&mut self, threshold: Threshold) {
        if self.threshold().is_none_or(|before| before <= threshold) {
            self.threshold = Some((threshold, None));
        }
    }

    pub(crate) fn clear_threshold(&mut self) {
        self.threshold = None;
    }

    /// Appends the state.
    pub(crate) fn write(&self, out: &mut String) {
        let start = out.len();
        // Writing to a String does not fail.
        let put =
            |out: &mut String, key: &str, text: Option<&str>, value: &dyn std::fmt::Display| {
                out.push_str(if out.len() == start { "ot=" } else { ";" });
                let _ = match text {
                    Some(text) => write!(out, "{key}:{text}"),
                    None => write!(out, "{key}:{value}"),
                };
            };
        if let Some((randomness, text)) = &self.randomness {
            put(out, "rv", *text, randomness);
        }
        if let Some((threshold, text)) = self.threshold.filter(|(t, _)| *t != Threshold::NEVER) {
            put(out, "th", text, &threshold);
        }
        for (key, value) in split(self.otel, ';').filter_map(|member| member.split_once(':')) {
            if !matches!(key, "rv" | "th") {
                put(out, key, Some(value), &"");
            }
        }
        let members = split(self.members, ',').map(trim).take(END_OF_MEMBERS - 1);
        for (key, value) in members.filter_map(|member| member.split_once('=')) {
            if key == "ot" || !is_short(key) {
                continue;
            }
            if out.len() > start {
                out.push(',');
            }
            let _ = write!(out, "{key}={value}");
        }
    }
}

/// The parts of a text; of the empty text there is none, nor is there one behind a separator
/// at the end.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split_terminator(separator)
}

fn trim(member: &str) -> &str {
    member.trim_matches([' ', '\t'])
}

/// Returns true if a member has the characters that it may have; it may be empty.
fn is_member(member: &str) -> bool {
    if member.is_empty() {
        return true;
    }
    let Some((key, value)) = member.split_once('=') else {
        return false;
    };
    let is_letter = |c: char| c.is_ascii_lowercase();
    let is_letter_or_digit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let rest = |text: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/".contains(&b);
        text.bytes().skip(1).all(inner)
    };
    let is_key = match key.split_once('@') {
        Some((tenant, system)) => {
            tenant.starts_with(is_letter_or_digit)
                && system.starts_with(is_letter)
                && rest(tenant)
                && rest(system)
        }
        None => key.starts_with(is_letter) && rest(key),
    };
    let is_visible = |b: u8| matches!(b, 0x21..=0x2B | 0x2D..=0x3C | 0x3E..=0x7E);
    let is_value = (1..=256).contains(&value.len())
        && value.bytes().all(|b| b == b' ' || is_visible(b))
        && value.bytes().last().is_some_and(is_visible);
    is_key && is_value
}

fn is_short(key: &str) -> bool {
    let parts = key.split_once('@');
    key.len() <= 256
        && parts.is_none_or(|(tenant, system)| tenant.len() <= 241 && system.len() <= 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, change: impl FnOnce(&mut TraceState<'_>)) -> (bool, String) {
        let mut state = TraceState::parse(text);
        change(&mut state);
        let mut out = String::new();
        state.write(&mut out);
        (state.is_wrong, out)
    }

    #[test]
    fn states_are_read_and_written_as_the_collector_does_it() {
        for (text, is_wrong, expected) in [
            ("", false, ""),
            ("a=1,b=2", false, "a=1,b=2"),
            (" a=1 ,\t, b=2 3,", false, "a=1,b=2 3"),
            ("a=1,ot=th:c", false, "ot=th:c,a=1"),
            (
                "ot=th:C;x:Y;rv:0123456789ABcd",
                false,
                "ot=rv:0123456789ABcd;th:C;x:Y",
            ),
            (
                "ot=th:c,ot=rv:00000000000001",
                false,
                "ot=rv:00000000000001",
            ),
            ("t0@sys=1", false, "t0@sys=1"),
            ("ot=", true, ""),
            ("ot=th:", true, ""),
            ("ot=th:g,a=1", true, "a=1"),
            ("ot=th:c;rv:1,a=1", true, "ot=th:c,a=1"),
            ("ot=th:c;,a=1", true, "a=1"),
            ("ot=th:c;;rv:1", true, ""),
            ("ot=X:1", true, ""),
            ("A=1", true, ""),
            ("a", true, ""),
            ("a=", true, ""),
            ("a=b=c", true, ""),
            ("a=é", true, ""),
            ("1a=1", true, ""),
        ] {
            assert_eq!(
                written(text, |_| {}),
                (is_wrong, expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let members = |count: usize| vec!["a=1"; count].join(",");
        assert!(!TraceState::parse(&members(31)).is_wrong);
        assert!(TraceState::parse(&members(32)).is_wrong);
        let long = |len: usize| format!("a={},b={}", "v".repeat(256), "v".repeat(len));
        assert!(!TraceState::parse(&long(256)).is_wrong);
        assert!(TraceState::parse(&long(257)).is_wrong);
        let key = "k".repeat(257);
        let (is_wrong, out) = written(&format!("{key}=1,b=2"), |_| {});
        assert_eq!((is_wrong, out.as_str()), (true, "b=2"));
        let otel = format!("ot=x:{}", "v".repeat(254));
        assert!(!TraceState::parse(&otel).is_wrong);
        assert!(TraceState::parse(&format!("{otel}v")).is_wrong);
        assert!(TraceState::parse(&format!("{}@s=1", "t".repeat(242))).is_wrong);
        assert!(TraceState::parse(&format!("t@{}=1", "s".repeat(15))).is_wrong);
    }

    #[test]
    fn thresholds_only_rise() {
        let of = |text: &str, threshold: &str| {
            let threshold = Threshold::parse(threshold).unwrap_or(Threshold::NEVER);
            written(text, |state| state.raise_threshold(threshold)).1
        };
        assert_eq!(of("", "8"), "ot=th:8");
        assert_eq!(of("ot=th:4", "8"), "ot=th:8");
        assert_eq!(of("ot=th:C0", "c"), "ot=th:c");
        assert_eq!(of("ot=th:C0", "8"), "ot=th:C0");
        assert_eq!(of("ot=x:1,a=1", "0"), "ot=th:0;x:1,a=1");
    }
}
