/*!
A message that came in pieces.

It grows with what has arrived, never with what was claimed, and is charged to
the shard's budget for half-received bodies.
*/

use super::{
    super::body::{BodyError, Charge, HALF_RECEIVED},
    frame::{self, FrameError},
};
use crate::net::buffers as spare;

/// The pieces so far.
#[derive(Debug, Default)]
pub struct Joined {
    bytes: Vec<u8>,
    charge: Charge,
}

impl Joined {
    /// Whether nothing has come.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds a piece of a message of `limit` bytes at most.
    pub fn add(&mut self, piece: &[u8], limit: usize) -> Result<(), BodyError<FrameError>> {
        if piece.is_empty() {
            return Ok(());
        }
        if self.bytes.capacity() == 0 {
            self.bytes = spare::take();
        }
        let needed = self.bytes.len().saturating_add(piece.len());
        if self.bytes.capacity() < needed {
            // Doubles, but not past what the body may have in all.
            let so_far = if self.is_empty() { piece } else { &self.bytes };
            let most = frame::check(so_far, limit).map_err(BodyError::Refused)?;
            let target = needed.max(self.bytes.capacity().saturating_mul(2).min(most));
            self.bytes.reserve_exact(target - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        frame::check(&self.bytes, limit).map_err(BodyError::Refused)?;
        let most = limit.saturating_mul(HALF_RECEIVED);
        match self.charge.raise_to(self.bytes.len(), most) {
            true => Ok(()),
            false => Err(BodyError::Crowded),
        }
    }
}

impl std::ops::Deref for Joined {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        spare::give(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn pieces_are_joined_and_empty_ones_do_not_matter() {
        let mut joined = Joined::default();
        for piece in [&b""[..], b"\0\0", b"\0\0\x02", b"", b"a", b"b"] {
            joined.add(piece, 10).unwrap();
        }
        assert_eq!(&joined[..], b"\0\0\0\0\x02ab");
        let trailing = joined.add(b"c", 10).unwrap_err();
        assert_eq!(trailing, BodyError::Refused(FrameError::Trailing));
    }

    #[test]
    fn a_claim_reserves_nothing() {
        let mut joined = Joined::default();
        joined.add(b"\0\0\x40\0\0", 8 << 20).unwrap();
        assert!(joined.bytes.capacity() < 128 << 10);
        let mut joined = Joined::default();
        let refused = joined.add(b"\0\0\x40\0\0", 1 << 20).unwrap_err();
        let claimed = 4 << 20;
        assert_eq!(
            refused,
            BodyError::Refused(FrameError::TooLarge { claimed })
        );
    }

    #[test]
    fn half_received_messages_share_a_budget() {
        let half = || {
            let mut joined = Joined::default();
            joined.add(b"\0\0\0\0\x03abc", 8).map(|()| joined)
        };
        let held: Vec<_> = (0..4).map(|_| half().unwrap()).collect();
        assert_eq!(half().unwrap_err(), BodyError::Crowded);
        drop(held);
        half().unwrap();
    }
}
