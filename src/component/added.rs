/*!
The processor that is put first into pipelines of traces that lack it: a file that
was written for another collector does not name it, and is run for its sake.
*/

use super::{Pipeline, section::Section};
use crate::{
    config::{Id, Reading, Spot, keys},
    processor::{ConfiguredProcessor, ProcessorRole},
};

/// A processor, and its settings: those of the file, if it defines one of the name,
/// else the defaults.
pub(super) struct AddedProcessor(ConfiguredProcessor);

impl AddedProcessor {
    /// The processor of this kind; `read` is what the components of `section` were
    /// read as.
    pub(super) fn new<'n>(
        kind: &'static str,
        section: &Section<'n, ProcessorRole>,
        read: &[Option<ProcessorRole>],
        cx: &'n Reading<'n>,
    ) -> Option<Self> {
        let id = Id::of(kind);
        let role = match section.find(kind) {
            Some(at) => read.get(at).cloned().flatten(),
            None => {
                let kind = section.table.kind(kind)?;
                let path = format!("processors.{}", kind.name);
                keys::read_nothing(&path, cx, |keys| (kind.read)(&id, keys))
            }
        };
        match role? {
            ProcessorRole::Item(settings) => Some(Self(ConfiguredProcessor { id, settings })),
            ProcessorRole::Batch(_) | ProcessorRole::Memory(_) => None,
        }
    }

    /// Puts it first into `pipeline`, which is defined at `spot`, if it is for its
    /// signal and not there.
    pub(super) fn add_to(&self, pipeline: &mut Pipeline, spot: Spot, cx: &Reading<'_>) {
        let Self(added) = self;
        let is_there = pipeline
            .processors
            .iter()
            .any(|processor| processor.id.kind == added.id.kind);
        if is_there || pipeline.receivers.is_empty() {
            return;
        }
        if added.settings.signals().contains(&pipeline.signal) {
            let message = format!(
                "{} is put first, so that Kiali finds the traces; --no-auto-mesh leaves it out",
                added.id
            );
            cx.warn(Some(spot), &message);
            pipeline.processors.insert(0, added.clone());
        }
    }
}
