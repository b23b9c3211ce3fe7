/*!
Collects a request body, believing nothing the sender says about its length.

The common body is one piece, and stays the very `Bytes` that hyper read. A
body in several pieces is joined in a buffer that grows with what has arrived,
never with what was claimed, and is charged to a budget of the shard, so that
many half-sent bodies cannot add up to more memory than a few whole ones.
*/

use crate::queue::purse;
use bytes::Bytes;
use futures_util::poll;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{cell::Cell, fmt, task::Poll, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How many bodies of the largest allowed size may be half-received on one
/// shard at once.
pub const HALF_RECEIVED: usize = 4;

/// Why a body could not be collected.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError<E> {
    /// The check refused it.
    Refused(E),
    /// The shard holds too many half-received bodies.
    Crowded,
    /// The sender stopped sending.
    Stalled,
    /// The stream broke.
    Broken(String),
}

/// How long to wait for a body.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the next piece.
    pub idle: Duration,
    /// For all of it.
    pub total: Duration,
}

/// A whole body, and the budget it holds until it is dropped.
#[derive(Debug)]
pub struct Collected {
    bytes: Bytes,
    _charge: Charge,
}

impl std::ops::Deref for Collected {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads `body` to its end. After each piece `check` sees all bytes so far and
/// returns the most that the whole body may have, or refuses at once. `limit`
/// is the configured limit of one body.
pub async fn collect<B, E>(
    mut body: B,
    limit: usize,
    patience: Patience,
    check: impl Fn(&[u8]) -> Result<usize, E>,
) -> Result<Collected, BodyError<E>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: fmt::Display,
{
    let mut first = Bytes::new();
    let mut joined = Vec::new();
    let mut charge = Charge::default();
    let mut end = None;
    while !body.is_end_stream() {
        let frame = match next(&mut body, patience, &mut end).await {
            Some(Some(Ok(frame))) => frame,
            Some(Some(Err(error))) => return Err(BodyError::Broken(error.to_string())),
            Some(None) => break,
            None => return Err(BodyError::Stalled),
        };
        // Trailers say nothing we need.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let so_far = if first.is_empty() && joined.is_empty() {
            first = piece;
            &first[..]
        } else {
            let len = if joined.is_empty() {
                first.len()
            } else {
                joined.len()
            };
            let needed = len.saturating_add(piece.len());
            if joined.capacity() < needed {
                // Doubles, but not past what the body may have in all.
                let most = check(&first[..]).map_err(BodyError::Refused)?;
                let target = needed.max(joined.capacity().saturating_mul(2).min(most));
                joined.reserve_exact(target.saturating_sub(joined.len()));
            }
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&piece);
            &joined[..]
        };
        check(so_far).map_err(BodyError::Refused)?;
        if !body.is_end_stream()
            && !charge.raise_to(so_far.len(), limit.saturating_mul(HALF_RECEIVED))
        {
            return Err(BodyError::Crowded);
        }
    }
    let bytes = if joined.is_empty() {
        first
    } else {
        Bytes::from(joined)
    };
    Ok(Collected {
        bytes,
        _charge: charge,
    })
}

/// The next frame; `None` when patience is over, whose end for the whole body
/// is kept in `end`. The common body is there already: then no clock is read
/// and no timer made.
async fn next<B>(
    body: &mut B,
    patience: Patience,
    end: &mut Option<Instant>,
) -> Option<Option<Result<Frame<Bytes>, B::Error>>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut frame = body.frame();
    if let Poll::Ready(there) = poll!(&mut frame) {
        return Some(there);
    }
    let now = Instant::now();
    let end = *end.get_or_insert(now + patience.total);
    // A timer looks at the frame first, and a drip may be there by then.
    if now >= end {
        return None;
    }
    timeout_at((now + patience.idle).min(end), frame).await.ok()
}

/// A sender that pauses for so long waits for the answer.
const LULL: Duration = Duration::from_secs(1);

/// Reads up to `most` bytes of a refused body and forgets them, until the
/// sender pauses. A server that closes with unread bytes resets an HTTP/1.1
/// connection, and many senders then never see the answer.
pub async fn discard<B>(mut body: B, most: usize, patience: Patience)
where
    B: Body<Data = Bytes> + Unpin,
{
    let until = Instant::now() + patience.idle;
    let mut seen = 0_usize;
    while !body.is_end_stream() && seen < most {
        let pause = Instant::now() + LULL;
        let Ok(Some(Ok(frame))) = timeout_at(until.min(pause), body.frame()).await else {
            return;
        };
        seen = seen.saturating_add(frame.data_ref().map_or(0, Bytes::len));
    }
}

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// A share of this thread's budget for half-received bodies, and of what the
/// process may hold at all.
#[derive(Debug, Default)]
pub struct Charge(usize);

impl Charge {
    /// Raises the share to `bytes`; false, and no change, when the thread
    /// would then hold more than `most`.
    pub fn raise_to(&mut self, bytes: usize, most: usize) -> bool {
        let more = bytes.saturating_sub(self.0);
        let held = HELD.get().saturating_add(more);
        if held > most || !purse::hold(more) {
            return false;
        }
        HELD.set(held);
        self.0 += more;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        HELD.set(HELD.get().saturating_sub(self.0));
        purse::release(self.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use futures_util::{FutureExt, StreamExt, stream};
    use http_body_util::StreamBody;
    use std::convert::Infallible;

    const PATIENCE: Patience = Patience {
        idle: Duration::from_secs(30),
        total: Duration::from_secs(300),
    };

    fn pieces(
        pieces: &[&'static [u8]],
    ) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + use<> {
        let frames: Vec<_> = pieces
            .iter()
            .map(|p| Ok(Frame::data(Bytes::from_static(p))))
            .collect();
        StreamBody::new(stream::iter(frames))
    }

    fn at_most(limit: usize) -> impl Fn(&[u8]) -> Result<usize, usize> {
        move |seen| {
            if seen.len() > limit {
                Err(seen.len())
            } else {
                Ok(limit)
            }
        }
    }

    #[tokio::test]
    async fn one_piece_is_not_copied() {
        let piece: &'static [u8] = b"whole";
        let got = collect(pieces(&[piece]), 10, PATIENCE, at_most(10))
            .await
            .unwrap();
        assert_eq!(got.as_ptr(), piece.as_ptr());
    }

    #[tokio::test]
    async fn pieces_are_joined_and_empty_ones_do_not_matter() {
        let got = collect(
            pieces(&[b"", b"ab", b"", b"cd", b"e"]),
            10,
            PATIENCE,
            at_most(10),
        )
        .await
        .unwrap();
        assert_eq!(&got[..], b"abcde");
        let got = collect(pieces(&[]), 10, PATIENCE, at_most(10))
            .await
            .unwrap();
        assert!(got.is_empty());
    }

    #[tokio::test]
    async fn the_limit_is_noticed_at_the_piece_that_passes_it() {
        let body = StreamBody::new(
            stream::iter(
                [b"abc", b"def"].map(|p| Ok::<_, Infallible>(Frame::data(Bytes::from_static(p)))),
            )
            .chain(stream::pending()),
        );
        // The body never ends, so only an immediate refusal returns.
        let got = collect(body, 5, PATIENCE, at_most(5)).now_or_never();
        assert_eq!(got.unwrap().unwrap_err(), BodyError::Refused(6));
    }

    #[tokio::test]
    async fn a_stalled_body_is_given_up() {
        let body = StreamBody::new(
            stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"abc")))])
                .chain(stream::pending()),
        );
        let patience = Patience {
            idle: Duration::from_millis(5),
            ..PATIENCE
        };
        let got = collect(body, 5, patience, at_most(5)).await;
        assert_eq!(got.unwrap_err(), BodyError::Stalled);
        assert_eq!(HELD.get(), 0);
    }

    #[tokio::test]
    async fn a_dripping_body_is_given_up_in_the_end() {
        let drips = stream::repeat(()).then(|()| async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
        });
        let most = usize::MAX;
        let patience = Patience {
            total: Duration::from_millis(5),
            ..PATIENCE
        };
        let got = collect(
            StreamBody::new(Box::pin(drips)),
            most,
            patience,
            at_most(most),
        )
        .await;
        assert_eq!(got.unwrap_err(), BodyError::Stalled);
    }

    #[test]
    fn half_received_bodies_share_a_budget() {
        let waiting = || {
            StreamBody::new(
                stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(
                    b"12345678",
                )))])
                .chain(stream::pending()),
            )
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        // Limit 8: four bodies of 8 bytes may wait, the fifth may not.
        let mut held: Vec<_> = (0..4)
            .map(|_| Box::pin(collect(waiting(), 8, PATIENCE, at_most(8))))
            .collect();
        runtime.block_on(async {
            for body in &mut held {
                assert!(futures_util::poll!(body).is_pending());
            }
            let fifth = collect(waiting(), 8, PATIENCE, at_most(8)).await;
            assert_eq!(fifth.unwrap_err(), BodyError::Crowded);
        });
        drop(held);
        assert_eq!(HELD.get(), 0);
    }
}
