/*! Texts, labels and numbers, as Prometheus' text format and OpenMetrics have them. */

use std::fmt::{self, Display, Write};

/// The content type of the text format.
pub(crate) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Appends a label to those that stand in `labels` already.
pub(crate) fn put_label(name: &str, value: &str, labels: &mut String) {
    if !labels.is_empty() {
        labels.push(',');
    }
    // Writing to a String does not fail.
    let _ = write!(labels, "{name}=\"{}\"", Escaped(value, true));
}

/// A text with what ends lines, and in a value what ends that, escaped.
pub(crate) struct Escaped<'a>(pub(crate) &'a str, pub(crate) bool);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '"' if self.1 => f.write_str("\\\"")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A number as Go writes it; in OpenMetrics, if that is set, never as an integer.
pub(crate) struct Number(pub(crate) f64, pub(crate) bool);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, is_open) = *self;
        if value.is_nan() {
            return f.write_str("NaN");
        }
        if value.is_infinite() {
            return f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
        let scientific = format!("{value:e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if value != 0.0 && !(-4..6).contains(&exponent) {
            let sign = if exponent < 0 { '-' } else { '+' };
            return write!(f, "{mantissa}e{sign}{:02}", exponent.abs());
        }
        write!(f, "{value}")?;
        if is_open && value.fract() == 0.0 {
            f.write_str(".0")?;
        }
        Ok(())
    }
}
