/*!
What a Kiali asks for the pages of the namespaces that are looked at. Pure.
*/

use super::{
    facts::{Facts, kiali::KialiConfig},
    pages::{KnownPage, pages},
};
use crate::mesh::{
    Kiali, Scheme,
    pages::{Page, PageKind, PageRole, Question},
};

/// A page and its question.
pub(super) struct Asked {
    pub(super) page: Page,
    pub(super) question: Question,
    /// The names that it would search for if somebody else's word for the app were Kiali's.
    pub(super) otherwise: Vec<String>,
}

/// Pages that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Apps,
    Services,
    Workloads,
    Gateways,
    Waypoints,
}

impl Group {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Apps => "apps",
            Self::Services => "services",
            Self::Workloads => "workloads",
            Self::Gateways => "gateways",
            Self::Waypoints => "waypoints",
        }
    }
}

impl Asked {
    fn new(kiali: &Kiali, cluster: &str, known: KnownPage) -> Self {
        let question = Question::new(kiali, cluster, &known.page);
        let mut otherwise = Vec::new();
        for word in &known.other_words {
            let mut page = known.page.clone().labelled(word);
            page.first_service = page.first_service.map(|_| word.clone());
            let name = Question::new(kiali, cluster, &page).service_name;
            if name != question.service_name && !otherwise.contains(&name) {
                otherwise.push(name);
            }
        }
        Self {
            page: known.page,
            question,
            otherwise,
        }
    }

    /// The service name that is searched for.
    pub(super) fn name(&self) -> &str {
        &self.question.service_name
    }

    /// Returns what the page is of: `service bookinfo/reviews`.
    pub(super) fn title(&self) -> String {
        let page = &self.page;
        page.titled(&format!("{}/{}", page.namespace, page.name))
    }

    pub(super) fn group(&self) -> Group {
        match (self.page.role, self.page.kind) {
            (PageRole::Gateway, _) => Group::Gateways,
            (PageRole::Waypoint, _) => Group::Waypoints,
            (PageRole::Plain, PageKind::App) => Group::Apps,
            (PageRole::Plain, PageKind::Service) => Group::Services,
            (PageRole::Plain, PageKind::Workload) => Group::Workloads,
        }
    }

    /// Returns true where Kiali has no name to search for: the object lacks the label that
    /// names the app.
    pub(super) fn is_nameless(&self) -> bool {
        let name = self.name();
        name.is_empty() || name.starts_with('.')
    }

    /// Returns true for the page of a gateway's Service, which Kialis ask for by names that
    /// no span has, whatever is set up.
    pub(super) fn is_hopeless(&self) -> bool {
        let is_service = self.page.kind == PageKind::Service;
        let is_gateways = is_service && self.page.role == PageRole::Gateway;
        is_gateways && (self.is_nameless() || !self.page.waypoints.is_empty())
    }
}

/// Returns the questions of all pages.
pub(super) fn asked(facts: &Facts, config: &KialiConfig) -> Vec<Asked> {
    let trust = facts.kubernetes.mesh_config.got();
    let trust = trust.map_or("", |config| &*config.trust_domain);
    let kiali = config.kiali(trust);
    let cluster = cluster(facts, config);
    let scheme = Scheme::new(&kiali);
    let known = pages(facts, scheme.app_labels()).into_iter();
    known
        .map(|page| Asked::new(&kiali, &cluster, page))
        .collect()
}

/// Returns what Kiali calls the cluster.
pub(super) fn cluster(facts: &Facts, config: &KialiConfig) -> String {
    match config.cluster_name.is_empty() {
        true => istiods_cluster(facts),
        false => config.cluster_name.clone(),
    }
}

/// Returns what istiod calls the cluster.
pub(super) fn istiods_cluster(facts: &Facts) -> String {
    let mut istiods = facts.kubernetes.istiods.list().iter();
    let id = istiods.find_map(|pod| pod.variable("CLUSTER_ID"));
    id.unwrap_or("Kubernetes").to_owned()
}
