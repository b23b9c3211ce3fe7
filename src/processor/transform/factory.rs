/*! Making the instances of a `transform`. */

use super::{
    list::{List, TransformSettings},
    passes::Pass,
    resources::ResourceTransform,
    rewriter::Transform,
};
use crate::{
    config::Id,
    ottl::Context,
    pdata::Keys,
    pipeline::{ProcessorFactory, ProcessorInstance},
    processor::ottl::{ErrorMode, Group},
};

/// Makes instances, each with programs of its own: a pattern's cache is not shared.
#[derive(Debug)]
pub(crate) struct TransformFactory {
    settings: TransformSettings,
    id: String,
}

impl TransformFactory {
    pub(super) fn new(settings: TransformSettings, id: &Id) -> Self {
        Self {
            settings,
            id: id.to_string(),
        }
    }
}

/// Whether nothing but the resource has a part in it.
fn is_of_resources(group: &Group) -> bool {
    group.context == Context::Resource
        && group.conditions.error_mode != ErrorMode::Propagate
        && group.statements.iter().all(|statement| statement.is_pure())
        && group
            .conditions
            .list
            .iter()
            .all(|condition| condition.is_pure())
}

impl ProcessorFactory for TransformFactory {
    fn instance(&self, _: usize, _: &mut Keys) -> ProcessorInstance {
        let groups: Vec<Group> = self
            .settings
            .lists
            .iter()
            .filter_map(List::compile)
            .collect();
        match groups.iter().all(is_of_resources) {
            true => ProcessorInstance::Items(Box::new(ResourceTransform::new(groups, &self.id))),
            false => {
                ProcessorInstance::Requests(Box::new(Transform::new(Pass::plan(groups), &self.id)))
            }
        }
    }
}
