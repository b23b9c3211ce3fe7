/*!
Which Pods stand behind a Service, and what they agree on.

Replicas have the same labels, so selectors are held against the distinct sets
of labels of a namespace, found by the rarest pair of the selector: a namespace
with thousands of Services and Pods costs thousands of steps and not their
product.
*/

use super::{AppLabels, Labels, PodPhase, PodRecord, ServiceRecord, labels::canonical_name};
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

    /// Finds what stands behind a Service.
    pub(crate) fn back(&self, record: Arc<ServiceRecord>) -> Backed {
        let (mut app, mut canonical) = (Agreed::default(), Agreed::default());
        let mut workloads = BTreeSet::new();
        for pod in self.selected(&record.selector) {
            app.hear(self.labels.of(&pod.labels));
            canonical.hear(Some(canonical_name(pod)));
            workloads.insert(pod.workload());
        }
        Backed {
            app: app.word(),
            canonical: canonical.word(),
            workloads: workloads.into_iter().map(Into::into).collect(),
            record,
        }
    }

    fn selected(&self, selector: &Labels) -> Vec<&'a PodRecord> {
        let with = selector.iter().map(|(key, value)| self.with(key, value));
        let rarest = with.min_by_key(|sets| sets.len()).unwrap_or_default();
        let has_all = |labels: &Labels| selector.iter().all(|(k, v)| labels.get(k) == Some(v));
        let sets = rarest.iter().map(|at| &self.sets[*at]);
        sets.filter(|(labels, _)| has_all(labels))
            .flat_map(|(_, pods)| pods.iter().copied())
            .collect()
    }

    /// Returns the sets that have a label.
    fn with(&self, key: &str, value: &str) -> &[usize] {
        let values = self.by_pair.get(key);
        let sets = values.and_then(|values| values.get(value));
        sets.map_or(&[], Vec::as_slice)
    }
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
