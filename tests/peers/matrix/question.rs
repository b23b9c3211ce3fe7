//! A page asked for in Jaeger, as one Kiali asks.
//!
//! Idea: the search is Jaeger's own answer; what Kiali then does with it is
//! `wayspan::mesh::pages`. The other reading of Kiali, `crate::kiali`, is held
//! against it wherever both know the page.

use crate::jaeger::{Jaeger, Search};
use crate::kiali::{self, Kiali};
use crate::trace::Trace;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;
use wayspan::mesh::model::Span;
use wayspan::mesh::pages::{self, Page, PageKind, Question};
use wayspan::mesh::{self, Version, key};

pub const WAYPOINT: &str = "waypoint";

/// Kiali in the words of the `mesh` processor.
fn described(kiali: &Kiali) -> mesh::Kiali {
    let (major, minor) = kiali.version;
    mesh::Kiali {
        version: Version::new(major.try_into().unwrap(), minor.try_into().unwrap()),
        namespace_selector: kiali.namespace_selector,
        use_waypoint_name: kiali.use_waypoint_name,
        ..mesh::Kiali::default()
    }
}

pub fn id(page: &Page) -> String {
    let kind = match page.kind {
        PageKind::App => "app",
        PageKind::Service => "service",
        PageKind::Workload => "workload",
    };
    format!("{kind} {}", page.name)
}

/// The pages that a request through bookinfo concerns.
pub fn busy(ambient: bool) -> Vec<Page> {
    pages::bookinfo(ambient.then_some(WAYPOINT))
}

/// Pages of what nobody called: an app, and second versions behind the
/// services that were called.
pub fn idle(ambient: bool) -> Vec<Page> {
    let page =
        |kind, name, app| Page::plain(kind, name, app, "bookinfo", ambient.then_some(WAYPOINT));
    vec![
        page(PageKind::App, "details", "details"),
        page(PageKind::Service, "details", "details"),
        page(PageKind::Workload, "details-v1", "details"),
        page(PageKind::Workload, "productpage-v2", "productpage"),
        page(PageKind::Workload, "reviews-v2", "reviews"),
    ]
}

/// A trace in both readings.
struct Answered {
    trace: Trace,
    spans: Vec<Span>,
}

/// Asks for the spans of one replay. Pages that ask for the same name share
/// Jaeger's answer.
pub struct Asker<'a> {
    jaeger: &'a Jaeger,
    cluster: &'a str,
    window: (i64, i64),
    /// How many spans each of its traces has.
    spans: RangeInclusive<usize>,
    answers: HashMap<String, Vec<Answered>>,
    /// Whether the other reading of Kiali knows the labels of the mesh.
    other_knows: bool,
}

impl<'a> Asker<'a> {
    pub fn new(
        jaeger: &'a Jaeger,
        cluster: &'a str,
        window: (i64, i64),
        spans: RangeInclusive<usize>,
    ) -> Self {
        Self {
            jaeger,
            cluster,
            window,
            spans,
            answers: HashMap::new(),
            other_knows: true,
        }
    }

    /// The other reading of Kiali knows bookinfo's own labels alone.
    pub fn with_other_labels(self) -> Self {
        Self {
            other_knows: false,
            ..self
        }
    }

    /// The ids of the traces that a page shows.
    pub fn shows(&mut self, kiali: &Kiali, page: &Page) -> BTreeSet<String> {
        let question = Question::new(&described(kiali), self.cluster, page);
        let tags = &question.tags;
        let tags: Vec<_> = tags.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let (jaeger, window) = (self.jaeger, self.window);
        let asked = question.service_name.clone();
        let answer = self.answers.entry(asked).or_insert_with_key(|service| {
            let limit = 100;
            let search = Search {
                service,
                tags: &tags,
                limit,
            };
            match jaeger.find_between(&search, window) {
                Ok(traces) => traces.into_iter().map(Answered::new).collect(),
                // Jaeger refuses an empty name; the page is then an error message.
                Err(error) => {
                    assert!(service.is_empty(), "Jaeger refused {service:?}: {error}");
                    Vec::new()
                }
            }
        });
        let ambient = !page.waypoints.is_empty() || page.name == WAYPOINT;
        let other = kiali::pages(ambient)
            .into_iter()
            .find(|other| self.other_knows && other.id() == id(page));
        if let Some(other) = &other {
            assert_eq!(kiali.asked(other), question.service_name, "{kiali:?}");
        }
        let mut shown = BTreeSet::new();
        for Answered { trace, spans } in answer {
            let count = spans.len();
            assert!(self.spans.contains(&count), "trace {}: {count}", trace.id);
            let kept = question.keeps(spans);
            if let Some(other) = &other {
                assert_eq!(kiali.keeps(other, trace), kept, "{kiali:?} {}", id(page));
            }
            if kept {
                let listed = question.lists(spans).count();
                assert!(listed > 0, "{kiali:?} {}: no span", id(page));
                shown.insert(trace.id.clone());
            }
        }
        shown
    }
}

impl Answered {
    fn new(trace: Trace) -> Self {
        let text = |(key, value): (&String, &Value)| {
            (key.clone(), value.as_str().unwrap_or_default().to_owned())
        };
        let spans = trace.spans.iter().map(|span| Span {
            name: span.operation.clone(),
            resource: std::iter::once((key::SERVICE_NAME.to_owned(), span.service.clone()))
                .chain(span.process_tags.iter().map(text))
                .collect(),
            attributes: span.tags.iter().map(text).collect(),
            ..Span::default()
        });
        Self {
            spans: spans.collect(),
            trace,
        }
    }
}
