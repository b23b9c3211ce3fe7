/*! The keys of `attributes`. */

use super::AttributesFactory;
use crate::{
    config::{Id, KeyReader},
    pdata::Signal,
    pipeline::ProcessorFactory,
    processor::{
        BuildContext, ProcessorRole, ProcessorSettings,
        actions::{self, Actions},
        matching::{self, Selection, config::Signals},
    },
};
use std::sync::Arc;

/// Checked settings.
#[derive(Clone, Debug)]
struct AttributesSettings {
    actions: Actions,
    selection: Selection,
    signals: Signals,
}

impl ProcessorSettings for AttributesSettings {
    fn signals(&self) -> &'static [Signal] {
        self.signals.list()
    }

    fn describe(&self) -> Vec<String> {
        let (actions, of) = (self.actions.describe(), self.selection.describe());
        vec![format!("attributes: {actions}{of}")]
    }

    fn build(&self, with: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory> {
        Arc::new(AttributesFactory {
            actions: self.actions.clone(),
            selection: self.selection.clone(),
            signal: with.signal,
        })
    }
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let selected = matching::config::read(keys);
    let actions = actions::config::read("actions", keys);
    let (selection, signals) = selected?;
    Some(ProcessorRole::Item(Arc::new(AttributesSettings {
        actions: actions?,
        selection,
        signals,
    })))
}
