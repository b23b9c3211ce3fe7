/*!
Whether a component is written as before, when the configuration is read again.

What a component is made of is its part of the tree, expanded: secrets and included
files are in it. Extensions are part of every exporter and receiver, since those name
them. Two trees that differ have different fingerprints, or so nearly always that a
reload which then changes nothing may be counted with the miracles.
*/

use crate::config::{Id, Node};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hasher as _},
};

/// What stands for a component as it is written. None: it is written nowhere.
pub(crate) type Fingerprint = Option<u64>;

/// The fingerprints of all components, by section and id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprints(HashMap<(&'static str, Id), u64>);

impl Fingerprints {
    /// Adds the component of a section that `node` describes.
    pub(super) fn add(
        &mut self,
        section: &'static str,
        id: &Id,
        node: &Node,
        extensions: Option<&Node>,
    ) {
        let mut hasher = DefaultHasher::new();
        node.hash_text(&mut hasher);
        let extensions = extensions.map_or(&[][..], Node::entries);
        for (_, extension) in extensions.iter().filter(|(name, _)| node.mentions(name)) {
            extension.hash_text(&mut hasher);
        }
        self.0.insert((section, id.clone()), hasher.finish());
    }

    /// Returns that of the component called `id`.
    pub(crate) fn of(&self, section: &'static str, id: &Id) -> Fingerprint {
        self.0.get(&(section, id.clone())).copied()
    }
}
