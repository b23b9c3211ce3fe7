/*!
Starts the followers of Kiali's own configuration. All run on one thread, which exists only where there are any and
is not waited for at shutdown: a look-up of a name may take longer than that.
*/

use super::{ConfiguredMesh, Processors, kiali_client::KialiHttp};
use crate::{
    mesh::{
        Current, KialiSource, MeshSettings,
        watch::kiali::{ControlPlane, KialiFollower, KialiStatus, SchemeLabels},
    },
    telemetry::{Health, Metric, Registry},
    threads::{ThreadError, on_runtime},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

const SCHEME: Metric = Metric::gauge(
    "wayspan_kiali_scheme",
    "1 for the scheme in force, 0 for those before. Form: waypoint, host or app; source: static \
     until Kiali was read, pods where only the version of its Pods is known; version: other after 30 different ones.",
    &[
        "processor",
        "form",
        "namespace_selector",
        "version",
        "source",
    ],
);
const READ_ERRORS: Metric = Metric::counter(
    "wayspan_kiali_read_errors",
    "Failed attempts to read Kiali's own configuration.",
    &["processor"],
);
const LAST_READ: Metric = Metric::gauge(
    "wayspan_kiali_last_read_timestamp_seconds",
    "When Kiali's own configuration was last known for sure; 0: never.",
    &["processor"],
);

/// A Kiali to follow: the processor's id, and what its follower needs.
struct Job {
    id: String,
    settings: MeshSettings,
    current: Current,
    status: Arc<KialiStatus>,
    versions: Versions,
    control_plane: Option<watch::Receiver<ControlPlane>>,
}

/// Starts the watchers of every `mesh` processor, which end with `end`, and
/// registers what metrics show of them. A Kiali is looked for in the control plane that
/// the processor's watcher sees.
pub(super) fn start(
    processors: &Processors,
    registry: &Arc<Registry>,
    end: &watch::Receiver<bool>,
    health: &Health,
) -> Result<(), ThreadError> {
    let mut jobs = Vec::new();
    let mut followed = Vec::new();
    for (id, mesh) in processors {
        let ConfiguredMesh {
            settings,
            current,
            control_plane,
        } = mesh;
        let id = id.to_string();
        let shown = SchemeLabels::of(&current.get().scheme, "static");
        let status = Arc::new(KialiStatus::new(shown.clone()));
        let versions = Versions::default();
        show(registry, &id, &status, &versions, &shown);
        let control_plane = control_plane.get().cloned();
        match settings.follow.as_ref().map(|follow| &follow.source) {
            None => continue,
            Some(KialiSource::Discovery) if control_plane.is_none() => continue,
            Some(_) => {}
        }
        register(registry, &id, &status);
        followed.push((id.clone(), Arc::clone(&status)));
        jobs.push(Job {
            id,
            settings: settings.clone(),
            current: current.clone(),
            status,
            versions,
            control_plane,
        });
    }
    if jobs.is_empty() {
        return Ok(());
    }
    health.detail("kiali", move || {
        let of = |(id, status): &(String, Arc<KialiStatus>)| (id.clone(), detail(status));
        followed.iter().map(of).collect()
    });
    let registry = Arc::clone(registry);
    let mut end = end.clone();
    let followers = move || async move {
        let followers = jobs
            .into_iter()
            .map(|job| follow(job, Arc::clone(&registry)));
        tokio::select! {
            _ = end.wait_for(|end| *end) => {}
            _ = join_all(followers) => {}
        }
    };
    // The thread ends by itself.
    let _thread = on_runtime("watchers", health.clone(), |_| {}, followers)?;
    Ok(())
}

async fn follow(job: Job, registry: Arc<Registry>) {
    let Job {
        id,
        settings,
        current,
        status,
        versions,
        control_plane,
    } = job;
    let on_change = {
        let (id, status) = (id.clone(), Arc::clone(&status));
        move |shown: &SchemeLabels| show(&registry, &id, &status, &versions, shown)
    };
    if let Some(follower) = KialiFollower::new(id, &settings, current, status, on_change) {
        follower.run(KialiHttp::new, control_plane).await;
    }
}

/// The versions that have series of their own, for one processor.
type Versions = Arc<Mutex<BTreeSet<String>>>;

/// So many have. A Kiali may say anything, and a series is never forgotten.
const MAX_VERSIONS: usize = 30;

/// In place of the others.
const OTHER: &str = "other";

/// The version's label in `versions`, which learns it if there is room.
fn label(versions: &Versions, version: &str) -> String {
    let mut versions = versions.lock().unwrap_or_else(PoisonError::into_inner);
    if versions.len() < MAX_VERSIONS {
        versions.insert(version.to_owned());
    }
    let known = versions.get(version).cloned();
    known.unwrap_or_else(|| OTHER.to_owned())
}

/// A series of value 1 for as long as its scheme is in force, then 0.
fn show(
    registry: &Registry,
    processor: &str,
    status: &Arc<KialiStatus>,
    versions: &Versions,
    shown: &SchemeLabels,
) {
    let mut own = shown.clone();
    own.version = label(versions, &shown.version);
    let labels = [
        processor,
        own.form,
        if own.namespace_selector {
            "true"
        } else {
            "false"
        },
        &own.version,
        own.source,
    ];
    let (status, versions, own) = (Arc::clone(status), Arc::clone(versions), own.clone());
    registry.gauge(&SCHEME, &labels, move || {
        let mut now = status.in_force();
        now.version = label(&versions, &now.version);
        u64::from(now == own)
    });
}

/// What the health page says of one processor's Kiali.
fn detail(status: &KialiStatus) -> Value {
    let shown = status.in_force();
    let mut value = json!({
        "version": shown.version,
        "form": shown.form,
        "namespace_selector": shown.namespace_selector,
        "source": shown.source,
    });
    if let Some(choice) = status.choice() {
        value["discovery"] = choice.into();
    }
    if let Some(trouble) = status.trouble() {
        value["trouble"] = trouble.into();
    }
    value
}

fn register(registry: &Registry, processor: &str, status: &Arc<KialiStatus>) {
    let read = Arc::clone(status);
    registry.counter(&READ_ERRORS, &[processor], move || read.errors());
    let read = Arc::clone(status);
    registry.gauge(&LAST_READ, &[processor], move || read.last_read());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kiali_that_says_ever_other_versions_fills_no_memory() {
        let versions = Versions::default();
        let of = |minor: usize| label(&versions, &format!("2.{minor}"));
        assert_eq!(
            (of(0).as_str(), of(MAX_VERSIONS - 1)),
            ("2.0", "2.29".into())
        );
        for minor in 0..MAX_VERSIONS {
            assert_eq!(of(minor), format!("2.{minor}"));
        }
        assert_eq!((of(MAX_VERSIONS).as_str(), of(1).as_str()), (OTHER, "2.1"));
    }
}
