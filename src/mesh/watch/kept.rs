/*!
What a watcher follows, and what it keeps of each object: no more than what those that
share it ask for.
*/

use super::resource::Resource;
use crate::mesh::directory::{Annotations, KnownObjects};
use regex::Regex;

/// What is followed and kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// The kinds that are followed.
    pub(crate) resources: Vec<Resource>,
    /// Details of Pods and Namespaces are kept.
    pub(crate) details: bool,
    /// Containers of Pods are kept, too.
    pub(crate) containers: bool,
    /// The annotations that are kept.
    pub(crate) annotations: Vec<(Resource, KeyPattern)>,
}

/// Keys of labels or annotations.
#[derive(Clone, Debug)]
pub(crate) enum KeyPattern {
    /// This one.
    Exact(String),
    /// Those that match from end to end.
    Matching(Regex),
}

impl KeyPattern {
    /// Returns true if it is for `key`.
    pub(crate) fn is_match(&self, key: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == key,
            Self::Matching(regex) => regex.is_match(key),
        }
    }
}

impl Kept {
    /// What a directory is built from.
    pub(crate) fn for_names() -> Self {
        Self {
            resources: Resource::OF_DIRECTORY.to_vec(),
            ..Self::default()
        }
    }

    /// Adds what another asks for.
    pub(crate) fn add(&mut self, other: Self) {
        for resource in other.resources {
            if !self.resources.contains(&resource) {
                self.resources.push(resource);
            }
        }
        self.details |= other.details;
        self.containers |= other.containers;
        self.annotations.extend(other.annotations);
    }

    /// Returns those of an object's annotations that are kept.
    pub(super) fn annotations(&self, of: Resource, all: Option<Annotations>) -> Annotations {
        let mut kept = all.unwrap_or_default();
        let mut patterns = self.annotations.iter();
        if !patterns.any(|(resource, _)| *resource == of) {
            return Annotations::new();
        }
        kept.retain(|key, _| {
            let mut patterns = self.annotations.iter();
            patterns.any(|(resource, pattern)| *resource == of && pattern.is_match(key))
        });
        kept
    }
}

/// Is given what a watcher knows, on the watcher's thread.
pub(crate) trait ObjectFollower: std::fmt::Debug + Send {
    /// Takes the objects known now; None: nothing has changed since the last call. Called
    /// about once a second.
    fn follow(&mut self, objects: Option<&KnownObjects>);
}
