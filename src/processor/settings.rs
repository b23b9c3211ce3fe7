/*! The settings of processors. */

use super::Backgrounds;
use crate::{
    config::Id,
    pdata::Signal,
    pipeline::{BatchSettings, ProcessorFactory},
};
use std::{any::Any, fmt, sync::Arc};

/// The checked settings of a processor that sees each item.
pub trait ProcessorSettings: fmt::Debug + Send + Sync + Any {
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
    pub(crate) id: &'a Id,
    /// What the pipeline carries.
    pub(crate) signal: Signal,
    /// Shards, each of which will ask for an instance.
    pub(crate) shards: usize,
    /// What the processors of a kind do beside the items.
    pub(crate) backgrounds: &'a mut Backgrounds,
}

/// A configured processor that sees each item.
#[derive(Clone, Debug)]
pub struct ConfiguredProcessor {
    /// Its id.
    pub id: Id,
    /// Its settings.
    pub settings: Arc<dyn ProcessorSettings>,
}

impl ConfiguredProcessor {
    /// What makes its instances, one for each of so many shards, where nothing is done beside the items.
    pub fn factory(&self, signal: Signal, shards: usize) -> Arc<dyn ProcessorFactory> {
        self.settings.build(&mut BuildContext {
            id: &self.id,
            signal,
            shards,
            backgrounds: &mut Backgrounds::default(),
        })
    }

    /// Its settings, if they are those of this type.
    pub fn settings<T: ProcessorSettings>(&self) -> Option<&T> {
        (&*self.settings as &dyn Any).downcast_ref()
    }
}

/// What a processor is to the pipelines that list it.
#[derive(Clone, Debug)]
pub(crate) enum ProcessorRole {
    /// It sees each item, in the order of the list.
    Item(Arc<dyn ProcessorSettings>),
    /// It says how items are batched, which comes last whatever the order.
    Batch(BatchSettings),
    /// It bounds the bytes that the process holds.
    Memory(usize),
}
