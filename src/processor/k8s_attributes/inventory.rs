/*!
The Pods of the cluster, filed by what they may be known by, and what owns them.

An [`Inventory`] never changes. Its [`Keeper`] builds another on the watcher's thread when
objects have changed. Pods that are gone stay known for a while, since their last
items are still on the way; where two claim an identifier, the one that is there goes
before one that is gone, and the later before the earlier.
*/

use super::{
    association::Associations,
    owners::{Owners, Table},
    pod,
    rules::{IGNORE, Rules},
    synced::Synced,
};
use crate::mesh::{
    Current,
    directory::{KnownObjects, PodDetails, PodPhase, PodRecord},
    watch::ObjectFollower,
};
use regex::Regex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What is known at one moment.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pods: Table<Box<[u8]>, FiledPod>,
    /// What Pods are owned by, and where they are.
    pub(super) owners: Owners,
}

#[derive(Debug)]
struct FiledPod {
    pod: Arc<PodRecord>,
    /// Nothing is to be said of it.
    is_ignored: bool,
    is_gone: bool,
}

impl Inventory {
    /// Returns the Pod with this identifier, unless it is to be left alone.
    pub(super) fn pod(&self, identifier: &[u8]) -> Option<&PodRecord> {
        let filed = self.pods.get(identifier)?;
        (!filed.is_ignored).then_some(&*filed.pod)
    }

    /// Returns how many identifiers there are.
    pub(super) fn len(&self) -> usize {
        self.pods.len()
    }

    fn file(&mut self, pod: &Arc<PodRecord>, is_gone: bool, filing: &Filing) {
        let Some(details) = pod.details.as_deref() else {
            return;
        };
        let owners = &self.owners;
        let other = |name: &str| pod::attributes(pod, details, &filing.rules, owners).remove(name);
        let is_ignored = filing.ignores(pod, details);
        let pods = &mut self.pods;
        filing
            .associations
            .identifiers(pod, details, &other, &mut |identifier| {
                let filed = FiledPod {
                    pod: Arc::clone(pod),
                    is_ignored,
                    is_gone,
                };
                match pods.get_mut(identifier) {
                    Some(known) if known.rank() >= filed.rank() => {}
                    Some(known) => *known = filed,
                    None => drop(pods.insert(identifier.into(), filed)),
                }
            });
    }
}

impl FiledPod {
    /// Of two Pods with one identifier, the one of the higher rank has it.
    fn rank(&self) -> Option<(bool, bool, &str, &str, &str)> {
        let details = self.pod.details.as_deref()?;
        let serves = self.pod.phase != PodPhase::Finished;
        let PodDetails {
            started,
            created,
            uid,
            ..
        } = details;
        Some((!self.is_gone, serves, started, created, uid))
    }
}

/// How Pods are filed.
#[derive(Clone, Debug, Default)]
pub(super) struct Filing {
    /// What is said of them.
    pub(super) rules: Rules,
    /// What they are known by.
    pub(super) associations: Associations,
    /// Names of those that are left alone.
    pub(super) excluded: Vec<Regex>,
    /// How long one that is gone stays known.
    pub(super) grace: Duration,
}

impl Filing {
    fn ignores(&self, pod: &PodRecord, details: &PodDetails) -> bool {
        let asked = details.annotations.get(IGNORE);
        asked.is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
            || self.excluded.iter().any(|name| name.is_match(&pod.name))
    }
}

/// Keeps an inventory up to date.
#[derive(Debug)]
pub(super) struct Keeper {
    filing: Filing,
    current: Current<Inventory>,
    synced: Synced,
    objects: KnownObjects,
    /// Pods that are there, by UID.
    known: Table<String, Arc<PodRecord>>,
    /// Those that were there, and since when they are not.
    gone: Table<String, (Arc<PodRecord>, Instant)>,
}

impl Keeper {
    /// A keeper of `current`, which tells `synced` once all Pods are known.
    pub(super) fn new(filing: Filing, current: Current<Inventory>, synced: Synced) -> Self {
        Self {
            filing,
            current,
            synced,
            objects: KnownObjects::default(),
            known: Table::default(),
            gone: Table::default(),
        }
    }

    fn take(&mut self, objects: &KnownObjects, now: Instant) {
        let uid = |pod: &Arc<PodRecord>| {
            let uid = pod.details.as_ref().map(|details| details.uid.clone());
            uid.filter(|uid| !uid.is_empty())
        };
        let pods = objects.pods.iter();
        let pods = pods.filter_map(|pod| Some((uid(pod)?, Arc::clone(pod))));
        let before = std::mem::replace(&mut self.known, pods.collect());
        if !self.filing.grace.is_zero() {
            for (uid, pod) in before {
                if !self.known.contains_key(&uid) {
                    self.gone.insert(uid, (pod, now));
                }
            }
        }
        self.gone.retain(|uid, _| !self.known.contains_key(uid));
        self.objects = objects.clone();
    }

    /// Forgets Pods whose time is over; whether there were any.
    fn expire(&mut self, now: Instant) -> bool {
        let (before, grace) = (self.gone.len(), self.filing.grace);
        self.gone
            .retain(|_, (_, since)| now.saturating_duration_since(*since) < grace);
        self.gone.len() != before
    }

    fn build(&self) -> Inventory {
        let mut inventory = Inventory {
            pods: Table::default(),
            owners: Owners::of(&self.objects),
        };
        for pod in &self.objects.pods {
            inventory.file(pod, false, &self.filing);
        }
        for (pod, _) in self.gone.values() {
            inventory.file(pod, true, &self.filing);
        }
        inventory
    }

    /// As [`ObjectFollower::follow`], at a given time.
    pub(super) fn follow_at(&mut self, objects: Option<&KnownObjects>, now: Instant) {
        if let Some(objects) = objects {
            self.take(objects, now);
        }
        let expired = self.expire(now);
        if objects.is_some() || expired {
            self.current.replace(self.build());
        }
        if self.objects.pods_are_listed {
            self.synced.tell();
        }
    }
}

impl ObjectFollower for Keeper {
    fn follow(&mut self, objects: Option<&KnownObjects>) {
        self.follow_at(objects, Instant::now());
    }
}
