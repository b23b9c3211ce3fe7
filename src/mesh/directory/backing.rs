/*!
Which Pods stand behind a Service, and what they agree on.

Replicas have the same labels, so selectors are held against the distinct sets
of labels of a namespace, found by the rarest pair of the selector: a namespace
with thousands of Services and Pods costs thousands of steps and not their
product. The same steps tell which Services stand before a Pod or an app
([`Fronts`]).
*/

use super::{
    AppLabels, Labels, PodPhase, PodRecord, ServiceRecord,
    labels::{canonical_name, waypoint_label},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// A Service with what its Pods agree on.
#[derive(Clone, Debug)]
pub(super) struct Backed {
    pub(crate) record: Arc<ServiceRecord>,
    /// The app label that all have.
    pub(crate) app: Option<Box<str>>,
    /// Every app label that any has, in order.
    pub(crate) apps: Vec<Box<str>>,
    /// Every waypoint that the labels of any ask for, in order.
    pub(crate) waypoints: Vec<Box<str>>,
    /// The canonical name that all have.
    pub(crate) canonical: Option<Box<str>>,
    /// The workloads that own them, in order.
    pub(crate) workloads: Vec<Box<str>>,
}

/// The Pods of one namespace that may serve, by their labels.
pub(super) struct Sets<'a> {
    labels: &'a AppLabels,
    sets: Vec<(&'a Labels, Vec<&'a PodRecord>)>,
    by_pair: HashMap<&'a str, HashMap<&'a str, Vec<usize>>>,
}

impl<'a> Sets<'a> {
    pub(crate) fn new(pods: &'a [Arc<PodRecord>], labels: &'a AppLabels) -> Self {
        let mut sets: Vec<(&Labels, Vec<&PodRecord>)> = Vec::new();
        let mut known: HashMap<*const Labels, usize> = HashMap::new();
        for pod in pods.iter().filter(|pod| pod.phase != PodPhase::Finished) {
            let at = *known.entry(Arc::as_ptr(&pod.labels)).or_insert_with(|| {
                sets.push((&pod.labels, Vec::new()));
                sets.len() - 1
            });
            sets[at].1.push(pod);
        }
        let mut by_pair: HashMap<&str, HashMap<&str, Vec<usize>>> = HashMap::new();
        for (at, (labels, _)) in sets.iter().enumerate() {
            for (key, value) in *labels {
                let values = by_pair.entry(key).or_default();
                values.entry(value).or_default().push(at);
            }
        }
        Self {
            labels,
            sets,
            by_pair,
        }
    }

    /// Finds what stands behind each Service of the namespace.
    pub(crate) fn back(&self, services: Vec<Arc<ServiceRecord>>) -> (Vec<Backed>, Fronts) {
        let mut fronts = Fronts::default();
        let backed = services.into_iter().enumerate().map(|(at, record)| {
            let sets = self.selected(&record.selector);
            for (labels, _) in &sets {
                fronts.add(labels, self.labels.of(labels), at);
            }
            let pods = sets.iter().flat_map(|(_, pods)| pods.iter().copied());
            self.backed(record, pods)
        });
        (backed.collect(), fronts)
    }

    fn backed<'p>(
        &self,
        record: Arc<ServiceRecord>,
        pods: impl Iterator<Item = &'p PodRecord>,
    ) -> Backed {
        let (mut app, mut canonical) = (Agreed::default(), Agreed::default());
        let (mut apps, mut workloads) = (BTreeSet::new(), BTreeSet::new());
        let mut waypoints = BTreeSet::new();
        for pod in pods {
            let own = self.labels.of(&pod.labels);
            app.hear(own);
            apps.extend(own);
            canonical.hear(Some(canonical_name(pod)));
            workloads.insert(pod.workload());
            waypoints.extend(waypoint_label(&pod.labels));
        }
        Backed {
            app: app.word(),
            waypoints: waypoints.into_iter().map(Into::into).collect(),
            apps: apps.into_iter().map(Into::into).collect(),
            canonical: canonical.word(),
            workloads: workloads.into_iter().map(Into::into).collect(),
            record,
        }
    }

    fn selected(&self, selector: &Labels) -> Vec<&(&'a Labels, Vec<&'a PodRecord>)> {
        let with = selector.iter().map(|(key, value)| self.with(key, value));
        let rarest = with.min_by_key(|sets| sets.len()).unwrap_or_default();
        let has_all = |labels: &Labels| selector.iter().all(|(k, v)| labels.get(k) == Some(v));
        let sets = rarest.iter().map(|at| &self.sets[*at]);
        sets.filter(|(labels, _)| has_all(labels)).collect()
    }

    /// Returns the sets that have a label.
    fn with(&self, key: &str, value: &str) -> &[usize] {
        let values = self.by_pair.get(key);
        let sets = values.and_then(|values| values.get(value));
        sets.map_or(&[], Vec::as_slice)
    }
}

/// The Services in front of Pods, by their places in the namespace's list.
#[derive(Clone, Debug, Default)]
pub(super) struct Fronts {
    /// By the address of the Pods' set of labels, which the directory keeps.
    by_labels: HashMap<usize, Vec<usize>>,
    by_app: HashMap<Box<str>, Vec<usize>>,
}

impl Fronts {
    fn add(&mut self, labels: &Labels, app: Option<&str>, service: usize) {
        let of_labels = self.by_labels.entry(address(labels)).or_default();
        of_labels.push(service);
        let Some(app) = app else { return };
        let of_app = self.by_app.entry(app.into()).or_default();
        // Services come in order, so that a second time is the next time.
        if of_app.last() != Some(&service) {
            of_app.push(service);
        }
    }

    /// Returns those in front of the Pods with this very set of labels.
    pub(crate) fn of_labels(&self, labels: &Labels) -> &[usize] {
        let found = self.by_labels.get(&address(labels));
        found.map_or(&[], Vec::as_slice)
    }

    /// Returns those in front of any Pod of an app.
    pub(crate) fn of_app(&self, app: &str) -> &[usize] {
        self.by_app.get(app).map_or(&[], Vec::as_slice)
    }
}

fn address(labels: &Labels) -> usize {
    std::ptr::from_ref(labels).addr()
}

/// What all say, if they say the same.
#[derive(Default)]
enum Agreed<'a> {
    #[default]
    Nothing,
    On(&'a str),
    Differ,
}

impl<'a> Agreed<'a> {
    fn hear(&mut self, word: Option<&'a str>) {
        *self = match (&self, word) {
            (Self::Nothing, Some(word)) => Self::On(word),
            (Self::On(seen), Some(word)) if *seen == word => Self::On(seen),
            _ => Self::Differ,
        }
    }

    fn word(self) -> Option<Box<str>> {
        match self {
            Self::On(word) => Some(word.into()),
            Self::Nothing | Self::Differ => None,
        }
    }
}
