//! What `/metrics` says.
//!
//! One look-up, with the meaning of PromQL: `name{label="value"}` takes every
//! sample of exactly that name which has all the labels that are given, with
//! exactly those values; the answer is the sum of the samples.

use crate::web;
use std::{io, time::Duration};

/// A page in Prometheus' text format.
#[derive(Debug)]
pub struct Page(String);

/// A line of a page.
#[derive(Debug, PartialEq)]
pub struct Sample<'a> {
    pub name: &'a str,
    /// Values as they are written, escapes included.
    labels: Vec<(&'a str, &'a str)>,
    pub value: f64,
}

impl Sample<'_> {
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| *label == name);
        found.map(|(_, value)| *value)
    }
}

impl Page {
    /// The page that is served on this port of 127.0.0.1.
    pub fn fetch(port: u16) -> io::Result<Self> {
        Ok(Self(web::get(port, "/metrics", &[])?.body))
    }

    /// The same, where each read has so much time.
    pub fn fetch_within(patience: Duration, port: u16) -> io::Result<Self> {
        Ok(Self(web::get_within(patience, port, "/metrics", &[])?.body))
    }

    /// A page that was fetched by other means.
    pub fn of(text: String) -> Self {
        Self(text)
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn samples(&self) -> impl Iterator<Item = Sample<'_>> {
        let lines = self.0.lines();
        let samples = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series_of(series);
            Sample {
                name,
                labels,
                value: value.parse().expect("a number"),
            }
        })
    }

    /// The sum of the samples that `selector` takes; None if it takes none.
    pub fn sum(&self, selector: &str) -> Option<f64> {
        let (name, wanted) = series_of(selector);
        let taken = |sample: &Sample| {
            let has = |(label, value): &(&str, &str)| sample.label(label) == Some(*value);
            sample.name == name && wanted.iter().all(has)
        };
        let values: Vec<f64> = self.samples().filter(taken).map(|s| s.value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

/// The name and the labels of `name{label="value",…}`.
fn series_of(text: &str) -> (&str, Vec<(&str, &str)>) {
    let Some((name, mut rest)) = text.split_once('{') else {
        return (text, Vec::new());
    };
    let mut labels = Vec::new();
    while rest != "}" {
        let (label, quoted) = rest.split_once("=\"").expect("a label");
        let end = end_of_value(quoted);
        labels.push((label, &quoted[..end]));
        rest = &quoted[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (name, labels)
}

/// Where the closing quote is.
fn end_of_value(quoted: &str) -> usize {
    let mut escaped = false;
    let end = quoted.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.expect("a closing quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page(
            "# TYPE spans counter\n\
             spans{exporter=\"a\",to=\"x, \\\"y}\"} 1\n\
             spans{exporter=\"a\",to=\"z\"} 2\n\
             spans{exporter=\"b\"} 4\n\
             spans_total 8\n"
                .to_owned(),
        )
    }

    #[test]
    fn a_selector_sums_the_samples_that_have_its_labels() {
        for (selector, sum) in [
            ("spans", Some(7.0)),
            ("spans{}", Some(7.0)),
            ("spans{exporter=\"a\"}", Some(3.0)),
            ("spans{to=\"z\",exporter=\"a\"}", Some(2.0)),
            ("spans{to=\"x, \\\"y}\"}", Some(1.0)),
            ("spans_total", Some(8.0)),
        ] {
            assert_eq!(page().sum(selector), sum, "{selector}");
        }
    }

    #[test]
    fn neither_a_part_of_a_name_nor_another_value_is_found() {
        for selector in ["span", "spans{exporter=\"c\"}", "spans_total{a=\"b\"}"] {
            assert_eq!(page().sum(selector), None, "{selector}");
        }
    }
}
