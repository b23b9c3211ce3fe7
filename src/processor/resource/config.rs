/*! The keys of `resource`. */

use super::ResourceSettings;
use crate::{
    config::{Id, KeyReader},
    pipeline::ProcessorFactory,
    processor::{BuildContext, ProcessorRole, ProcessorSettings, actions},
};
use std::sync::Arc;

impl ProcessorSettings for ResourceSettings {
    fn describe(&self) -> Vec<String> {
        vec![format!(
            "attributes of resources: {}",
            self.actions.describe()
        )]
    }

    fn build(&self, _: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory> {
        Arc::new(self.clone())
    }
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let actions = actions::config::read("attributes", keys)?;
    Some(ProcessorRole::Item(Arc::new(ResourceSettings { actions })))
}
