/*!
Which label names the app.

Kiali (`config.GetAppLabelName`) takes the first of three labels that is there,
or the one label its configuration names. Istio (`pkg/kube/labels`) has the
same three for the canonical name, and the workload after them.
*/

use super::{Labels, PodRecord};

/// How a Kiali finds the app in labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AppLabels {
    /// The first that is there of `service.istio.io/canonical-name`,
    /// `app.kubernetes.io/name` and `app`.
    #[default]
    Canonical,
    /// One label and no other (`istio_labels.app_label_name`).
    Only(String),
}

impl AppLabels {
    /// The labels that name an app to somebody, in the order in which Istio and Kiali look.
    pub(crate) const CANONICAL: [&str; 3] = [
        "service.istio.io/canonical-name",
        "app.kubernetes.io/name",
        "app",
    ];

    /// Returns the app. A label without a value hides those after it, as in
    /// Kiali.
    pub(crate) fn of<'a>(&self, labels: &'a Labels) -> Option<&'a str> {
        let found = match self {
            Self::Canonical => first(labels),
            Self::Only(name) => labels.get(name).map(String::as_str),
        };
        found.filter(|app| !app.is_empty())
    }
}

/// Returns what Istio calls the canonical service of a Pod.
pub(super) fn canonical_name(pod: &PodRecord) -> &str {
    first(&pod.labels)
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| pod.workload())
}

/// Returns the waypoint that an object's labels ask for by name.
pub(crate) fn waypoint_label(labels: &Labels) -> Option<&str> {
    let name = labels.get("istio.io/use-waypoint").map(String::as_str);
    name.filter(|name| !matches!(*name, "" | "none"))
}

fn first(labels: &Labels) -> Option<&str> {
    AppLabels::CANONICAL
        .iter()
        .find_map(|name| labels.get(*name))
        .map(String::as_str)
}
