/*!
The one message of a call: joined where it came in pieces, and unpacked.

What is joined is charged and may have to give way: see
[`partial`](crate::receiver::partial).
*/

use super::frame::{self, too_large};
use crate::{
    pipeline::{Refusal, RefusalKind},
    receiver::{
        inflate::{self, Coding, InflateError},
        partial::{PartialBodies, PartialBody},
    },
};
use std::rc::Rc;

/// The pieces of a message so far, with its prefix.
#[derive(Debug, Default)]
pub(crate) struct PartialMessage(Option<PartialBody>);

impl PartialMessage {
    /// Returns how many bytes have come.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, PartialBody::len)
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
        bodies: &Rc<PartialBodies>,
    ) -> Result<(), Refusal> {
        if piece.is_empty() {
            return Ok(());
        }
        let check =
            |so_far: &[u8]| frame::check(so_far, limit).map_err(|error| error.refusal(limit));
        let body = self.0.get_or_insert_with(|| bodies.begin());
        body.check()?;
        let most = match body.len() {
            0 => check(piece)?,
            _ => body.look(check)?,
        };
        body.add(piece, most)?;
        body.look(check).map(|_| ())
    }

    /// Returns the body with all that has come.
    pub(crate) fn into_body(self) -> Option<PartialBody> {
        self.0
    }
}

/// Returns the message of a whole body, and how it is compressed. `coding` is what
/// the call's head says, or a name that is not known.
///
/// # Errors
///
/// When the body is not one message of `limit` bytes at most.
pub(crate) fn message<'b>(
    body: &'b [u8],
    coding: &Result<Coding, String>,
    limit: usize,
) -> Result<(&'b [u8], Coding), Refusal> {
    let checked = frame::check(body, limit).and_then(|_| frame::message(body));
    let (is_compressed, message) = checked.map_err(|error| error.refusal(limit))?;
    match coding {
        _ if !is_compressed => Ok((message, Coding::Identity)),
        Ok(Coding::Identity) => Err(Refusal::new(
            RefusalKind::Misframed,
            "the message is flagged as compressed, but grpc-encoding names no compression",
        )),
        Ok(coding) => Ok((message, *coding)),
        Err(name) => Err(Refusal::new(
            RefusalKind::UnsupportedCoding,
            format!(
                "grpc-encoding {name:?} is not supported: use {}",
                inflate::NAMES
            ),
        )),
    }
}

/// Refuses a message that cannot be inflated to `limit` bytes.
pub(crate) fn refuse_inflate(error: InflateError, coding: Coding, limit: usize) -> Refusal {
    match error {
        InflateError::TooLarge => too_large(format_args!(
            "the message inflates to more than {limit} bytes"
        )),
        InflateError::Corrupt(why) => {
            Refusal::malformed(format!("the message is not valid {}: {why}", coding.name()))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::{super::frame::FrameError, *};
    use crate::receiver::scratch::Scratch;

    #[test]
    fn pieces_are_joined_and_empty_ones_do_not_matter() {
        let bodies = &Scratch::unlimited().bodies;
        let mut joined = PartialMessage::default();
        for piece in [&b""[..], b"\0\0", b"\0\0\x02", b"", b"a", b"b"] {
            joined.add(piece, 10, bodies).unwrap();
        }
        assert_eq!(joined.len(), 7);
        let trailing = joined.add(b"c", 10, bodies).unwrap_err();
        assert_eq!(trailing, FrameError::Trailing.refusal(10));
        let mut joined = PartialMessage::default();
        joined.add(b"\0\0\0\0\x01", 10, bodies).unwrap();
        joined.add(b"a", 10, bodies).unwrap();
        assert_eq!(joined.into_body().unwrap().take(), b"\0\0\0\0\x01a");
    }

    #[test]
    fn a_claim_reserves_nothing() {
        let bodies = &Scratch::unlimited().bodies;
        let mut joined = PartialMessage::default();
        joined.add(b"\0\0\x40\0\0", 8 << 20, bodies).unwrap();
        assert!(joined.into_body().unwrap().take().capacity() < 128 << 10);
        let mut joined = PartialMessage::default();
        let refused = joined.add(b"\0\0\x40\0\0", 1 << 20, bodies).unwrap_err();
        let claimed = 4 << 20;
        assert_eq!(refused, FrameError::TooLarge { claimed }.refusal(1 << 20));
    }
}
