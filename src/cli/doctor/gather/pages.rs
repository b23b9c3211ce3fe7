/*!
Whether Jaeger has traces of late for the names that pages ask for, and what Kiali would make
of those: the searches are Kiali's, and the filters that it runs afterwards are
[`Question`](crate::mesh::pages::Question)'s. Of the traces that come back only what checks
want to know is kept.
*/

use super::{
    search::{Jaeger, Search},
    traces::Digest,
};
use crate::{
    cli::doctor::{
        asked::Asked,
        facts::{
            Failure,
            jaeger::{JaegerAddress, Recent, Shown},
        },
    },
    mesh::{
        key,
        model::Span,
        pages::{Page, concerned},
    },
    pdata::time::unix_nanos,
};
use futures_util::future::join_all;
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime},
};

/// How far back traces are looked for.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// The most names that are asked for.
const MOST_NAMES: usize = 200;
/// The fewest and the most traces that are asked for by one name; a name that many pages ask
/// for needs more until each page has had a chance.
const TRACES: (u32, u32) = (10, 100);
/// Searches that run at once.
const AT_ONCE: usize = 4;

type Tags = Vec<(String, String)>;

/// What a search for a name came to.
struct Found {
    recent: Recent,
    spans: Vec<Span>,
}

/// Searches for the names that are held, and looks at what comes back.
pub(in crate::cli::doctor) async fn ask(
    address: &mut JaegerAddress,
    asked: &[Asked],
    limit: Duration,
) {
    let Some(jaeger) = Jaeger::at(address, limit) else {
        return;
    };
    let held = address.services().unwrap_or_default();
    let mut by_name: BTreeMap<&str, Vec<&Asked>> = BTreeMap::new();
    for one in asked {
        if held.iter().any(|name| name == one.name()) {
            by_name.entry(one.name()).or_default().push(one);
        }
    }
    let names: Vec<(&str, Vec<&Asked>)> = by_name.into_iter().collect();
    address.unsearched = names.len().saturating_sub(MOST_NAMES);
    let mut digest = Digest::new(unix_nanos(SystemTime::now()));
    let names = names.get(..MOST_NAMES.min(names.len())).unwrap_or_default();
    for some in names.chunks(AT_ONCE) {
        let searches = some
            .iter()
            .map(|(name, pages)| search(&jaeger, name, pages));
        for ((name, pages), found) in some.iter().zip(join_all(searches).await) {
            match found {
                Ok(found) => {
                    digest.add(&found.spans);
                    if found.recent == Recent::Some {
                        judge(&found.spans, pages, &mut address.pages);
                    }
                    address.recent.insert((*name).to_owned(), found.recent);
                }
                Err(failure) => address.search_failure = Some(failure),
            }
        }
    }
    address.traces = digest.finish();
}

/// Searches as Kiali does, and without its tags where that finds nothing.
async fn search(jaeger: &Jaeger, name: &str, pages: &[&Asked]) -> Result<Found, Failure> {
    let (fewest, most) = TRACES;
    let wanted = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    let most = wanted.saturating_mul(2).clamp(fewest, most);
    let find = async |tags: &Tags, most| {
        let window = WINDOW;
        jaeger
            .find(Search {
                name,
                tags,
                window,
                most,
            })
            .await
    };
    // All questions of one Kiali have the same tags.
    let tags = pages.first().map(|one| &one.question.tags);
    let tags: Tags = tags
        .into_iter()
        .flatten()
        .map(|(key, text)| ((*key).to_owned(), text.clone()))
        .collect();
    let spans = find(&tags, most).await?;
    if !spans.is_empty() {
        let recent = Recent::Some;
        return Ok(Found { recent, spans });
    }
    let without = match tags.is_empty() {
        true => Vec::new(),
        false => find(&Tags::new(), fewest).await?,
    };
    let mut own = without.iter().filter(|span| span.service_name() == name);
    let recent = match without.is_empty() {
        true => Recent::None,
        false => own
            .find_map(|span| span.tag(key::CLUSTER_ID))
            .filter(|cluster| !cluster.is_empty())
            .map_or(Recent::Untagged, |cluster| {
                Recent::OfCluster(cluster.to_owned())
            }),
    };
    Ok(Found {
        recent,
        spans: without,
    })
}

/// Says of each page what Kiali would show of the traces that its search returned.
fn judge(spans: &[Span], pages: &[&Asked], shown: &mut BTreeMap<String, Shown>) {
    let mut traces: HashMap<&[u8], Vec<&Span>> = HashMap::new();
    for span in spans {
        traces.entry(&span.trace_id).or_default().push(span);
    }
    let going = concerned(spans);
    for one in pages {
        let is_kept = |trace: &Vec<&Span>| one.question.keeps_among(trace);
        let is_same = |other: &Page| {
            let page = &one.page;
            (other.kind, &other.name, &other.namespace) == (page.kind, &page.name, &page.namespace)
        };
        let result = match traces.values().any(is_kept) {
            true => Shown::Some,
            false if going.iter().any(is_same) => Shown::Dropped,
            false => Shown::OfOthers,
        };
        shown.insert(one.title(), result);
    }
}
