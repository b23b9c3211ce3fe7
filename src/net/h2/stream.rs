/*!
The streams of a connection (RFC 9113, 5.1).

A stream is here from its head until both sides are done with it. Identifiers
only grow, so new ones go to the end, and finding one is a search among a few.
Of those that are over the last are remembered, because what a peer had already
sent when it heard of the end is no fault of its.
*/

use super::flow::{Inflow, Outflow};

/// How many streams that are over are remembered, of each sort.
const REMEMBERED: usize = 64;

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEnd {
    /// Not yet: more will come.
    Open,
    /// With its last octet.
    Stream,
    /// With this header block.
    Trailers(&'static [u8]),
}

/// What of an answer waits for the peer's windows.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sent: usize,
    pub(crate) end: ReplyEnd,
}

/// A stream that is not over.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    /// The peer has not ended its request.
    pub(crate) is_open: bool,
    /// What `content-length` said, less what has come.
    pub(crate) missing: Option<u64>,
    pub(crate) inflow: Inflow,
    pub(crate) outflow: Outflow,
    pub(crate) outgoing: Option<Box<Outgoing>>,
}

/// Why a stream is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// Nobody has opened it.
    Idle,
    /// We have ended it before the peer did.
    Refused,
    /// It is over, and the peer knows.
    Closed,
    /// It was passed over, or is forgotten.
    Unknown,
}

/// A few identifiers; the oldest give way.
#[derive(Debug, Default)]
struct Recent {
    ids: Vec<u32>,
    next: usize,
}

impl Recent {
    fn add(&mut self, id: u32) {
        match self.ids.get_mut(self.next) {
            Some(oldest) => *oldest = id,
            None => self.ids.push(id),
        }
        self.next = (self.next + 1) % REMEMBERED;
    }
}

/// All streams of a connection.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: Vec<Stream>,
    /// The highest identifier seen.
    last: u32,
    refused: Recent,
    closed: Recent,
}

impl Streams {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Returns true if no stream is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The highest identifier seen.
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    /// Notes that the peer has used an identifier.
    pub(crate) fn note(&mut self, id: u32) {
        self.last = id;
    }

    /// Adds the newest.
    pub(crate) fn add(&mut self, stream: Stream) {
        self.open.push(stream);
    }

    fn position(&self, id: u32) -> Result<usize, usize> {
        self.open.binary_search_by_key(&id, |stream| stream.id)
    }

    /// One that is not over.
    pub(crate) fn get(&mut self, id: u32) -> Option<&mut Stream> {
        let at = self.position(id).ok()?;
        self.open.get_mut(at)
    }

    /// All of them, the oldest first.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.open.iter_mut()
    }

    /// Where one is that is not here.
    pub(crate) fn absent(&self, id: u32) -> Absent {
        // An even identifier would be one that we had opened.
        if id > self.last || id.is_multiple_of(2) {
            Absent::Idle
        } else if self.refused.ids.contains(&id) {
            Absent::Refused
        } else if self.closed.ids.contains(&id) || id == self.last {
            Absent::Closed
        } else {
            Absent::Unknown
        }
    }

    /// Ends one; `heard`: the peer knows, because it has ended it, too.
    pub(crate) fn remove(&mut self, id: u32, heard: bool) -> Option<Stream> {
        let stream = self.position(id).ok().map(|at| self.open.remove(at));
        match heard {
            true => self.closed.add(id),
            false => self.refused.add(id),
        }
        stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(id: u32) -> Stream {
        Stream {
            id,
            is_open: true,
            missing: None,
            inflow: Inflow::new(1),
            outflow: Outflow::new(1),
            outgoing: None,
        }
    }

    #[test]
    fn what_is_over_is_remembered_for_a_while() {
        let mut streams = Streams::default();
        for id in [1, 5, 7, 9] {
            streams.note(id);
            streams.add(stream(id));
        }
        assert!(streams.remove(5, true).is_some_and(|s| s.id == 5));
        assert!(streams.remove(7, false).is_some_and(|s| s.id == 7));
        assert!(streams.get(5).is_none() && streams.get(9).is_some());
        let absent = [3, 5, 7, 11, 2].map(|id| streams.absent(id));
        use Absent::*;
        assert_eq!(absent, [Unknown, Closed, Refused, Idle, Idle]);
        for id in (11..).step_by(2).take(REMEMBERED) {
            streams.note(id);
            streams.add(stream(id));
            streams.remove(id, true);
        }
        assert_eq!([5, 7].map(|id| streams.absent(id)), [Unknown, Refused]);
        assert_eq!(streams.len(), 2);
    }
}
