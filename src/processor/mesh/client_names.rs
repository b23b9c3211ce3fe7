/*!
A bound on span names that clients choose.

Envoy names a request that matches no route of its configuration `egress <host>`, after
the client's `Host` header. A scanner makes thousands of such names, and backends keep a list of
all names of a service. The first so many stay as they are, on each shard; all further ones
become one name.
*/

use crate::mesh::repair;
use foldhash::fast::RandomState;
use std::{collections::HashSet, hash::BuildHasher};

/// What names over the bound become.
pub(crate) const ANY: &str = "egress *";

/// The names seen so far, by their hashes.
#[derive(Debug)]
pub(crate) struct ClientNames {
    limit: u32,
    hasher: RandomState,
    seen: HashSet<u64, RandomState>,
}

impl ClientNames {
    /// Lets so many names through; 0: all.
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            hasher: RandomState::default(),
            seen: HashSet::default(),
        }
    }

    /// Returns the name that a proxy's span is to have instead of `name`, if that is one
    /// too many.
    pub(crate) fn bound(&mut self, name: &str) -> Option<&'static str> {
        if self.limit == 0 || name == ANY || repair::client_host(name).is_none() {
            return None;
        }
        let hash = self.hasher.hash_one(name);
        if self.seen.contains(&hash) {
            return None;
        }
        if self.seen.len() >= self.limit as usize {
            return Some(ANY);
        }
        self.seen.insert(hash);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_stay_and_all_others_become_one() {
        let mut names = ClientNames::new(2);
        for name in [
            "egress a.example",
            "egress b.example:80",
            "egress a.example",
        ] {
            assert_eq!(names.bound(name), None, "{name}");
        }
        for n in 0..10 {
            assert_eq!(names.bound(&format!("egress {n}.example")), Some(ANY));
        }
        for name in [
            "egress b.example:80",
            ANY,
            "ingress",
            "egress to the bank",
            "GET /",
            "",
        ] {
            assert_eq!(names.bound(name), None, "{name}");
        }
        assert_eq!(names.seen.len(), 2);
    }

    #[test]
    fn without_a_bound_nothing_is_kept() {
        let mut names = ClientNames::new(0);
        assert_eq!(names.bound("egress a.example"), None);
        assert!(names.seen.is_empty());
    }
}
