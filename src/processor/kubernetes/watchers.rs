/*!
Starts the watchers of Kubernetes: one for all processors that ask for the same
objects, each on a thread and a runtime of its own, since a list of ten
thousand Pods takes a while to read and neither a scrape nor a new connection
is to wait for it.
*/

use super::request::Request;
use crate::{
    mesh::{
        KubernetesMode, KubernetesSettings,
        watch::{
            ClientError, DirectoryStatus, DirectoryWatcher, Kept, Resource, WatchErrorKind,
            WatchScope, in_cluster,
        },
    },
    telemetry::{Health, Metric, Registry},
    threads::{ThreadError, Watchdog},
};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};
use tokio::{runtime::Runtime, sync::watch, task::LocalSet};

const WATCH_UP: Metric = Metric::gauge(
    "wayspan_kubernetes_watch_up",
    "1 while all objects of a kind are known and followed.",
    &["resource"],
);
const OBJECTS: Metric = Metric::gauge(
    "wayspan_kubernetes_objects",
    "Objects known.",
    &["resource"],
);
const ERRORS: Metric = Metric::counter(
    "wayspan_kubernetes_errors",
    "Errors while watching Kubernetes. Reason expired is harmless.",
    &["resource", "reason"],
);
const DIRECTORY_UPDATES: Metric = Metric::counter(
    "wayspan_directory_updates",
    "Times a changed directory of Pods, Services and Namespaces was put in place.",
    &[],
);

/// Why Kubernetes cannot be watched though it must be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartWatchError {
    /// No client can be made.
    #[error("cannot watch Kubernetes: {0}")]
    Client(#[from] ClientError),
    /// The system refused a runtime.
    #[error(transparent)]
    Thread(#[from] ThreadError),
}

/// Watchers that are ready to start.
#[derive(Default)]
pub(crate) struct Watchers(Vec<Ready>);

/// A watcher that is ready to start.
struct Ready {
    watcher: DirectoryWatcher,
    runtime: Runtime,
}

impl Watchers {
    /// Finds out what is to be watched, and how.
    ///
    /// # Errors
    ///
    /// When no client can be made for a request that is mandatory.
    pub(super) fn prepare(requests: Vec<Request>) -> Result<Self, StartWatchError> {
        let mut shared: Vec<Vec<Request>> = Vec::new();
        for request in requests {
            let same = |others: &&mut Vec<Request>| {
                others
                    .first()
                    .is_some_and(|other| other.scope == request.scope)
            };
            match shared.iter_mut().find(same) {
                Some(others) => others.push(request),
                None => shared.push(vec![request]),
            }
        }
        let mut watchers = Vec::new();
        for requests in shared {
            let is_mandatory = requests.iter().any(|request| request.is_mandatory);
            match prepare(requests) {
                Ok(ready) => watchers.push(ready),
                Err(StartWatchError::Client(error)) if !is_mandatory => {
                    tracing::warn!("cannot watch Kubernetes: {error}; {WITHOUT}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self(watchers))
    }

    /// Makes their state visible.
    pub(crate) fn register(&self, registry: &Registry, health: &Health) {
        if self.0.is_empty() {
            return;
        }
        let all: Arc<[Arc<DirectoryStatus>]> =
            self.0.iter().map(|of| of.watcher.status()).collect();
        for resource in followed(&all) {
            let labels = [resource.plural()];
            let of = Arc::clone(&all);
            registry.gauge(&WATCH_UP, &labels, move || {
                u64::from(of.iter().all(|status| status.view(resource).up))
            });
            let of = Arc::clone(&all);
            registry.gauge(&OBJECTS, &labels, move || {
                of.iter()
                    .map(|s| s.view(resource).objects as u64)
                    .sum::<u64>()
            });
            for kind in WatchErrorKind::ALL {
                let of = Arc::clone(&all);
                registry.counter(&ERRORS, &[resource.plural(), kind.as_str()], move || {
                    of.iter()
                        .map(|status| status.errors(resource, kind))
                        .sum::<u64>()
                });
            }
        }
        let of = Arc::clone(&all);
        registry.counter(&DIRECTORY_UPDATES, &[], move || {
            of.iter().map(|status| status.updates()).sum::<u64>()
        });
        health.detail("kubernetes", move || detail(&all));
    }

    /// Starts them. They end with `end`.
    pub(crate) fn start(
        self,
        health: &Health,
        end: &watch::Receiver<bool>,
    ) -> Result<Vec<JoinHandle<()>>, ThreadError> {
        let start = |ready: Ready| start(ready.watcher, ready.runtime, health.clone(), end.clone());
        self.0.into_iter().map(start).collect()
    }
}

/// Returns true if Kubernetes is to be watched.
pub(crate) fn is_wanted(settings: &KubernetesSettings) -> bool {
    match settings.mode {
        KubernetesMode::On => true,
        KubernetesMode::Off => false,
        // Whoever names a kubeconfig means it to be used.
        KubernetesMode::Auto => in_cluster() || settings.kubeconfig.is_some(),
    }
}

/// Makes the watcher of requests of the same scope, and its runtime. On a thread, since
/// whoever starts a service may have a runtime of its own, in which no other can be
/// waited for.
fn prepare(requests: Vec<Request>) -> Result<Ready, StartWatchError> {
    let mut scope = WatchScope::default();
    let mut kept = Kept::default();
    let (mut targets, mut slots, mut followers) = (Vec::new(), Vec::new(), Vec::new());
    for request in requests {
        scope = request.scope;
        kept.add(request.kept);
        followers.extend(request.follower);
        if let Some((target, slot)) = request.target {
            targets.push(target);
            slots.push(slot);
        }
    }
    let make = || -> Result<Ready, StartWatchError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let watcher = DirectoryWatcher::new(scope, kept, targets, followers);
        let watcher = runtime.block_on(watcher)?;
        Ok(Ready { watcher, runtime })
    };
    let ready = thread::scope(|scope| {
        let made = scope.spawn(make).join();
        made.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    for slot in slots {
        // Each is filled once: a processor asks once.
        let _ = slot.set(ready.watcher.control_plane());
    }
    Ok(ready)
}

/// What follows from having no client.
const WITHOUT: &str = "spans are named, and attributes added, without it";

/// Returns the kinds of objects that any watcher follows.
fn followed(all: &[Arc<DirectoryStatus>]) -> Vec<Resource> {
    let followed = |of: &Resource| all.iter().any(|status| status.follows(*of));
    Resource::FOLLOWED.into_iter().filter(followed).collect()
}

fn failed(source: std::io::Error) -> ThreadError {
    ThreadError {
        name: NAME.to_owned(),
        source,
    }
}

const NAME: &str = "kubernetes";

fn start(
    watcher: DirectoryWatcher,
    runtime: Runtime,
    health: Health,
    mut end: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, ThreadError> {
    let watchdog = Watchdog::new(NAME, health);
    let run = move || {
        let _watchdog = watchdog;
        tracing::info!("kubernetes: {}", watcher.describe());
        let watch = async {
            tokio::select! {
                ended = watcher.run() => {
                    if let Err(error) = ended {
                        tracing::warn!("cannot watch Kubernetes: {error}; {WITHOUT}");
                    }
                }
                _ = end.wait_for(|end| *end) => {}
            }
        };
        LocalSet::new().block_on(&runtime, watch);
        // A name being looked up must not hold up the end.
        runtime.shutdown_background();
    };
    thread::Builder::new()
        .name(format!("wayspan-{NAME}"))
        .spawn(run)
        .map_err(failed)
}

/// What the health page says: a line per kind, the worst of all watchers.
fn detail(all: &[Arc<DirectoryStatus>]) -> Value {
    let of = |resource: Resource| {
        let views: Vec<_> = all.iter().map(|status| status.view(resource)).collect();
        let objects: usize = views.iter().map(|view| view.objects).sum();
        let trouble = views.iter().find_map(|view| view.trouble.clone());
        let up = views.iter().all(|view| view.up);
        let mut value = json!({"up": up, "objects": objects});
        if let Some(trouble) = trouble {
            value["trouble"] = trouble.into();
        }
        (resource.plural().to_owned(), value)
    };
    followed(all).into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_is_meant_to_be_used() {
        use KubernetesMode::{Auto, Off, On};
        for (mode, given, want) in [
            (Auto, true, true),
            (Auto, false, in_cluster()),
            (On, false, true),
            (Off, true, false),
        ] {
            let settings = KubernetesSettings {
                mode,
                kubeconfig: given.then(|| "/a/b".into()),
                ..KubernetesSettings::default()
            };
            assert_eq!(is_wanted(&settings), want, "{mode:?}, {given}");
        }
    }
}
