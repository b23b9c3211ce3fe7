/*! What the instances of one `resource_detection` processor in one pipeline share. */

use super::{ResourceDetection, detected::Detected};
use crate::{
    pdata::Keys,
    pipeline::{ProcessorFactory, ProcessorInstance},
};
use std::sync::{Arc, OnceLock};

/// Makes instances of one processor.
#[derive(Debug)]
pub(super) struct DetectionFactory {
    pub(super) overrides: bool,
    /// Filled before instances are made.
    pub(super) detected: Arc<OnceLock<Detected>>,
}

impl ProcessorFactory for DetectionFactory {
    fn instance(&self, _: usize, _: &mut Keys) -> ProcessorInstance {
        let detected = self.detected.get().cloned().unwrap_or_default();
        ProcessorInstance::Items(Box::new(ResourceDetection::new(detected, self.overrides)))
    }
}
