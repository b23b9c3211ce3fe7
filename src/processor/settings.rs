/*! The settings of processors. */

use crate::{
    config::Id,
    pdata::Signal,
    pipeline::{BatchSettings, ProcessorFactory},
};
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
};

/// The checked settings of a processor that sees each item.
pub trait Settings: fmt::Debug + Send + Sync + Any {
    /// The signals whose pipelines may list it.
    fn signals(&self) -> &'static [Signal] {
        &Signal::ALL
    }

    /// What `validate` and the start say of it, a line each.
    fn describe(&self) -> Vec<String> {
        Vec::new()
    }

    /// Builds what makes the instances of one pipeline.
    fn build(&self, with: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory>;
}

/// What a processor is built with.
pub struct BuildContext<'a> {
    /// The processor's id.
    pub id: &'a Id,
    /// Shards, each of which will ask for an instance.
    pub shards: usize,
    /// What processors of one id share between pipelines.
    pub shared: &'a mut Shared,
}

/// What processors of one id share between pipelines, by type.
#[derive(Default)]
pub struct Shared(HashMap<(TypeId, Id), Box<dyn Any>>);

impl Shared {
    /// What those of `id` share, which is made when first asked for.
    pub fn get_or_insert_with<T: Clone + 'static>(
        &mut self,
        id: &Id,
        make: impl FnOnce() -> T,
    ) -> T {
        let key = (TypeId::of::<T>(), id.clone());
        if let Some(found) = self
            .0
            .get(&key)
            .and_then(|shared| shared.downcast_ref::<T>())
        {
            return found.clone();
        }
        let made = make();
        self.0.insert(key, Box::new(made.clone()));
        made
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.keys().map(|(_, id)| id))
            .finish()
    }
}

/// A configured processor that sees each item.
#[derive(Clone, Debug)]
pub struct Configured {
    /// Its id.
    pub id: Id,
    /// Its settings.
    pub settings: Arc<dyn Settings>,
}

impl Configured {
    /// Its settings, if they are those of this type.
    pub fn settings<T: Settings>(&self) -> Option<&T> {
        (&*self.settings as &dyn Any).downcast_ref()
    }
}

/// What a processor is to the pipelines that list it.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// It sees each item, in the order of the list.
    Item(Arc<dyn Settings>),
    /// It says how items are batched, which comes last whatever the order.
    Batch(BatchSettings),
    /// It bounds the bytes that the process holds.
    Memory(usize),
}
