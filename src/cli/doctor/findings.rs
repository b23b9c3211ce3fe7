/*!
What was found for each page of Kiali: the name that it asks for, what Jaeger holds, and so
whether it shows traces. Pure.
*/

use super::{
    asked::{Asked, asked},
    check::{Inconclusive, known},
    facts::{
        Facts,
        jaeger::{JaegerAddress, Recent, Shown},
        kiali::KialiConfig,
    },
    istio,
    nearest::{self, Mismatch, Wanted},
};
use crate::mesh::pages::PageRole;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What was found for a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Finding<'a> {
    /// Kiali shows traces of late.
    Shown,
    /// Jaeger holds the name, and whether with spans of late was not found out.
    Held,
    /// Jaeger holds the name, and no spans of late.
    Quiet,
    /// Spans of late have the name, and none goes to what the page is of.
    OfOthers,
    /// Spans have the name and lack the tags of the question.
    Untagged,
    /// The same, and they are of this cluster.
    OfCluster(&'a str),
    /// Traces of what the page is of come back, and Kiali's filter drops them.
    Dropped,
    /// Jaeger holds a name that is nearly the one that is asked for.
    Near(Mismatch, &'a str),
    /// Jaeger holds no name like it.
    Absent,
    /// Kiali has no name to ask for.
    Nameless,
}

/// A page with what was found for it.
pub(super) struct FoundPage<'a> {
    pub(super) asked: Asked,
    pub(super) finding: Finding<'a>,
}

/// What checks of names look at, once all is known.
pub(super) struct Seen<'a> {
    pub(super) config: &'a KialiConfig,
    pub(super) address: &'a JaegerAddress,
    /// All pages but those that no Kiali finds.
    pub(super) pages: Vec<FoundPage<'a>>,
    /// Those.
    pub(super) hopeless: Vec<FoundPage<'a>>,
}

impl<'a> Seen<'a> {
    /// Returns the pages of which something was found.
    pub(super) fn with(
        &self,
        test: impl Fn(&Finding<'a>) -> bool,
    ) -> impl Iterator<Item = &FoundPage<'a>> {
        let pages = self.pages.iter();
        pages.filter(move |page| test(&page.finding))
    }
}

/// Returns what was found for all pages.
pub(super) fn seen(facts: &Facts) -> Result<Seen<'_>, Inconclusive> {
    let all = known(&facts.kialis)?;
    let config = all.first().ok_or(Inconclusive::NotApplicable)?;
    if config.asks_tempo() {
        return Err(Inconclusive::NotApplicable);
    }
    let mut addresses = facts.jaegers.iter();
    let found = addresses.find_map(|address| Some((address, address.services()?)));
    // That nothing could be asked, Jaeger's own checks have said.
    let (address, held) = found.ok_or(Inconclusive::NotApplicable)?;
    let mut all: Vec<FoundPage<'_>> = asked(facts, config)
        .into_iter()
        .map(|asked| FoundPage {
            finding: finding(&asked, address),
            asked,
        })
        .collect();
    look_near(facts, address, held, &mut all);
    let is_hopeless =
        |page: &FoundPage<'_>| page.asked.is_hopeless() && page.finding != Finding::Shown;
    let (hopeless, pages): (Vec<_>, Vec<_>) = all.into_iter().partition(is_hopeless);
    match pages.is_empty() {
        true => Err(Inconclusive::NotApplicable),
        false => Ok(Seen {
            config,
            address,
            pages,
            hopeless,
        }),
    }
}

/// Says of pages that have no spans by their names whether nearly the same names have some.
///
/// Where a name is held, but without anything of the page, that counts only if no page of the
/// namespace has anything: names of one scheme do not make those of another wrong.
fn look_near<'a>(
    facts: &Facts,
    address: &JaegerAddress,
    held: &'a [String],
    all: &mut [FoundPage<'a>],
) {
    let is_live = |name: &&'a str| address.recent.get(*name) != Some(&Recent::None);
    let live: Vec<&str> = held.iter().map(String::as_str).filter(is_live).collect();
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    let served: BTreeSet<String> = all
        .iter()
        .filter(|page| page.asked.page.role == PageRole::Plain)
        .filter(|page| matches!(page.finding, Finding::Shown | Finding::Held))
        .map(|page| page.asked.page.namespace.clone())
        .collect();
    let mut waypoints: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for page in all {
        let namespace = &page.asked.page.namespace;
        let among = match page.finding {
            Finding::Absent => &held,
            Finding::Quiet | Finding::OfOthers if !served.contains(namespace) => &live,
            _ => continue,
        };
        let waypoints = match waypoints.get(namespace) {
            Some(known) => known,
            None => waypoints
                .entry(namespace.clone())
                .or_insert_with(|| istio::waypoint_names(facts, namespace)),
        };
        if let Some((why, near)) = nearest::nearest(Wanted::of(&page.asked), among, waypoints) {
            page.finding = Finding::Near(why, near);
        }
    }
}

fn finding<'a>(asked: &Asked, address: &'a JaegerAddress) -> Finding<'a> {
    let name = asked.name();
    if asked.is_nameless() {
        return Finding::Nameless;
    }
    let mut held = address.services().unwrap_or_default().iter();
    if !held.any(|one| one == name) {
        return Finding::Absent;
    }
    match (address.recent.get(name), address.pages.get(&asked.title())) {
        (None, _) => Finding::Held,
        (Some(Recent::None), _) => Finding::Quiet,
        (Some(Recent::Untagged), _) => Finding::Untagged,
        (Some(Recent::OfCluster(cluster)), _) => Finding::OfCluster(cluster),
        (Some(Recent::Some), Some(Shown::Dropped)) => Finding::Dropped,
        (Some(Recent::Some), Some(Shown::OfOthers)) => Finding::OfOthers,
        (Some(Recent::Some), Some(Shown::Some) | None) => Finding::Shown,
    }
}

/// A page, for programs.
#[derive(Serialize)]
pub(super) struct PageAccount {
    page: String,
    asks: QuestionAccount,
    found: &'static str,
    /// The name or the cluster that there is in place of the one that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<String>,
}

#[derive(Serialize)]
struct QuestionAccount {
    service: String,
    tags: BTreeMap<&'static str, String>,
    /// What Kiali wants of the traces that come back.
    filters: Vec<String>,
}

/// Returns an account of every page; none where nothing could be asked.
pub(super) fn account(facts: &Facts) -> Vec<PageAccount> {
    let Ok(seen) = seen(facts) else {
        return Vec::new();
    };
    let all = seen.pages.into_iter().chain(seen.hopeless);
    all.map(|FoundPage { asked, finding }| {
        let (found, instead) = match finding {
            Finding::Shown => ("shown", None),
            Finding::Held => ("held", None),
            Finding::Quiet => ("none_of_late", None),
            Finding::OfOthers => ("of_others", None),
            Finding::Untagged => ("untagged", None),
            Finding::OfCluster(cluster) => ("other_cluster", Some(cluster)),
            Finding::Dropped => ("dropped", None),
            Finding::Near(why, near) => (why.word(), Some(near)),
            Finding::Absent => ("absent", None),
            Finding::Nameless => ("nameless", None),
        };
        PageAccount {
            page: asked.title(),
            found,
            instead: instead.map(str::to_owned),
            asks: QuestionAccount {
                filters: asked.question.wants().collect(),
                service: asked.question.service_name,
                tags: asked.question.tags.into_iter().collect(),
            },
        }
    })
    .collect()
}
