/*!
The watcher of Kubernetes: one watch of each kind, and a directory built from
what they hold.

A directory is put in place soon after the first lists are complete, and again
at most once a second while records change; where building one takes long, as
in a mesh of a hundred thousand Pods, less often, so that it costs a tenth of
a core at most. A Kiali whose app label has changed gets another directory at
the next second.
*/

use super::{
    client::{self, ClientError},
    follow::{Follower, MAX_OBJECTS, Shared},
    objects::{Namespace, Object, Pod, Pool, Service},
    status::{Kind, Status},
    store::{Records, Table},
};
use crate::mesh::{Current, Directory, KubernetesSettings, directory::AppLabels};
use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Between two directories, at least.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long the first directory waits for the slowest of the first lists.
const FIRST_LISTS: Duration = Duration::from_secs(10);

/// Watches Kubernetes for the processors that have the same settings.
#[derive(Debug)]
pub struct Kubernetes {
    config: kube::Config,
    namespaces: Vec<Option<String>>,
    targets: Vec<Current>,
    status: Arc<Status>,
}

/// The records of all watches.
struct Tables {
    pods: Vec<Table<Pod>>,
    services: Vec<Table<Service>>,
    namespaces: Vec<Table<Namespace>>,
}

impl Kubernetes {
    /// A watcher that will keep the directories of `targets`. Asks nothing of
    /// the API server yet, but needs a runtime.
    ///
    /// # Errors
    ///
    /// When it cannot be known where the API server is, or who we are to it.
    pub async fn new(
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
            status: Arc::new(Status::new(namespaces.len())),
            namespaces,
            targets,
        })
    }

    /// How it does.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// What is watched, for the log.
    pub fn describe(&self) -> String {
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
    pub async fn run(self) -> Result<(), ClientError> {
        let shared = Rc::new(Shared {
            client: client::client(self.config)?,
            status: self.status,
            pool: RefCell::new(Pool::default()),
            changed: Notify::new(),
            most: MAX_OBJECTS,
        });
        let mut watches = JoinSet::new();
        let tables = Tables {
            pods: follow(&shared, &self.namespaces, &mut watches),
            services: follow(&shared, &self.namespaces, &mut watches),
            namespaces: follow(&shared, &self.namespaces, &mut watches),
        };
        tokio::select! {
            () = publish(&shared, &tables, &self.targets) => {}
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

/// Starts the watches of one kind.
fn follow<O: Object>(
    shared: &Rc<Shared>,
    namespaces: &[Option<String>],
    watches: &mut JoinSet<std::convert::Infallible>,
) -> Vec<Table<O>> {
    let of = |(at, namespace): (usize, &Option<String>)| {
        let table: Table<O> = Rc::new(RefCell::new(Records::default()));
        let follower = Follower {
            shared: Rc::clone(shared),
            namespace: namespace.clone(),
            at,
            table: Rc::clone(&table),
        };
        watches.spawn_local(follower.run());
        table
    };
    namespaces.iter().enumerate().map(of).collect()
}

/// Puts directories in place, for ever.
async fn publish(shared: &Shared, tables: &Tables, targets: &[Current]) {
    let begun = Instant::now();
    while !shared.status.all_tried() && begun.elapsed() < FIRST_LISTS {
        // A list of nothing changes nothing, and rings nobody.
        let _ = timeout(Duration::from_millis(50), shared.changed.notified()).await;
    }
    let [pods, services, namespaces] = Kind::ALL.map(|kind| shared.status.view(kind).objects);
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
                    let directory = Arc::new(tables.directory(&labels));
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
        sleep(INTERVAL.max(begun.elapsed() * 9)).await;
        changed = timeout(INTERVAL, shared.changed.notified()).await.is_ok();
    }
}

impl Tables {
    fn directory(&self, labels: &AppLabels) -> Directory {
        let directory = Directory::build(
            all(&self.pods),
            all(&self.services),
            all(&self.namespaces),
            labels,
        );
        match self.pods.iter().all(|table| table.borrow().is_whole()) {
            true => directory,
            false => directory.truncated(),
        }
    }
}

fn all<O: Object>(tables: &[Table<O>]) -> Vec<Arc<O::Record>> {
    let of = |table: &Table<O>| table.borrow().all().collect::<Vec<_>>();
    tables.iter().flat_map(of).collect()
}
