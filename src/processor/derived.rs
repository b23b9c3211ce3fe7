/*!
What became of resources, for processors that decide by the resource, and perhaps by who sent
it: worked out once for each, so that an item costs a comparison or a look into a table.

Ids are void once the table of resources was emptied: a processor's `forget` is this one's.
*/

use crate::pipeline::ResourceId;
use hashbrown::HashMap;
use std::net::IpAddr;

/// Answers that are remembered: beyond, all are forgotten. A mesh has far fewer resources.
const MOST: usize = 8192;

/// A resource, and who sent it where that counts.
type Asked = (ResourceId, Option<IpAddr>);

/// Answers by resource.
#[derive(Debug)]
pub(super) struct Derived<A> {
    known: HashMap<Asked, A, foldhash::fast::RandomState>,
    /// That of the item before, which nearly always has the same resource.
    last: Option<(Asked, A)>,
}

impl<A> Default for Derived<A> {
    fn default() -> Self {
        Self {
            known: HashMap::default(),
            last: None,
        }
    }
}

impl<A: Copy> Derived<A> {
    /// Returns what is remembered of a resource.
    pub(super) fn get(&mut self, id: ResourceId, peer: Option<IpAddr>) -> Option<A> {
        let asked = (id, peer);
        if let Some((before, answer)) = self.last
            && before == asked
        {
            return Some(answer);
        }
        let answer = *self.known.get(&asked)?;
        self.last = Some((asked, answer));
        Some(answer)
    }

    /// Remembers an answer, and returns it.
    pub(super) fn put(&mut self, id: ResourceId, peer: Option<IpAddr>, answer: A) -> A {
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert((id, peer), answer);
        self.last = Some(((id, peer), answer));
        answer
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Forgets all.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Resources;

    #[test]
    fn answers_are_those_of_the_resource_and_the_sender() {
        let mut resources = Resources::default();
        let [a, b] = [b"a", b"b"].map(|payload| resources.intern(payload, b"", b""));
        let peer = Some(IpAddr::from([10, 0, 0, 1]));
        let mut derived = Derived::default();
        assert_eq!(derived.get(a, None), None);
        assert_eq!(derived.put(a, None, 1), 1);
        assert_eq!(derived.put(a, peer, 2), 2);
        assert_eq!(derived.put(b, None, 3), 3);
        for (id, peer, answer) in [(a, None, 1), (a, peer, 2), (b, None, 3), (b, None, 3)] {
            assert_eq!(derived.get(id, peer), Some(answer));
        }
        assert_eq!(derived.get(b, peer), None);
        derived.forget();
        assert_eq!(derived.get(b, None), None);
    }

    #[test]
    fn they_are_bounded() {
        let mut resources = Resources::default();
        let id = resources.intern(b"a", b"", b"");
        let mut derived = Derived::default();
        for n in 0..3 * MOST as u32 {
            derived.put(id, Some(IpAddr::from(n.to_be_bytes())), n);
            assert!(derived.len() <= MOST);
        }
    }
}
