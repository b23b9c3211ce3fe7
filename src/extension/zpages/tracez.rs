/*!
`/debug/tracez`: the spans that pass, by service: emitted name, name now, tags, errors.

Looking opens the tap for some seconds; before the first look nothing was kept. With
`format=json` and `after=N` it is the stream that `wayspan tap` reads.
*/

use super::{
    AboutService, HTML,
    html::{Escaped, frame},
    recent::{Recent, SeenSpan, SeenSpans},
    watch::Watch,
};
use crate::telemetry::http::PageAnswer;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

/// How long one look at the page holds the tap open, beyond which nobody looks any more.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so many seconds a browser looks again.
const REFRESH: u32 = 2;
/// The most spans on the page.
const LISTED: usize = 100;

/// What the page remembers.
#[derive(Debug, Default)]
pub(super) struct Tracez {
    watch: Watch,
    recent: RefCell<Recent>,
}

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    is_json: bool,
    after: u64,
    service: Option<String>,
    errors: bool,
}

impl Tracez {
    /// Looks, and answers.
    pub(super) fn answer(&self, query: &str, about: &AboutService) -> PageAnswer {
        let query = Query::parse(query);
        self.watch.hold(&about.tap, PATIENCE);
        let mut recent = self.recent.borrow_mut();
        recent.take_in(about);
        if !query.is_json {
            let page = frame("Spans", Some(REFRESH), &body(&recent, &query, about));
            return (StatusCode::OK, HTML, page);
        }
        let seen = SeenSpans {
            last: recent.last(),
            missed: about.tap.missed(),
            spans: recent
                .after(query.after)
                .filter(|span| query.wants(span))
                .collect(),
        };
        match serde_json::to_string(&seen) {
            Ok(text) => (StatusCode::OK, "application/json", text),
            Err(error) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                (status, "text/plain", format!("{error}\n"))
            }
        }
    }
}

impl Query {
    /// Reads a query; what is not known is left aside.
    fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for pair in text.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "format" => query.is_json = value == "json",
                "after" => query.after = value.parse().unwrap_or(0),
                "errors" => query.errors = value != "false",
                "service" => {
                    let plain = value.replace('+', " ");
                    let decoded = percent_decode_str(&plain).decode_utf8_lossy();
                    query.service = Some(decoded.into_owned());
                }
                _ => {}
            }
        }
        query
    }

    fn wants(&self, span: &SeenSpan) -> bool {
        let service = self.service.as_ref();
        (!self.errors || span.error) && service.is_none_or(|name| *name == span.service)
    }
}

/// What is said of a service.
#[derive(Default)]
struct Row<'a> {
    spans: usize,
    errors: usize,
    emitted: BTreeSet<&'a str>,
}

fn body(recent: &Recent, query: &Query, about: &AboutService) -> String {
    let mut services: BTreeMap<&str, Row<'_>> = BTreeMap::new();
    for span in recent.after(0) {
        let row = services.entry(&span.service).or_default();
        row.spans += 1;
        row.errors += usize::from(span.error);
        row.emitted.insert(&span.emitted);
    }
    let mut body = format!(
        "<p>Spans are kept while this page is open, the last {LISTED} are listed, and {} \
         found no room. <a href=\"/debug/tracez\">All</a> \
         <a href=\"/debug/tracez?errors=true\">Errors</a></p>\
         <h2>By service</h2><table><tr><th>Name now</th><th>Emitted as</th>\
         <th>Spans</th><th>Errors</th></tr>",
        about.tap.missed()
    );
    for (service, row) in services {
        let emitted: Vec<&str> = row.emitted.into_iter().collect();
        let _ = write!(
            body,
            "<tr><td><a href=\"/debug/tracez?service={}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td></tr>",
            utf8_percent_encode(service, NON_ALPHANUMERIC),
            Escaped(or_none(service)),
            Escaped(&emitted.join(", ")),
            row.spans,
            row.errors
        );
    }
    body.push_str(
        "</table><h2>Latest</h2><table><tr><th>Emitted as → now</th><th>Span</th>\
         <th>Named by</th><th>Pages that ask for it</th><th>Tags</th></tr>",
    );
    let listed = recent.after(0).rev().filter(|span| query.wants(span));
    for span in listed.take(LISTED) {
        put(span, &mut body);
    }
    body.push_str("</table>");
    body
}

fn put(span: &SeenSpan, body: &mut String) {
    let class = if span.error { " class=\"error\"" } else { "" };
    let to = span.destination.as_deref().map(|to| format!(" to {to}"));
    let _ = write!(
        body,
        "<tr{class}><td>{} → <b>{}</b><br><small>{}</small></td>\
         <td>{}<br><small>{}{}, {} of {}</small></td><td>{}</td><td>{}</td><td><details>\
         <summary>{} tags</summary>",
        Escaped(or_none(&span.emitted)),
        Escaped(or_none(&span.service)),
        Escaped(&span.pipeline),
        Escaped(or_none(&span.name)),
        Escaped(&span.hop),
        Escaped(to.as_deref().unwrap_or_default()),
        span.span_id,
        span.trace_id,
        Escaped(&span.rule),
        Escaped(&span.pages.join(", ")),
        span.attributes.len()
    );
    for (key, text) in &span.attributes {
        let _ = write!(body, "{}={}<br>", Escaped(key), Escaped(text));
    }
    body.push_str("</details></td></tr>");
}

fn or_none(text: &str) -> &str {
    match text {
        "" => "(none)",
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read() {
        let service = |name: &str| Some(name.to_owned());
        for (text, want) in [
            ("", Query::default()),
            (
                "format=json&after=12",
                Query {
                    is_json: true,
                    after: 12,
                    ..Query::default()
                },
            ),
            (
                "errors&service=a%20b+c&other=1&after=x",
                Query {
                    errors: true,
                    service: service("a b c"),
                    ..Query::default()
                },
            ),
            (
                "service=%ff&errors=false",
                Query {
                    service: service("\u{fffd}"),
                    ..Query::default()
                },
            ),
        ] {
            assert_eq!(Query::parse(text), want, "{text}");
        }
    }
}
