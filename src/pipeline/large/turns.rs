/*! A queue in which peers take turns, each with its oldest entry. */

use std::{collections::VecDeque, net::IpAddr};

#[derive(Debug)]
pub(super) struct Turns<T> {
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
    pub(super) fn push(&mut self, peer: IpAddr, entry: T) {
        match self.peers.iter_mut().find(|(known, _)| *known == peer) {
            Some((_, waiting)) => waiting.push_back(entry),
            None => self.peers.push_back((peer, VecDeque::from([entry]))),
        }
    }

    /// Takes the oldest entry of the peer whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let (peer, mut waiting) = self.peers.pop_front()?;
        let entry = waiting.pop_front();
        if !waiting.is_empty() {
            self.peers.push_back((peer, waiting));
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_take_turns() {
        let [a, b] = [1, 2].map(|n| IpAddr::from([127, 0, 0, n]));
        let mut turns = Turns::default();
        for (peer, entry) in [(a, 1), (a, 2), (a, 3), (b, 4), (b, 5)] {
            turns.push(peer, entry);
        }
        let order: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(order, [1, 4, 2, 5, 3]);
        assert!(turns.peers.is_empty());
    }
}
