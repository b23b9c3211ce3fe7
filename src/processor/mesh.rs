/*! stub */
use super::{Decision, Processor, Resources, Span};
use crate::{mesh::Settings, pdata::Keys};
/// The `mesh` processor.
#[derive(Debug)]
pub struct Mesh {}
impl Mesh {
    /// Registers its keys and builds an instance.
    pub fn new(_settings: &Settings, _keys: &mut Keys) -> Self {
        todo!()
    }
}
impl Processor for Mesh {
    fn process(&mut self, _span: &Span<'_>, _resources: &mut Resources, _decision: &mut Decision) {
        todo!()
    }
    fn forget(&mut self) {
        todo!()
    }
}
