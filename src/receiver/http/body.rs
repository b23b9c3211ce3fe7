/*!
Collects a request body, believing nothing the sender says about its length.

The common body is one piece, and stays the very `Bytes` that hyper read. One in
several pieces is joined, charged, and may have to give way: see
[`partial`](crate::receiver::partial).
*/

use crate::{
    pipeline::{Refusal, RefusalKind},
    receiver::{
        endpoint::body_time,
        partial::{PartialBodies, PartialBody, WholeBody},
    },
};
use bytes::Bytes;
use futures_util::poll;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{fmt, rc::Rc, task::Poll, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Refuses a body for its length; `what` says what is too large.
pub(crate) fn too_large(what: impl fmt::Display) -> Refusal {
    Refusal::new(
        RefusalKind::TooLarge,
        format!("{what}; the limit is set by max_request_body_size of this receiver"),
    )
}

/// Reads `body` to its end, if it has no more than `limit` bytes. It may pause for
/// `idle`.
pub(crate) async fn collect<B>(
    mut body: B,
    limit: usize,
    idle: Duration,
    bodies: &Rc<PartialBodies>,
) -> Result<WholeBody<Bytes>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: fmt::Display,
{
    let mut whole = Bytes::new();
    let mut joined: Option<PartialBody> = None;
    let mut received = 0;
    let mut begun = None;
    while !body.is_end_stream() {
        let frame = match next(&mut body, idle, received, &mut begun).await {
            Some(Some(Ok(frame))) => frame,
            Some(Some(Err(error))) => {
                let why = format!("the request body broke off: {error}");
                return Err(Refusal::new(RefusalKind::Cancelled, why));
            }
            Some(None) => break,
            None => {
                let why = "the request body did not arrive in time: it may pause for 30 s, and \
                    must have a kilobyte a second after the first thirty";
                return Err(Refusal::new(RefusalKind::Stalled, why));
            }
        };
        // Trailers say nothing we need.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        received = received.saturating_add(piece.len());
        if received > limit {
            let what = format_args!("the body is over the limit of {limit} bytes");
            return Err(too_large(what));
        }
        if joined.is_none() && received == piece.len() && body.is_end_stream() {
            whole = piece;
        } else {
            let joined = joined.get_or_insert_with(|| bodies.begin());
            joined.add(&piece, limit)?;
        }
    }
    Ok(match joined {
        None => WholeBody::Lent(whole),
        Some(joined) => WholeBody::joined(joined),
    })
}

/// Returns the next frame; `None` when it took too long. `begun` is when the body
/// was waited for first. The common body is there already: then no clock is read and
/// no timer made.
async fn next<B>(
    body: &mut B,
    idle: Duration,
    received: usize,
    begun: &mut Option<Instant>,
) -> Option<Option<Result<Frame<Bytes>, B::Error>>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut frame = body.frame();
    if let Poll::Ready(there) = poll!(&mut frame) {
        return Some(there);
    }
    let now = Instant::now();
    let end = *begun.get_or_insert(now) + body_time(received);
    // A timer looks at the frame first, and a drip may be there by then.
    if now >= end {
        return None;
    }
    timeout_at((now + idle).min(end), frame).await.ok()
}

/// A sender that pauses for so long waits for the answer.
const LULL: Duration = Duration::from_secs(1);

/// Reads up to `most` bytes of a refused body and forgets them, until the
/// sender pauses. A server that closes with unread bytes resets an HTTP/1.1
/// connection, and many senders then never see the answer.
pub(crate) async fn discard<B>(mut body: B, most: usize, idle: Duration)
where
    B: Body<Data = Bytes> + Unpin,
{
    let until = Instant::now() + idle;
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
    use crate::{pipeline::RefusalKind, receiver::scratch::Scratch};
    use futures_util::{FutureExt, StreamExt, stream};
    use http_body_util::StreamBody;
    use std::convert::Infallible;

    const IDLE: Duration = Duration::from_secs(30);

    fn bodies() -> Rc<PartialBodies> {
        Rc::clone(&Scratch::unlimited().bodies)
    }

    fn pieces(
        pieces: &[&'static [u8]],
    ) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + use<> {
        let frames: Vec<_> = pieces
            .iter()
            .map(|p| Ok(Frame::data(Bytes::from_static(p))))
            .collect();
        StreamBody::new(stream::iter(frames))
    }

    fn kind(got: Result<WholeBody<Bytes>, Refusal>) -> RefusalKind {
        got.unwrap_err().kind
    }

    #[tokio::test]
    async fn one_piece_is_not_copied() {
        let bodies = bodies();
        let piece: &'static [u8] = b"whole";
        let body = http_body_util::Full::new(Bytes::from_static(piece));
        let got = collect(body, 10, IDLE, &bodies).await.unwrap();
        assert_eq!(got.as_ptr(), piece.as_ptr());
    }

    #[tokio::test]
    async fn pieces_are_joined_and_empty_ones_do_not_matter() {
        let bodies = bodies();
        let got = collect(pieces(&[b"", b"ab", b"", b"cd", b"e"]), 10, IDLE, &bodies)
            .await
            .unwrap();
        assert_eq!(&got[..], b"abcde");
        let got = collect(pieces(&[]), 10, IDLE, &bodies).await.unwrap();
        assert!(got.is_empty());
    }

    #[tokio::test]
    async fn the_limit_is_noticed_at_the_piece_that_passes_it() {
        let bodies = bodies();
        let body = StreamBody::new(
            stream::iter(
                [b"abc", b"def"].map(|p| Ok::<_, Infallible>(Frame::data(Bytes::from_static(p)))),
            )
            .chain(stream::pending()),
        );
        // The body never ends, so only an immediate refusal returns.
        let got = collect(body, 5, IDLE, &bodies).now_or_never();
        assert_eq!(kind(got.unwrap()), RefusalKind::TooLarge);
    }

    #[tokio::test]
    async fn a_stalled_body_is_given_up() {
        let bodies = bodies();
        let body = StreamBody::new(
            stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"abc")))])
                .chain(stream::pending()),
        );
        let got = collect(body, 5, Duration::from_millis(5), &bodies).await;
        assert_eq!(kind(got), RefusalKind::Stalled);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripping_body_is_given_up_in_the_end() {
        let bodies = bodies();
        let drips = |bytes: &'static [u8]| {
            Box::pin(stream::repeat(()).then(move |()| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(bytes)))
            }))
        };
        let begun = Instant::now();
        let got = collect(StreamBody::new(drips(b"x")), usize::MAX, IDLE, &bodies).await;
        assert_eq!(kind(got), RefusalKind::Stalled);
        assert_eq!(begun.elapsed().as_secs(), 30);
        // One that keeps the rate has its time, which ends too.
        let begun = Instant::now();
        let body = StreamBody::new(drips(&[7; 2048]));
        let got = collect(body, usize::MAX, IDLE, &bodies).await;
        assert_eq!(kind(got), RefusalKind::Stalled);
        assert_eq!(begun.elapsed().as_secs(), 300);
    }
}
