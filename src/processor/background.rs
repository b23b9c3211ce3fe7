/*!
What the processors of one kind do beside the items: the mesh processors watch
Kubernetes and follow Kiali.

There is one [`Background`] for each kind that a service's processors ask for
while they are built. The service prepares it before anything runs, starts it
once everything does, and ends it last.
*/

use crate::telemetry::{Health, Registry};
use std::{any::Any, fmt, sync::Arc, thread::JoinHandle};
use tokio::sync::watch;

/// Why work in the background cannot be prepared or started.
pub(crate) type BackgroundError = Box<dyn std::error::Error + Send + Sync>;

/// The work in the background of all processors of one kind.
pub(crate) trait Background: Any {
    /// Finds out what is to be done, and registers what is to be seen of it.
    ///
    /// # Errors
    ///
    /// When something cannot be done that must be.
    fn prepare(&mut self, registry: &Arc<Registry>, health: &Health)
    -> Result<(), BackgroundError>;

    /// Starts the work, which ends when `end` turns true; the threads to wait
    /// for then.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread.
    fn start(
        self: Box<Self>,
        registry: &Arc<Registry>,
        health: &Health,
        end: &watch::Receiver<bool>,
    ) -> Result<Vec<JoinHandle<()>>, BackgroundError>;
}

/// The work in the background of a service's processors, by kind.
#[derive(Default)]
pub(crate) struct Backgrounds {
    works: Vec<Box<dyn Background>>,
    asked: usize,
}

impl Backgrounds {
    /// Returns the work of this type, which is begun when first asked for.
    pub(crate) fn of<T: Background + Default>(&mut self) -> &mut T {
        self.asked += 1;
        let mut works = self.works.iter();
        let found = works.position(|work| (&**work as &dyn Any).is::<T>());
        let at = found.unwrap_or_else(|| {
            self.works.push(Box::<T>::default());
            self.works.len() - 1
        });
        let work = &mut *self.works[at] as &mut dyn Any;
        let Some(work) = work.downcast_mut() else {
            unreachable!("it was found by its type")
        };
        work
    }

    /// Returns how often processors have asked for work.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    /// Prepares all of it: see [`Background::prepare`].
    ///
    /// # Errors
    ///
    /// The first that cannot be prepared.
    pub(crate) fn prepare(
        &mut self,
        registry: &Arc<Registry>,
        health: &Health,
    ) -> Result<(), BackgroundError> {
        let mut works = self.works.iter_mut();
        works.try_for_each(|work| work.prepare(registry, health))
    }

    /// Starts all of it: see [`Background::start`].
    ///
    /// # Errors
    ///
    /// The first that cannot be started.
    pub(crate) fn start(
        self,
        registry: &Arc<Registry>,
        health: &Health,
        end: &watch::Receiver<bool>,
    ) -> Result<Vec<JoinHandle<()>>, BackgroundError> {
        let mut threads = Vec::new();
        for work in self.works {
            threads.extend(work.start(registry, health, end)?);
        }
        Ok(threads)
    }
}

impl fmt::Debug for Backgrounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Backgrounds")
            .field(&self.works.len())
            .finish()
    }
}
