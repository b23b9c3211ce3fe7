/*!
The account in words: a paragraph for each distinct span, and what the pages make of all.

Spans of one hop read the same but for their ids, so they share a paragraph, which names
the first.
*/

use super::account::{Account, Change, ExplainedSpan, Explanation, Found};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

/// Prints an account.
pub(super) struct Words<'a>(pub(super) &'a Account);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.0;
        writeln!(f, "For {}: {}.", account.kiali, account.naming)?;
        if let Some(until) = account.until {
            writeln!(f, "{until}.")?;
        }
        let mut numbers: HashMap<&Explanation, usize> = HashMap::new();
        let mut distinct: Vec<(&ExplainedSpan, usize)> = Vec::new();
        for span in &account.spans {
            let number = *numbers.entry(&span.explanation).or_insert(distinct.len());
            match distinct.get_mut(number) {
                Some((_, count)) => *count += 1,
                None => distinct.push((span, 1)),
            }
        }
        for (span, count) in &distinct {
            write!(
                f,
                "\n{}",
                Paragraph {
                    span,
                    count: *count
                }
            )?;
        }
        let pages = account.pages;
        writeln!(
            f,
            "\nOf {} that these spans concern, {} find them as emitted, {} now.",
            counted(pages.all, "page"),
            pages.as_emitted,
            pages.now
        )
    }
}

struct Paragraph<'a> {
    span: &'a ExplainedSpan,
    count: usize,
}

impl fmt::Display for Paragraph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (span, what) = (self.span, &self.span.explanation);
        let name = match &*what.name {
            "" => "(without a name)",
            name => name,
        };
        writeln!(f, "{}: {name}", what.hop)?;
        let more = match self.count {
            1 => String::new(),
            count => format!(", and {} like it", count - 1),
        };
        line(
            f,
            "span",
            &format!("{} of {}{more}", span.span_id, span.trace_id),
        )?;
        line(f, "sees", &pairs(&what.sees))?;
        if let Some(to) = &what.destination {
            let namespace = to.namespace.as_deref().unwrap_or("none");
            let text = format!(
                "app {}, service {}, namespace {namespace}",
                to.app, to.service
            );
            line(f, "went to", &text)?;
        }
        line(f, "named", &change(&what.service_name))?;
        line(f, "by", what.rule)?;
        if let Some(name) = &what.span_name {
            line(f, "renamed", name)?;
        }
        if what.status_becomes_error {
            line(f, "status", "becomes ERROR, as its attribute `error` says")?;
        }
        line(f, "adds", &pairs(&what.adds))?;
        line(f, "resource", &pairs(&what.adds_to_resource))?;
        for marker in &what.markers {
            let text = format!("{} as {}", marker.span_name, marker.service_name);
            line(f, "marker", &text)?;
        }
        if what.pages.is_empty() {
            line(f, "pages", "none finds it by its name")?;
        }
        for found in &what.pages {
            let how = match (found.as_emitted, found.now) {
                (true, Found::BySpan) => "as before",
                (false, Found::BySpan) => "only now",
                (true, Found::ByMarker) => "as before, now by its marker",
                (false, Found::ByMarker) => "only now, by its marker",
                (_, Found::No) => "only as emitted",
            };
            line(f, "page", &format!("{}, {how}", found.page))?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, title: &str, text: &str) -> fmt::Result {
    match text {
        "" => Ok(()),
        text => writeln!(f, "  {title:<9}{text}"),
    }
}

fn pairs(pairs: &BTreeMap<impl fmt::Display, String>) -> String {
    let pairs = pairs.iter().map(|(key, text)| format!("{key}={text}"));
    pairs.collect::<Vec<_>>().join(", ")
}

fn change(name: &Change) -> String {
    let or_none = |name: &str| match name {
        "" => "(nothing)".to_owned(),
        name => name.to_owned(),
    };
    match name.emitted == name.now {
        true => format!("{}, as it was emitted", or_none(&name.now)),
        false => format!("{} -> {}", or_none(&name.emitted), or_none(&name.now)),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
