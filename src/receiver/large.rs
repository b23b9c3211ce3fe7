/*!
What of a request decides where it is read: on its shard, or in the lane of large
requests.

A shard reads what is in proportion to what came over the wire, so that a sender
can keep it busy only by sending. 16 times is more than spans compress to.
*/

use super::{
    endpoint::ConnectionContext,
    inflate::{Coding, InflateError, inflate},
    partial::PartialBody,
};
use crate::{
    pdata::Signal,
    pipeline::{Reading, Refusal, RefusalKind, Taken},
};
use std::rc::Rc;
use tokio::{sync::oneshot, task};

/// The most that a body may inflate to on a shard, and what each may.
const MOST: usize = 1 << 20;
const FLOOR: usize = 64 << 10;

/// How many times its length a body may inflate to on a shard.
const RATIO: usize = 16;

/// The same of a format that is slow: JSON takes twenty times as long as protobuf.
const MOST_SLOW: usize = 64 << 10;

/// Returns how much a body of so many bytes on the wire may inflate to, to be read
/// on a shard.
pub(crate) fn turn_limit(wire: usize) -> usize {
    wire.saturating_mul(RATIO).clamp(FLOOR, MOST)
}

/// The same for a format that is slow to decode.
pub(crate) fn turn_limit_slow(wire: usize) -> usize {
    turn_limit(wire).min(MOST_SLOW)
}

/// Inflates what a request's body has after its first `skip` bytes, in the lane: to
/// `most` bytes, of the `limit` that the receiver has. `refuse` says what is wrong
/// with the data.
///
/// # Errors
///
/// When more comes out, or it cannot be inflated.
pub(crate) fn inflated(
    (coding, mut body, skip): (Coding, Vec<u8>, usize),
    most: usize,
    limit: usize,
    refuse: impl FnOnce(InflateError) -> Refusal,
) -> Result<Vec<u8>, Refusal> {
    let packed = body.get(skip..).unwrap_or_default();
    if coding == Coding::Identity {
        if packed.len() > most {
            return Err(too_large(most));
        }
        body.drain(..skip);
        return Ok(body);
    }
    // All at once: growing would copy it. What is not used is not resident.
    let mut out = Vec::with_capacity(most);
    match inflate(coding, packed, most, &mut out) {
        Ok(_) => Ok(out),
        Err(InflateError::TooLarge) if most < limit => Err(too_large(most)),
        Err(error) => Err(refuse(error)),
    }
}

/// Refuses a request for its length; `most` is what one may have in the lane.
fn too_large(most: usize) -> Refusal {
    Refusal::new(
        RefusalKind::TooLarge,
        format!(
            "one request may have {most} bytes now, inflated, which follows from the memory limit: \
             send smaller requests, or raise the limit of memory_limiter"
        ),
    )
}

/// Waits for room for a request of `signal` where it has to, reads it in the lane, and takes
/// what comes back piece by piece. `body` is
/// what is charged for it meanwhile. It goes on when the receiver of the outcome is
/// dropped, once it has begun to append.
pub(crate) fn take(
    context: Rc<ConnectionContext>,
    signal: Signal,
    body: PartialBody,
    read: Reading,
) -> oneshot::Receiver<Result<Taken, Refusal>> {
    let (done, outcome) = oneshot::channel();
    task::spawn_local(async move {
        let endpoint = &context.endpoint;
        let peer = context.peer.ip();
        let mut done = done;
        // Those that wait for room hold up nobody in the lane before there is some.
        let room = Rc::clone(&endpoint.ingest).room(signal);
        let reading = async {
            room.await;
            endpoint.scratch.lane.submit(peer, read).await
        };
        let result = tokio::select! {
            result = reading => result,
            () = done.closed() => return,
        };
        drop(body);
        let taken = match result {
            Err(_) => Err(Refusal::unavailable()),
            // The lane's place is held until all of it is appended.
            Ok(mut result) => match result.take() {
                Err(refusal) => Err(refusal),
                Ok(prepared) => {
                    Rc::clone(&endpoint.ingest)
                        .take_prepared(prepared, peer)
                        .await
                }
            },
        };
        let _ = done.send(taken);
    });
    outcome
}
