/*!
The one message of a call: joined where it came in pieces, and unpacked.

Pieces grow a buffer with what has arrived, never with what was claimed, and are
charged to the shard's budget for half-received bodies.
*/

use super::frame::{self, too_large};
use crate::{
    pipeline::{Refusal, RefusalKind},
    receiver::{
        inflate::{Coding, InflateError, inflate},
        scratch::{Charge, Scratch, grow},
    },
};
use std::rc::Rc;

/// The pieces of a message so far, with its prefix.
#[derive(Debug, Default)]
pub(crate) struct PartialMessage {
    bytes: Vec<u8>,
    charge: Charge,
    /// Where the buffer goes back to; None: it has none yet.
    scratch: Option<Rc<Scratch>>,
}

impl PartialMessage {
    /// Returns true if nothing has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds a piece of a message of `limit` bytes at most.
    ///
    /// # Errors
    ///
    /// When the pieces cannot become one message, or the shard holds too many
    /// of them.
    pub(crate) fn add(
        &mut self,
        piece: &[u8],
        limit: usize,
        scratch: &Rc<Scratch>,
    ) -> Result<(), Refusal> {
        if piece.is_empty() {
            return Ok(());
        }
        if self.scratch.is_none() {
            self.bytes = scratch.pool.take();
            self.scratch = Some(Rc::clone(scratch));
        }
        let check =
            |so_far: &[u8]| frame::check(so_far, limit).map_err(|error| error.refusal(limit));
        let known = if self.is_empty() { piece } else { &self.bytes };
        let most = check(known)?;
        grow(&mut self.bytes, piece.len(), most);
        self.bytes.extend_from_slice(piece);
        check(&self.bytes)?;
        match self.charge.raise_to(self.bytes.len(), limit, scratch) {
            true => Ok(()),
            false => Err(Refusal::crowded("too many half-sent requests at once")),
        }
    }
}

impl std::ops::Deref for PartialMessage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for PartialMessage {
    fn drop(&mut self) {
        if let Some(scratch) = &self.scratch {
            scratch.pool.give(std::mem::take(&mut self.bytes));
        }
    }
}

/// Returns the message of a whole body, inflated into `out` where it is
/// compressed. `coding` is what the call's head says, or a name that is not
/// known.
///
/// # Errors
///
/// When the body is not one message of `limit` bytes at most.
pub(crate) fn unpack<'b>(
    body: &'b [u8],
    coding: &Result<Coding, String>,
    limit: usize,
    out: &'b mut Vec<u8>,
) -> Result<&'b [u8], Refusal> {
    let checked = frame::check(body, limit).and_then(|_| frame::message(body));
    let (is_compressed, message) = checked.map_err(|error| error.refusal(limit))?;
    if !is_compressed {
        return Ok(message);
    }
    let coding = match coding {
        Ok(Coding::Identity) => {
            return Err(Refusal::new(
                RefusalKind::Misframed,
                "the message is flagged as compressed, but grpc-encoding names no compression",
            ));
        }
        Ok(coding) => *coding,
        Err(name) => {
            return Err(Refusal::new(
                RefusalKind::UnsupportedCoding,
                format!("grpc-encoding {name:?} is not supported: use identity, gzip or zstd"),
            ));
        }
    };
    inflate(coding, message, limit, out).map_err(|error| match error {
        InflateError::TooLarge => too_large(format_args!(
            "the message inflates to more than {limit} bytes"
        )),
        InflateError::Corrupt(why) => {
            Refusal::malformed(format!("the message is not valid {}: {why}", coding.name()))
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::{super::frame::FrameError, *};

    #[test]
    fn pieces_are_joined_and_empty_ones_do_not_matter() {
        let scratch = Scratch::unlimited();
        let mut joined = PartialMessage::default();
        for piece in [&b""[..], b"\0\0", b"\0\0\x02", b"", b"a", b"b"] {
            joined.add(piece, 10, &scratch).unwrap();
        }
        assert_eq!(&joined[..], b"\0\0\0\0\x02ab");
        let trailing = joined.add(b"c", 10, &scratch).unwrap_err();
        assert_eq!(trailing, FrameError::Trailing.refusal(10));
    }

    #[test]
    fn a_claim_reserves_nothing() {
        let scratch = Scratch::unlimited();
        let mut joined = PartialMessage::default();
        joined.add(b"\0\0\x40\0\0", 8 << 20, &scratch).unwrap();
        assert!(joined.bytes.capacity() < 128 << 10);
        let mut joined = PartialMessage::default();
        let refused = joined.add(b"\0\0\x40\0\0", 1 << 20, &scratch).unwrap_err();
        let claimed = 4 << 20;
        assert_eq!(refused, FrameError::TooLarge { claimed }.refusal(1 << 20));
    }

    #[test]
    fn half_received_messages_share_a_budget() {
        let scratch = Scratch::unlimited();
        let half = || {
            let mut joined = PartialMessage::default();
            joined.add(b"\0\0\0\0\x03abc", 8, &scratch).map(|()| joined)
        };
        let held: Vec<_> = (0..4).map(|_| half().unwrap()).collect();
        assert!(matches!(half().unwrap_err().kind, RefusalKind::Busy { .. }));
        drop(held);
        half().unwrap();
    }
}
