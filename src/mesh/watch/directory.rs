/*!
Keeps a directory up to date: one list and watch of each kind of object, and a
directory built from what they hold.

A directory is put in place soon after the first lists are complete, and again
at most once a second while records change; where building one takes long, as
in a mesh of a hundred thousand Pods, less often, so that it costs a tenth of
a core at most. A Kiali whose app label has changed gets another directory at
the next second.

The same Pods show which Kialis there are, and what istiod calls the cluster, for
whoever follows a Kiali.
*/

use super::{
    client::{self, ClientError},
    kiali::{self, ControlPlane, Kialis},
    objects::{LabelPool, Namespace, Object, PodObject, ServiceObject},
    records::{Records, SharedRecords},
    resource::Resource,
    status::DirectoryStatus,
    store::{MAX_OBJECTS, RecordStore, Shared},
};
use crate::mesh::{Current, Directory, KubernetesSettings, directory::AppLabels};
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

/// Watches Kubernetes for the processors with the same settings.
#[derive(Debug)]
pub(crate) struct DirectoryWatcher {
    config: kube::Config,
    namespaces: Vec<Option<String>>,
    targets: Vec<Current>,
    status: Arc<DirectoryStatus>,
    control_plane: watch::Sender<ControlPlane>,
}

/// The records of all stores.
struct AllRecords {
    pods: Vec<SharedRecords<PodObject>>,
    services: Vec<SharedRecords<ServiceObject>>,
    namespaces: Vec<SharedRecords<Namespace>>,
}

impl DirectoryWatcher {
    /// Returns a watcher that will keep the directories of `targets`. Asks
    /// nothing of the API server yet, but needs a runtime.
    ///
    /// # Errors
    ///
    /// When it cannot be known where the API server is, or who we are to it.
    pub(crate) async fn new(
        settings: &KubernetesSettings,
        targets: Vec<Current>,
    ) -> Result<Self, ClientError> {
        let config = client::config(settings).await?;
        // Made once here so that faulty certificates show at start.
        client::client(config.clone())?;
        let namespaces: Vec<_> = match &settings.namespaces[..] {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        };
        Ok(Self {
            config,
            status: Arc::new(DirectoryStatus::new(namespaces.len())),
            namespaces,
            targets,
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
        let names: Vec<&str> = self
            .namespaces
            .iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let place = match names[..] {
            [] => "all namespaces".to_owned(),
            _ => format!("namespaces {}", names.join(", ")),
        };
        format!(
            "watching Pods, Services and Namespaces of {place} at {}",
            self.config.cluster_url
        )
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
            changed: Notify::new(),
            most: MAX_OBJECTS,
        });
        let mut watches = JoinSet::new();
        let records = AllRecords {
            pods: follow(&shared, &self.namespaces, &mut watches),
            services: follow(&shared, &self.namespaces, &mut watches),
            namespaces: follow(&shared, &self.namespaces, &mut watches),
        };
        tokio::select! {
            () = publish(&shared, &records, &self.targets, &self.control_plane) => {}
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

/// Starts to follow the objects of one kind.
fn follow<O: Object>(
    shared: &Rc<Shared>,
    namespaces: &[Option<String>],
    watches: &mut JoinSet<std::convert::Infallible>,
) -> Vec<SharedRecords<O>> {
    let of = |(at, namespace): (usize, &Option<String>)| {
        let records: SharedRecords<O> = Rc::new(RefCell::new(Records::default()));
        let store = RecordStore {
            shared: Rc::clone(shared),
            namespace: namespace.clone(),
            at,
            records: Rc::clone(&records),
            forbidden: None,
        };
        watches.spawn_local(store.run());
        records
    };
    namespaces.iter().enumerate().map(of).collect()
}

/// Puts directories in place, for ever.
async fn publish(
    shared: &Shared,
    records: &AllRecords,
    targets: &[Current],
    control_plane: &watch::Sender<ControlPlane>,
) {
    let begun = Instant::now();
    while !shared.status.all_tried() && begun.elapsed() < FIRST_LISTS {
        // A list of nothing changes nothing, and notifies nobody.
        let _ = timeout(Duration::from_millis(50), shared.changed.notified()).await;
    }
    let [pods, services, namespaces] =
        Resource::OF_DIRECTORY.map(|resource| shared.status.view(resource).objects);
    tracing::info!(
        "kubernetes: {pods} pods, {services} services and {namespaces} namespaces are known"
    );
    let mut built: Vec<Option<AppLabels>> = vec![None; targets.len()];
    let mut changed = true;
    loop {
        let begun = Instant::now();
        let mut made: Vec<(AppLabels, Arc<Directory>)> = Vec::new();
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
