/*!
The account of a capture: for each span what the rules see in it, what they decided, and
which pages find it, as it was emitted and as it goes out.

A trace is asked about once for each page whose name one of its spans bears, so the work
grows with the spans and the few pages that each of them may answer.
*/

use crate::{
    mesh::{
        Knowledge, MeshSettings, VALUES, decide, key,
        model::Span,
        pages::{self, Question},
    },
    pdata::number::ShowHex,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What is printed.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    /// The naming in force.
    pub(super) naming: String,
    /// The Kiali whose pages are asked, in its own words.
    pub(super) kiali: String,
    /// What may change the naming while the processor runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<&'static str>,
    /// The spans, in the capture's order.
    pub(super) spans: Vec<ExplainedSpan>,
    /// How many of the pages that the spans concern find a trace: as emitted, now, and all.
    pub(super) pages: PageCounts,
}

/// Counts of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct PageCounts {
    pub(super) as_emitted: usize,
    pub(super) now: usize,
    pub(super) all: usize,
}

/// A span.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedSpan {
    pub(super) trace_id: String,
    pub(super) span_id: String,
    #[serde(flatten)]
    pub(super) explanation: Explanation,
}

/// What there is to say of a span, its ids aside: spans of one hop have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(super) struct Explanation {
    pub(super) name: String,
    pub(super) hop: &'static str,
    /// The attributes that the rules read, with the service name.
    pub(super) sees: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) destination: Option<To>,
    pub(super) rule: &'static str,
    pub(super) service_name: Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) span_name: Option<String>,
    pub(super) status_becomes_error: bool,
    pub(super) adds: BTreeMap<String, String>,
    pub(super) adds_to_resource: BTreeMap<String, String>,
    pub(super) markers: Vec<Marker>,
    pub(super) pages: Vec<FoundBy>,
}

/// Where the request went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(super) struct To {
    pub(super) app: String,
    pub(super) service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
}

/// A name before and after.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(super) struct Change {
    pub(super) emitted: String,
    pub(super) now: String,
}

/// A further name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(super) struct Marker {
    pub(super) service_name: String,
    pub(super) span_name: String,
}

/// A page that finds the span.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub(super) struct FoundBy {
    pub(super) page: String,
    pub(super) asks_for: String,
    pub(super) as_emitted: bool,
    pub(super) now: Found,
}

/// How a page finds a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Found {
    BySpan,
    ByMarker,
    No,
}

/// A span with what becomes of it.
struct Decided {
    now: Span,
    markers: Vec<Span>,
}

impl Account {
    /// Explains `spans` by the settings of a `mesh` processor.
    pub(super) fn of(spans: &[Span], settings: &MeshSettings) -> Self {
        let knowledge = Knowledge::of(settings);
        let mut explained = Vec::new();
        let mut all = Vec::new();
        for span in spans {
            let (decided, explanation) = explain(span, settings, &knowledge);
            all.push(decided);
            explained.push(ExplainedSpan {
                trace_id: ShowHex(&span.trace_id).to_string(),
                span_id: ShowHex(&span.span_id).to_string(),
                explanation,
            });
        }
        let pages = find(spans, &all, settings, &mut explained);
        let kiali = &settings.kiali;
        Self {
            naming: knowledge.scheme.describe(),
            kiali: format!(
                "Kiali {} (namespace_selector {}, use_waypoint_name {})",
                kiali.version, kiali.namespace_selector, kiali.use_waypoint_name
            ),
            until: settings.follow.is_some().then_some(
                "The naming holds until the processor has read Kiali's own configuration, which this does not do",
            ),
            spans: explained,
            pages,
        }
    }
}

/// Decides about a span.
fn explain(span: &Span, settings: &MeshSettings, knowledge: &Knowledge) -> (Decided, Explanation) {
    let facts = span.facts();
    let verdict = decide(&facts, settings, knowledge);
    let mut now = verdict.applied_to(span);
    for (key, text) in &settings.tags {
        if span.tag(key).is_none() && span.resource_tag(key).is_none() {
            now.attributes.push((key.clone(), text.clone()));
        }
    }
    let markers = verdict.markers_of(&now);
    let seen = VALUES.into_iter().filter_map(|key| {
        let text = span.tag(key)?;
        Some((key, text.to_owned()))
    });
    let mut sees: BTreeMap<_, _> = seen.collect();
    if let (None, Some(kin), true) = (facts.node_id, &span.kin, facts.depends_on_kin()) {
        let whose = match kin.is_parent {
            true => "node_id of its parent",
            false => "node_id of another span",
        };
        sees.insert(whose, kin.node_id.clone());
    }
    for key in [key::SERVICE_NAME, key::ORIGINAL_SERVICE_NAME] {
        if let Some(text) = span.resource_tag(key) {
            sees.insert(key, text.to_owned());
        }
    }
    let added = |from: &[(String, String)], to: &[(String, String)], except: &[&str]| {
        let is_new = |(key, _): &&(String, String)| {
            !except.contains(&key.as_str()) && !from.iter().any(|(old, _)| old == key)
        };
        to.iter()
            .filter(is_new)
            .cloned()
            .collect::<BTreeMap<_, _>>()
    };
    let explanation = Explanation {
        name: span.name.clone(),
        hop: verdict.class.as_str(),
        sees,
        destination: verdict.destination.map(|to| To {
            app: to.app.to_owned(),
            service: to.service.to_owned(),
            namespace: to.namespace.map(str::to_owned),
        }),
        rule: verdict.rule.describe(),
        service_name: Change {
            emitted: span.service_name().to_owned(),
            now: now.service_name().to_owned(),
        },
        span_name: verdict.span_name.clone(),
        status_becomes_error: verdict.error,
        adds: added(&span.attributes, &now.attributes, &[]),
        adds_to_resource: added(&span.resource, &now.resource, &[key::SERVICE_NAME]),
        markers: markers
            .iter()
            .map(|marker| Marker {
                service_name: marker.service_name().to_owned(),
                span_name: marker.name.clone(),
            })
            .collect(),
        pages: Vec::new(),
    };
    (Decided { now, markers }, explanation)
}

/// Adds to each span the pages that find it, and returns how many find any.
fn find(
    emitted: &[Span],
    decided: &[Decided],
    settings: &MeshSettings,
    explained: &mut [ExplainedSpan],
) -> PageCounts {
    let out: Vec<Span> = decided.iter().map(|one| one.now.clone()).collect();
    let pages = pages::concerned(&out);
    let question = |page| Question::new(&settings.kiali, &settings.cluster_id, page);
    let questions: Vec<Question> = pages.iter().map(question).collect();
    let stored = |owner, span, by| Stored { owner, span, by };
    let before = emitted.iter().enumerate();
    let before = before.map(|(owner, span)| stored(owner, span, Found::BySpan));
    let after = decided.iter().enumerate().flat_map(|(owner, one)| {
        let markers = one.markers.iter();
        let markers = markers.map(move |marker| stored(owner, marker, Found::ByMarker));
        [stored(owner, &one.now, Found::BySpan)]
            .into_iter()
            .chain(markers)
    });
    let (before, after) = (hits(before, &questions), hits(after, &questions));
    let both: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    for at in both {
        let (owner, page) = at;
        if let (Some(span), Some(page), Some(question)) = (
            explained.get_mut(owner),
            pages.get(page),
            questions.get(page),
        ) {
            span.explanation.pages.push(FoundBy {
                page: format!("{} ({})", page.title(), page.namespace),
                asks_for: question.service_name.clone(),
                as_emitted: before.contains_key(&at),
                now: after.get(&at).copied().unwrap_or(Found::No),
            });
        }
    }
    let found = |hits: &Hits| {
        hits.keys()
            .map(|(_, page)| page)
            .collect::<HashSet<_>>()
            .len()
    };
    PageCounts {
        as_emitted: found(&before),
        now: found(&after),
        all: pages.len(),
    }
}

/// A span in Jaeger, and whose it is.
#[derive(Clone, Copy)]
struct Stored<'a> {
    /// The number of the span that it is, or is a marker of.
    owner: usize,
    span: &'a Span,
    by: Found,
}

/// How pages find spans: by the numbers of the span and of the page.
type Hits = BTreeMap<(usize, usize), Found>;

/// Asks all pages about what is stored. A page finds a span where Jaeger answers its
/// question with the span's trace because of the span, and the page keeps the trace.
fn hits<'a>(stored: impl Iterator<Item = Stored<'a>>, questions: &[Question]) -> Hits {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (page, question) in questions.iter().enumerate() {
        by_name
            .entry(&question.service_name)
            .or_default()
            .push(page);
    }
    let mut traces: HashMap<&[u8], Vec<Stored<'_>>> = HashMap::new();
    for one in stored {
        traces.entry(&one.span.trace_id).or_default().push(one);
    }
    let mut hits = Hits::new();
    for trace in traces.values() {
        let spans: Vec<&Span> = trace.iter().map(|one| one.span).collect();
        let names: BTreeSet<&str> = spans.iter().map(|span| span.service_name()).collect();
        let asking = names.iter().filter_map(|name| by_name.get(name)).flatten();
        for page in asking.copied() {
            let Some(question) = questions.get(page).filter(|q| q.keeps_among(&spans)) else {
                continue;
            };
            for one in trace.iter().filter(|one| question.matches(one.span)) {
                let by = hits.entry((one.owner, page)).or_insert(one.by);
                *by = one.by.min(*by);
            }
        }
    }
    hits
}
