/*!
Follows a Kiali's own configuration, so that names fit its questions after an
upgrade or a change of its settings.

- [`documents`] and [`answers`] say what each source says: pure;
- [`watch`] follows a ConfigMap or custom resource, [`poll`] asks Kiali;
- [`discover`] finds the Kiali of the cluster ([`found`]) and follows it in one of
  these ways;
- [`KialiFollower`] lays what was read under the keys of wayspan's file, puts the
  result in force, and tells the operator.

Reading may fail at any time and for any time: what was last known stays in
force, one line says why and what to do, one says that it is over.
*/

pub(crate) mod answers;
mod discover;
pub(crate) mod documents;
mod found;
mod object;
mod poll;
mod status;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use found::{ControlPlane, Kialis, cluster_id, find};
pub(crate) use poll::{KialiClient, KialiReply, KialiRequest};
pub(crate) use status::{KialiStatus, SchemeLabels};

use crate::mesh::{
    Current, Described, Follow, KialiEndpoint, KialiSource, KubernetesSettings, MeshSettings,
    ObjectName, Scheme, Version,
};
use documents::ReadDocument;
use futures_util::future;
use std::{cell::RefCell, sync::Arc};
use tokio::sync::watch::Receiver;

/// Follows the Kiali of one processor. Lives on one thread.
pub(crate) struct KialiFollower {
    processor: String,
    follow: Follow,
    kubernetes: KubernetesSettings,
    /// In force where neither Kiali nor wayspan's file names a cluster.
    cluster_id: String,
    current: Current,
    status: Arc<KialiStatus>,
    on_change: Box<dyn Fn(&SchemeLabels)>,
    /// Where its Kiali is read now.
    place: RefCell<Place>,
    learned: RefCell<Learned>,
}

/// Where something is read, for labels and for lines of the log.
struct Place {
    kind: &'static str,
    text: String,
}

impl Place {
    fn of(source: &KialiSource) -> Self {
        Self {
            kind: source.kind(),
            text: source.to_string(),
        }
    }
}

#[derive(Default)]
struct Learned {
    /// What Kiali said last.
    kiali: Described,
    /// The Kiali of the cluster that said it.
    of: Option<ObjectName>,
    /// The version that this Kiali's Pods have.
    version: Option<Version>,
    /// It cannot be read now, so that its Pods may know better.
    unreadable: bool,
    trust_domain: Option<String>,
    /// What istiod calls the cluster.
    cluster_id: Option<String>,
    read_before: bool,
    /// Warnings that hold, each given once: of what was read, and of where
    /// wayspan's file says otherwise.
    notes: Vec<String>,
    contradictions: Vec<String>,
}

impl KialiFollower {
    /// For the processor with this id. `on_change` is called with each new
    /// scheme once [`KialiStatus::in_force`] has it. None: its Kiali is not followed.
    pub(crate) fn new(
        processor: String,
        settings: &MeshSettings,
        current: Current,
        status: Arc<KialiStatus>,
        on_change: impl Fn(&SchemeLabels) + 'static,
    ) -> Option<Self> {
        Some(Self {
            processor,
            follow: settings.follow.clone()?,
            kubernetes: settings.kubernetes.clone(),
            cluster_id: settings.cluster_id.clone(),
            current,
            status,
            on_change: Box::new(on_change),
            place: RefCell::new(Place::of(&settings.follow.as_ref()?.source)),
            learned: RefCell::default(),
        })
    }

    /// Follows for ever. `connect` makes a client for a Kiali that is asked;
    /// `control_plane` is that of the cluster, without which no Kiali is looked for
    /// there.
    pub(crate) async fn run<C: KialiClient>(
        &self,
        connect: impl Fn(&KialiEndpoint) -> C,
        control_plane: Option<Receiver<ControlPlane>>,
    ) {
        let cluster = self.follow_cluster(control_plane.clone());
        let kiali = async {
            match (&self.follow.source, control_plane) {
                (KialiSource::Url(endpoint), _) => {
                    poll::run(self, endpoint, connect(endpoint)).await;
                }
                (KialiSource::Discovery, Some(found)) => {
                    discover::run(self, found, connect).await;
                }
                (KialiSource::Discovery, None) => {}
                (source, _) => watch::run(self, source).await,
            }
        };
        future::join(kiali, cluster).await;
    }

    /// Takes over what istiod calls the cluster, as long as that is watched.
    async fn follow_cluster(&self, control_plane: Option<Receiver<ControlPlane>>) {
        let Some(mut control_plane) = control_plane else {
            return;
        };
        loop {
            let id = control_plane.borrow_and_update().cluster_id.clone();
            if let Some(id) = id {
                self.learned_cluster(id);
            }
            if control_plane.changed().await.is_err() {
                return;
            }
        }
    }

    fn learned_cluster(&self, id: String) {
        let known = self.learned.borrow_mut().cluster_id.replace(id.clone());
        if known.as_ref() == Some(&id) {
            return;
        }
        if self.learned.borrow().read_before {
            return self.apply();
        }
        // Until Kiali itself was read, its own part is unknown and stays.
        if self.follow.given.cluster_id.is_none() && self.current.get().cluster_id != id {
            self.current
                .update(|knowledge| knowledge.cluster_id.clone_from(&id));
            tracing::info!(
                "{}: istio.cluster_id {id}, istiod's CLUSTER_ID",
                self.processor
            );
        }
    }

    /// What was read is in force from now on; `watching`: until the source says
    /// otherwise by itself.
    fn learned(&self, reading: ReadDocument, watching: bool) {
        self.learned.borrow_mut().kiali = reading.said;
        if self.status.read(watching) {
            tracing::info!(
                "{}: Kiali's configuration can be read again from {}",
                self.processor,
                self.place.borrow().text
            );
        }
        self.warn(|state| &mut state.notes, reading.notes);
        self.apply();
    }

    /// As [`Self::learned`], where a part could not be read: the trouble lasts.
    fn learned_in_part(&self, reading: ReadDocument) {
        self.status.read_in_part();
        self.learned.borrow_mut().kiali = reading.said;
        self.warn(|state| &mut state.notes, reading.notes);
        self.apply();
    }

    fn learned_trust_domain(&self, domain: String) {
        self.learned.borrow_mut().trust_domain = Some(domain);
        // Until Kiali itself was read, its own part is unknown and stays.
        if self.learned.borrow().read_before {
            self.apply();
        }
    }

    /// A watch failed, which the next attempt may mend.
    fn watch_failed(&self, cause: &str) {
        self.status.watch_failed();
        let (processor, place) = (&self.processor, &self.place.borrow().text);
        tracing::debug!("{processor}: the watch of {place} failed: {cause}");
    }

    /// Reading failed: what was known stays. Said once per cause.
    fn failed(&self, cause: &str) {
        if self.status.failed(cause) {
            let scheme = &self.current.get().scheme;
            tracing::warn!(
                "{}: cannot read Kiali's configuration from {}, names stay as for Kiali {} ({} names, \
                 namespace_selector {}): {cause}",
                self.processor,
                self.place.borrow().text,
                scheme.version(),
                scheme.form_name(),
                if scheme.namespace_selector {
                    "on"
                } else {
                    "off"
                },
            );
        }
    }

    fn apply(&self) {
        let given = &self.follow.given;
        let (merged, contradictions, first) = {
            let mut state = self.learned.borrow_mut();
            let trust = Described {
                trust_domain: state.trust_domain.clone(),
                ..Described::default()
            };
            let first = !std::mem::replace(&mut state.read_before, true);
            let pods = Described {
                version: state.version,
                ..Described::default()
            };
            let said = match state.unreadable {
                true => pods.or(&state.kiali),
                false => state.kiali.or(&pods),
            };
            let istiod = Described {
                cluster_id: state.cluster_id.clone(),
                ..Described::default()
            };
            let said = said.or(&trust).or(&istiod);
            (given.or(&said), given.contradictions(&said), first)
        };
        let contradictions = contradictions.into_iter().map(|(key, own, its)| {
            let section = if key == "cluster_id" { "" } else { "kiali." };
            format!(
                "wayspan's file says {section}{key}: {own}, which wins, but Kiali says {its}: pages \
                 may stay empty; remove the key"
            )
        });
        self.warn(
            |state| &mut state.contradictions,
            contradictions.collect::<Vec<_>>(),
        );
        let scheme = Scheme::new(&merged.kiali());
        let cluster_id = merged.cluster_id.clone().unwrap_or(self.cluster_id.clone());
        let query_scope = merged.query_scope.clone().unwrap_or_default();
        let before = self.current.get();
        let labels = SchemeLabels::of(&scheme, self.place.borrow().kind);
        let changed = before.scheme != scheme
            || before.cluster_id != cluster_id
            || before.query_scope != query_scope;
        if changed {
            self.current.update(|knowledge| {
                knowledge.scheme = scheme.clone();
                knowledge.cluster_id.clone_from(&cluster_id);
                knowledge.query_scope.clone_from(&query_scope);
            });
        }
        if changed || first {
            tracing::info!(
                "{}: {}; istio.cluster_id {cluster_id}. Read from {}, keys of wayspan's file first: {}",
                self.processor,
                scheme.describe(),
                self.place.borrow().text,
                merged.said().join(", ")
            );
        }
        if self.status.in_force() != labels {
            self.status.set_in_force(labels.clone());
            (self.on_change)(&labels);
        }
    }

    /// Each warning once, and again only after it was gone.
    fn warn(&self, list: impl Fn(&mut Learned) -> &mut Vec<String>, notes: Vec<String>) {
        let mut state = self.learned.borrow_mut();
        let before = list(&mut state);
        for note in notes.iter().filter(|note| !before.contains(note)) {
            tracing::warn!("{}: {}: {note}", self.processor, self.place.borrow().text);
        }
        *before = notes;
    }
}
