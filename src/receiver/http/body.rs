/*!
Collects a request body, believing nothing the sender says about its length.

The common body is one piece, and stays the very `Bytes` that hyper read. A
body in several pieces is joined in a buffer that grows with what has arrived,
never with what was claimed, and is charged to a budget of the shard, so that
many half-sent bodies cannot add up to more memory than a few whole ones.
*/

use crate::{
    pipeline::{Refusal, RefusalKind},
    receiver::scratch::{Charge, Scratch, grow},
};
use bytes::Bytes;
use futures_util::poll;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{fmt, rc::Rc, task::Poll, time::Duration};
use tokio::time::{Instant, timeout_at};

/// What a sender is told whose body finds no room among others.
const CROWDED: &str = "too many half-sent requests at once";

/// How long to wait for a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For the next piece.
    pub(crate) idle: Duration,
    /// For all of it.
    pub(crate) total: Duration,
}

/// A whole body, and the budget it holds until it is dropped.
#[derive(Debug)]
pub(crate) struct Collected {
    bytes: Bytes,
    _charge: Charge,
}

impl std::ops::Deref for Collected {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Refuses a body for its length; `what` says what is too large.
pub(crate) fn too_large(what: impl fmt::Display) -> Refusal {
    Refusal::new(
        RefusalKind::TooLarge,
        format!("{what}; the limit is set by max_request_body_size of this receiver"),
    )
}

/// Reads `body` to its end, if it has no more than `limit` bytes.
pub(crate) async fn collect<B>(
    mut body: B,
    limit: usize,
    patience: Patience,
    scratch: &Rc<Scratch>,
) -> Result<Collected, Refusal>
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
            Some(Some(Err(error))) => {
                let why = format!("the request body broke off: {error}");
                return Err(Refusal::new(RefusalKind::Cancelled, why));
            }
            Some(None) => break,
            None => {
                let why = "the request body did not arrive in time";
                return Err(Refusal::new(RefusalKind::Stalled, why));
            }
        };
        // Trailers say nothing we need.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let length = first.len().max(joined.len()).saturating_add(piece.len());
        if length > limit {
            let what = format_args!("the body is over the limit of {limit} bytes");
            return Err(too_large(what));
        }
        if first.is_empty() {
            first = piece;
        } else {
            if joined.is_empty() {
                grow(&mut joined, length, limit);
                joined.extend_from_slice(&first);
            }
            grow(&mut joined, piece.len(), limit);
            joined.extend_from_slice(&piece);
        }
        if !body.is_end_stream() && !charge.raise_to(length, limit, scratch) {
            return Err(Refusal::crowded(CROWDED));
        }
    }
    let bytes = match joined.is_empty() {
        true => first,
        false => Bytes::from(joined),
    };
    Ok(Collected {
        bytes,
        _charge: charge,
    })
}

/// Returns the next frame; `None` when patience is over, whose end for the whole
/// body is kept in `end`. The common body is there already: then no clock is read
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
pub(crate) async fn discard<B>(mut body: B, most: usize, patience: Patience)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::pipeline::RefusalKind;
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

    fn kind(got: Result<Collected, Refusal>) -> RefusalKind {
        got.unwrap_err().kind
    }

    #[tokio::test]
    async fn one_piece_is_not_copied() {
        let scratch = Scratch::unlimited();
        let piece: &'static [u8] = b"whole";
        let got = collect(pieces(&[piece]), 10, PATIENCE, &scratch)
            .await
            .unwrap();
        assert_eq!(got.as_ptr(), piece.as_ptr());
    }

    #[tokio::test]
    async fn pieces_are_joined_and_empty_ones_do_not_matter() {
        let scratch = Scratch::unlimited();
        let got = collect(
            pieces(&[b"", b"ab", b"", b"cd", b"e"]),
            10,
            PATIENCE,
            &scratch,
        )
        .await
        .unwrap();
        assert_eq!(&got[..], b"abcde");
        let got = collect(pieces(&[]), 10, PATIENCE, &scratch).await.unwrap();
        assert!(got.is_empty());
    }

    #[tokio::test]
    async fn the_limit_is_noticed_at_the_piece_that_passes_it() {
        let scratch = Scratch::unlimited();
        let body = StreamBody::new(
            stream::iter(
                [b"abc", b"def"].map(|p| Ok::<_, Infallible>(Frame::data(Bytes::from_static(p)))),
            )
            .chain(stream::pending()),
        );
        // The body never ends, so only an immediate refusal returns.
        let got = collect(body, 5, PATIENCE, &scratch).now_or_never();
        assert_eq!(kind(got.unwrap()), RefusalKind::TooLarge);
    }

    #[tokio::test]
    async fn a_stalled_body_is_given_up() {
        let scratch = Scratch::unlimited();
        let body = StreamBody::new(
            stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"abc")))])
                .chain(stream::pending()),
        );
        let patience = Patience {
            idle: Duration::from_millis(5),
            ..PATIENCE
        };
        let got = collect(body, 5, patience, &scratch).await;
        assert_eq!(kind(got), RefusalKind::Stalled);
        assert!(Charge::default().raise_to(20, 5, &scratch));
    }

    #[tokio::test]
    async fn a_dripping_body_is_given_up_in_the_end() {
        let scratch = Scratch::unlimited();
        let drips = stream::repeat(()).then(|()| async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
        });
        let most = usize::MAX;
        let patience = Patience {
            total: Duration::from_millis(5),
            ..PATIENCE
        };
        let got = collect(StreamBody::new(Box::pin(drips)), most, patience, &scratch).await;
        assert_eq!(kind(got), RefusalKind::Stalled);
    }

    #[test]
    fn half_received_bodies_share_a_budget() {
        let scratch = Scratch::unlimited();
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
            .map(|_| Box::pin(collect(waiting(), 8, PATIENCE, &scratch)))
            .collect();
        runtime.block_on(async {
            for body in &mut held {
                assert!(futures_util::poll!(body).is_pending());
            }
            let fifth = collect(waiting(), 8, PATIENCE, &scratch).await;
            assert_eq!(fifth.unwrap_err(), Refusal::crowded(CROWDED));
        });
        drop(held);
        assert!(Charge::default().raise_to(32, 8, &scratch));
    }
}
