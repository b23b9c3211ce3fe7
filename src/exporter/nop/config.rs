/*! `nop` has no keys. */

use super::Nop;
use crate::{
    config::{Id, KeyReader},
    exporter::{ConfiguredExporter, Exporter, ExporterSettings, Retry, SendingQueue},
    http::ConnectOptions,
};
use std::{sync::Arc, time::Duration};

/// The settings, which are none.
#[derive(Clone, Copy, Debug)]
struct NopSettings;

impl ExporterSettings for NopSettings {
    fn destination(&self) -> Option<String> {
        Some("nowhere: everything is dropped".to_owned())
    }

    fn build(
        &self,
        configured: &ConfiguredExporter,
        _: ConnectOptions,
    ) -> Result<Exporter, String> {
        Ok(Exporter::new(configured, Nop))
    }
}

pub(crate) fn read(id: &Id, _: &mut KeyReader<'_>) -> Option<ConfiguredExporter> {
    Some(ConfiguredExporter {
        id: id.clone(),
        settings: Arc::new(NopSettings),
        queue: SendingQueue::default(),
        retry: Retry::default(),
        timeout: Duration::from_secs(5),
    })
}
