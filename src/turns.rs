/*!
A queue in which peers take turns, each with its oldest entry, so that one that
asks for much waits for itself.
*/

use std::{collections::VecDeque, net::IpAddr};

/// Entries that wait, by peer.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    /// Peers with something that waits, the next one first. None is without.
    peers: VecDeque<(IpAddr, VecDeque<T>)>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            peers: VecDeque::new(),
        }
    }
}

impl<T> Turns<T> {
    /// Adds an entry of `peer`.
    pub(crate) fn push(&mut self, peer: IpAddr, entry: T) {
        match self.peers.iter_mut().find(|(known, _)| *known == peer) {
            Some((_, waiting)) => waiting.push_back(entry),
            None => self.peers.push_back((peer, VecDeque::from([entry]))),
        }
    }

    /// Takes the oldest entry of the peer whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let (peer, mut waiting) = self.peers.pop_front()?;
        let entry = waiting.pop_front();
        if !waiting.is_empty() {
            self.peers.push_back((peer, waiting));
        }
        entry
    }

    /// Returns how many entries of `peer` wait.
    pub(crate) fn waiting(&self, peer: IpAddr) -> usize {
        let own = self.peers.iter().find(|(known, _)| *known == peer);
        own.map_or(0, |(_, waiting)| waiting.len())
    }

    /// Keeps the entries for which `keep` is true.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.peers.retain_mut(|(_, waiting)| {
            waiting.retain(&mut keep);
            !waiting.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_take_turns() {
        let [a, b] = [1, 2].map(|n| IpAddr::from([127, 0, 0, n]));
        let mut turns = Turns::default();
        for (peer, entry) in [(a, 1), (a, 2), (a, 3), (b, 4), (b, 5), (a, 6)] {
            turns.push(peer, entry);
        }
        assert_eq!((turns.waiting(a), turns.waiting(b)), (4, 2));
        turns.retain(|entry| *entry != 6);
        let order: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(order, [1, 4, 2, 5, 3]);
        assert!(turns.peers.is_empty());
    }
}
