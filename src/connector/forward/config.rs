/*! The keys of `forward`: it has none. */

use crate::{
    config::{Id, KeyReader},
    connector::{ConfiguredConnector, ConnectorSettings},
    pdata::Signal,
};
use std::sync::Arc;

#[derive(Debug)]
struct Forward;

impl ConnectorSettings for Forward {
    fn gives(&self, signal: Signal) -> Option<Signal> {
        Some(signal)
    }

    fn passes_on(&self) -> bool {
        true
    }

    fn describe(&self) -> Vec<String> {
        vec!["the pipelines that it connects run as one".to_owned()]
    }
}

/// Reads a `forward` connector.
pub(crate) fn read(id: &Id, _: &mut KeyReader<'_>) -> Option<ConfiguredConnector> {
    Some(ConfiguredConnector {
        id: id.clone(),
        settings: Arc::new(Forward),
    })
}
