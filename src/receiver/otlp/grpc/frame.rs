/*!
gRPC's length-prefixed message: one flag byte, four bytes of big-endian length,
the message (gRPC over HTTP/2, "Length-Prefixed-Message").
*/

use crate::pipeline::{Refusal, RefusalKind};
use std::fmt;

/// Bytes before a message.
pub(crate) const PREFIX: usize = 5;

/// Why a unary request's body is not one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// No message at all.
    Missing,
    /// Fewer bytes than a prefix.
    ShortPrefix(usize),
    /// The body ended inside the message.
    Truncated {
        /// Bytes that came.
        got: usize,
        /// Bytes that the prefix announced.
        claimed: usize,
    },
    /// The prefix announces more than the limit.
    TooLarge {
        /// Bytes that the prefix announced.
        claimed: usize,
    },
    /// More bytes than the message.
    Trailing,
    /// A flag byte other than 0 and 1.
    Flag(u8),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Missing => {
                f.write_str("the call carried no message; Export takes exactly one")
            }
            FrameError::ShortPrefix(got) => {
                write!(
                    f,
                    "the body ended after {got} bytes, inside the 5-byte message prefix"
                )
            }
            FrameError::Truncated { got, claimed } => {
                write!(
                    f,
                    "the message prefix announces {claimed} bytes, but only {got} came"
                )
            }
            FrameError::TooLarge { claimed } => write!(f, "a message of {claimed} bytes"),
            FrameError::Trailing => {
                f.write_str("the call carried more than one message; Export takes exactly one")
            }
            FrameError::Flag(flag) => {
                write!(
                    f,
                    "the message prefix begins with {flag}; only 0 (plain) and 1 (compressed) exist"
                )
            }
        }
    }
}

impl FrameError {
    /// Makes the refusal of a body whose message may have `limit` bytes.
    pub(crate) fn refusal(self, limit: usize) -> Refusal {
        let kind = match self {
            Self::TooLarge { .. } => {
                return too_large(format_args!("{self} is over the limit of {limit} bytes"));
            }
            Self::Missing | Self::Trailing => RefusalKind::MessageCount,
            Self::ShortPrefix(_) | Self::Truncated { .. } | Self::Flag(_) => RefusalKind::Misframed,
        };
        Refusal::new(kind, self.to_string())
    }
}

/// Refuses a message for its length; `what` says what is too large.
pub(crate) fn too_large(what: impl fmt::Display) -> Refusal {
    Refusal::new(
        RefusalKind::TooLarge,
        format!("{what}; the limit is set by max_recv_msg_size_mib of the OTLP receiver"),
    )
}

fn claimed(bytes: &[u8]) -> Option<(u8, usize)> {
    let (&[flag, a, b, c, d], _) = bytes.split_first_chunk::<PREFIX>()?;
    // A u32 always fits: targets with 16-bit usize have no sockets.
    Some((flag, u32::from_be_bytes([a, b, c, d]) as usize))
}

/// Judges the bytes that have arrived so far: the length of the whole body, as
/// far as it can be told, or why it can no longer become one message.
pub(crate) fn check(so_far: &[u8], limit: usize) -> Result<usize, FrameError> {
    let Some((flag, claimed)) = claimed(so_far) else {
        return Ok(limit.saturating_add(PREFIX));
    };
    if flag > 1 {
        return Err(FrameError::Flag(flag));
    }
    if claimed > limit {
        return Err(FrameError::TooLarge { claimed });
    }
    let whole = claimed.saturating_add(PREFIX);
    if so_far.len() > whole {
        return Err(FrameError::Trailing);
    }
    Ok(whole)
}

/// The message of a complete body, and whether it is compressed.
pub(crate) fn message(body: &[u8]) -> Result<(bool, &[u8]), FrameError> {
    if body.is_empty() {
        return Err(FrameError::Missing);
    }
    let Some((flag, claimed)) = claimed(body) else {
        return Err(FrameError::ShortPrefix(body.len()));
    };
    let message = body.get(PREFIX..).unwrap_or_default();
    match message.len().cmp(&claimed) {
        std::cmp::Ordering::Less => Err(FrameError::Truncated {
            got: message.len(),
            claimed,
        }),
        std::cmp::Ordering::Greater => Err(FrameError::Trailing),
        std::cmp::Ordering::Equal if flag > 1 => Err(FrameError::Flag(flag)),
        std::cmp::Ordering::Equal => Ok((flag == 1, message)),
    }
}

/// Frames `message`, uncompressed.
pub(crate) fn encode(message: &impl prost::Message) -> bytes::Bytes {
    let len = message.encoded_len();
    let mut out = Vec::with_capacity(PREFIX + len);
    out.push(0);
    // Answers are a few hundred bytes.
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    message.encode_raw(&mut out);
    out.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_one_message() {
        assert_eq!(message(&[0, 0, 0, 0, 0]), Ok((false, &[][..])));
        assert_eq!(message(&[1, 0, 0, 0, 2, 7, 8]), Ok((true, &[7, 8][..])));
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(message(&[]), Err(FrameError::Missing));
        assert_eq!(message(&[0, 0]), Err(FrameError::ShortPrefix(2)));
        assert_eq!(
            message(&[0, 0, 0, 0, 2, 7]),
            Err(FrameError::Truncated { got: 1, claimed: 2 })
        );
        assert_eq!(message(&[0, 0, 0, 0, 1, 7, 0]), Err(FrameError::Trailing));
        assert_eq!(message(&[2, 0, 0, 0, 0]), Err(FrameError::Flag(2)));
    }

    #[test]
    fn refuses_while_bytes_arrive() {
        assert_eq!(check(&[0, 0], 10), Ok(15));
        assert_eq!(check(&[0, 0, 0, 0, 10], 10), Ok(15));
        assert_eq!(
            check(&[0, 0, 0, 0, 11], 10),
            Err(FrameError::TooLarge { claimed: 11 })
        );
        assert_eq!(
            check(&[0, 255, 255, 255, 255], 10),
            Err(FrameError::TooLarge {
                claimed: u32::MAX as usize
            })
        );
        assert_eq!(check(&[9, 0, 0, 0, 1], 10), Err(FrameError::Flag(9)));
        assert_eq!(check(&[0, 0, 0, 0, 1, 7, 0], 10), Err(FrameError::Trailing));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_and_both_judges_agree(body: Vec<u8>, limit in 0_usize..64) {
            if let Ok((_, found)) = message(&body) && found.len() <= limit {
                prop_assert_eq!(check(&body, limit), Ok(body.len()));
            }
            if check(&body, limit).is_err() {
                let too_large = matches!(check(&body, limit), Err(FrameError::TooLarge { .. }));
                prop_assert!(too_large || message(&body).is_err());
            }
        }
    }
}
