/*!
Keeps a directory up to date: one list and watch of each kind of object, and a
directory built from what they hold.

A directory is put in place soon after the first lists are complete, and again
at most once a second while records change; where building one takes long, as
in a mesh of a hundred thousand Pods, less often, so that it costs a tenth of
a core at most. A Kiali whose app label has changed gets another directory at
the next second.

The same Pods show which Kialis there are, and what istiod calls the cluster, for
whoever follows a Kiali; and all objects are shown to those who follow them.
*/

use super::{
    client::{self, ClientError},
    kept::{Kept, ObjectFollower},
    kiali::{self, ControlPlane, Kialis},
    objects::{
        DaemonSet, Deployment, Job, LabelPool, Namespace, Node, Object, PodObject, ReplicaSet,
        ServiceObject, StatefulSet,
    },
    records::{Records, SharedRecords},
    resource::Resource,
    scope::WatchScope,
    status::DirectoryStatus,
    store::{MAX_OBJECTS, RecordStore, Shared},
};
use crate::mesh::{
    Current, Directory,
    directory::{AppLabels, KnownObjects},
};
use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Between two directories, at least.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long the first directory waits for the slowest of the first lists.
const FIRST_LISTS: Duration = Duration::from_secs(10);

/// Watches Kubernetes for the processors with the same scope.
#[derive(Debug)]
pub(crate) struct DirectoryWatcher {
    config: kube::Config,
    scope: WatchScope,
    kept: Kept,
    targets: Vec<Current>,
    followers: Vec<Box<dyn ObjectFollower>>,
    status: Arc<DirectoryStatus>,
    control_plane: watch::Sender<ControlPlane>,
}

/// The records of all stores.
struct AllRecords {
    pods: Vec<SharedRecords<PodObject>>,
    services: Vec<SharedRecords<ServiceObject>>,
    namespaces: Vec<SharedRecords<Namespace>>,
    nodes: Vec<SharedRecords<Node>>,
    replica_sets: Vec<SharedRecords<ReplicaSet>>,
    deployments: Vec<SharedRecords<Deployment>>,
    stateful_sets: Vec<SharedRecords<StatefulSet>>,
    daemon_sets: Vec<SharedRecords<DaemonSet>>,
    jobs: Vec<SharedRecords<Job>>,
}

impl DirectoryWatcher {
    /// Returns a watcher that will keep the directories of `targets`, and tell
    /// `followers` of the objects that are kept. Asks nothing of the API server yet, but
    /// needs a runtime.
    ///
    /// # Errors
    ///
    /// When it cannot be known where the API server is, or who we are to it.
    pub(crate) async fn new(
        scope: WatchScope,
        kept: Kept,
        targets: Vec<Current>,
        followers: Vec<Box<dyn ObjectFollower>>,
    ) -> Result<Self, ClientError> {
        let config = client::reach(&scope.access).await?;
        // Made once here so that faulty certificates show at start.
        client::client(config.clone())?;
        let watches = |resource: &Resource| (*resource, scope.places(*resource).len());
        let watched: Vec<_> = kept.resources.iter().map(watches).collect();
        Ok(Self {
            config,
            status: Arc::new(DirectoryStatus::new(&watched)),
            scope,
            kept,
            targets,
            followers,
            control_plane: watch::Sender::default(),
        })
    }

    /// Returns the control plane of the cluster, as far as it is known.
    pub(crate) fn control_plane(&self) -> watch::Receiver<ControlPlane> {
        self.control_plane.subscribe()
    }

    /// Returns the state of its watches.
    pub(crate) fn status(&self) -> Arc<DirectoryStatus> {
        Arc::clone(&self.status)
    }

    /// Says what is watched, for the log.
    pub(crate) fn describe(&self) -> String {
        let place = match &self.scope.namespaces[..] {
            [] => "all namespaces".to_owned(),
            names => format!("namespaces {}", names.join(", ")),
        };
        let kinds = self.kept.resources.iter();
        let kinds: Vec<String> = kinds
            .map(|resource| format!("{}s", resource.kind()))
            .collect();
        let kinds = match &kinds[..] {
            [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
            _ => kinds.join(""),
        };
        let url = &self.config.cluster_url;
        format!("watching {kinds} of {place} at {url}")
    }

    /// Watches for ever. Needs a runtime with local tasks.
    ///
    /// # Errors
    ///
    /// When no client can be made on this runtime.
    pub(crate) async fn run(self) -> Result<(), ClientError> {
        let shared = Rc::new(Shared {
            client: client::client(self.config)?,
            status: self.status,
            pool: RefCell::new(LabelPool::default()),
            kept: self.kept,
            changed: Notify::new(),
            most: MAX_OBJECTS,
        });
        let mut watches = JoinSet::new();
        let (scope, all) = (&self.scope, &mut watches);
        let records = AllRecords {
            pods: follow(&shared, scope, all),
            services: follow(&shared, scope, all),
            namespaces: follow(&shared, scope, all),
            nodes: follow(&shared, scope, all),
            replica_sets: follow(&shared, scope, all),
            deployments: follow(&shared, scope, all),
            stateful_sets: follow(&shared, scope, all),
            daemon_sets: follow(&shared, scope, all),
            jobs: follow(&shared, scope, all),
        };
        let told = Told {
            targets: self.targets,
            followers: self.followers,
            control_plane: self.control_plane,
        };
        tokio::select! {
            () = publish(&shared, &records, told) => {}
            // Each follows for ever: this is how a panic of one is passed on.
            Some(Err(ended)) = watches.join_next() => {
                if ended.is_panic() {
                    std::panic::resume_unwind(ended.into_panic());
                }
            }
        }
        Ok(())
    }
}

/// Who is told of what is known.
struct Told {
    targets: Vec<Current>,
    followers: Vec<Box<dyn ObjectFollower>>,
    control_plane: watch::Sender<ControlPlane>,
}

/// Starts to follow the objects of one kind, if that is followed.
fn follow<O: Object>(
    shared: &Rc<Shared>,
    scope: &WatchScope,
    watches: &mut JoinSet<std::convert::Infallible>,
) -> Vec<SharedRecords<O>> {
    if !shared.kept.resources.contains(&O::RESOURCE) {
        return Vec::new();
    }
    let of = |(at, namespace): (usize, Option<String>)| {
        let records: SharedRecords<O> = Rc::new(RefCell::new(Records::default()));
        let store = RecordStore {
            shared: Rc::clone(shared),
            namespace,
            picked: scope.picked(O::RESOURCE),
            at,
            records: Rc::clone(&records),
            forbidden: None,
        };
        watches.spawn_local(store.run());
        records
    };
    let places = scope.places(O::RESOURCE);
    places.into_iter().enumerate().map(of).collect()
}

/// Puts directories in place and tells followers, for ever.
async fn publish(shared: &Shared, records: &AllRecords, told: Told) {
    let Told {
        targets,
        mut followers,
        control_plane,
    } = told;
    let begun = Instant::now();
    while !shared.status.all_tried() && begun.elapsed() < FIRST_LISTS {
        // A list of nothing changes nothing, and notifies nobody.
        let _ = timeout(Duration::from_millis(50), shared.changed.notified()).await;
    }
    let counts = shared.kept.resources.iter().map(|resource| {
        let objects = shared.status.view(*resource).objects;
        format!("{objects} {}", resource.plural())
    });
    let counts: Vec<String> = counts.collect();
    tracing::info!("kubernetes: {} are known", counts.join(", "));
    let mut built: Vec<Option<AppLabels>> = vec![None; targets.len()];
    let mut changed = true;
    loop {
        let begun = Instant::now();
        let mut made: Vec<(AppLabels, Arc<Directory>)> = Vec::new();
        if !followers.is_empty() {
            let objects = changed.then(|| records.objects());
            for follower in &mut followers {
                follower.follow(objects.as_ref());
            }
        }
        for (target, built) in targets.iter().zip(&mut built) {
            let labels = target.get().scheme.app_labels().clone();
            if !changed && built.as_ref() == Some(&labels) {
                continue;
            }
            let ready = made.iter().find(|(of, _)| *of == labels);
            let directory = match ready {
                Some((_, directory)) => Arc::clone(directory),
                None => {
                    let directory = Arc::new(records.directory(&labels));
                    made.push((labels.clone(), Arc::clone(&directory)));
                    directory
                }
            };
            target.update(|knowledge| knowledge.directory = Arc::clone(&directory));
            *built = Some(labels);
        }
        if !made.is_empty() {
            shared.status.updated();
        }
        if changed {
            shared.pool.borrow_mut().purge();
        }
        if changed || !records.pods_are_listed() {
            let now = records.control_plane(&shared.status);
            control_plane.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
        }
        sleep(INTERVAL.max(begun.elapsed() * 9)).await;
        changed = timeout(INTERVAL, shared.changed.notified()).await.is_ok();
    }
}

impl AllRecords {
    fn directory(&self, labels: &AppLabels) -> Directory {
        let directory = Directory::build(
            all(&self.pods),
            all(&self.services),
            all(&self.namespaces),
            labels,
        );
        match self.pods.iter().all(|records| records.borrow().is_whole()) {
            true => directory,
            false => directory.truncated(),
        }
    }
}

impl AllRecords {
    fn objects(&self) -> KnownObjects {
        let mut pods = self.pods.iter();
        KnownObjects {
            pods_are_listed: pods.all(|records| records.borrow().listed),
            pods: all(&self.pods),
            namespaces: all(&self.namespaces),
            nodes: all(&self.nodes),
            replica_sets: all(&self.replica_sets),
            deployments: all(&self.deployments),
            stateful_sets: all(&self.stateful_sets),
            daemon_sets: all(&self.daemon_sets),
            jobs: all(&self.jobs),
        }
    }

    fn pods_are_listed(&self) -> bool {
        self.pods.iter().any(|records| records.borrow().listed)
    }

    fn control_plane(&self, status: &DirectoryStatus) -> ControlPlane {
        if !self.pods_are_listed() {
            let kialis = match status.view(Resource::Pods).trouble {
                Some(_) => Kialis::Hidden,
                None => Kialis::NotListed,
            };
            return ControlPlane {
                kialis,
                cluster_id: None,
            };
        }
        let pods = all(&self.pods);
        ControlPlane {
            cluster_id: kiali::cluster_id(&pods),
            kialis: Kialis::Known(kiali::find(pods, || all(&self.services))),
        }
    }
}

fn all<O: Object>(records: &[SharedRecords<O>]) -> Vec<Arc<O::Record>> {
    let of = |records: &SharedRecords<O>| records.borrow().all().collect::<Vec<_>>();
    records.iter().flat_map(of).collect()
}
