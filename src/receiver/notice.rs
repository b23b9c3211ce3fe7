/*!
What becomes of a refusal besides its reply: it is counted, and the first of each
kind is logged where operators look.
*/

use crate::{
    net::notice::SeenKinds,
    pipeline::{Refusal, RefusalKind},
    telemetry::ReceiverStats,
};
use std::net::SocketAddr;

static SEEN: SeenKinds = SeenKinds::new();

/// Counts a refusal and logs it.
pub(crate) fn note_refusal(refusal: &Refusal, stats: &ReceiverStats, peer: SocketAddr) {
    stats.refused_requests.add(1);
    if is_unauthenticated(refusal.kind) {
        stats.unauthenticated_requests.add(1);
    }
    let Refusal { kind, message } = refusal;
    if !SEEN.is_first(number(*kind)) {
        tracing::debug!(%peer, ?kind, "{message}");
    } else if is_misdirected(*kind) {
        tracing::error!(%peer, "{message} (said once; more at debug level)");
    } else {
        tracing::warn!(
            %peer,
            "request refused: {message} (this kind is said once; more at debug level)"
        );
    }
}

/// Returns true if the sender has not proved who it is.
pub(crate) fn is_unauthenticated(kind: RefusalKind) -> bool {
    matches!(
        kind,
        RefusalKind::MissingCredentials | RefusalKind::WrongCredentials
    )
}

/// Returns true if the sender's configuration is wrong, so that everything it
/// sends is lost.
fn is_misdirected(kind: RefusalKind) -> bool {
    matches!(
        kind,
        RefusalKind::GrpcOverHttp1 | RefusalKind::HttpOnGrpcPort | RefusalKind::GrpcOnHttpPort
    )
}

fn number(kind: RefusalKind) -> u32 {
    match kind {
        RefusalKind::Malformed => 0,
        RefusalKind::Misframed => 1,
        RefusalKind::MessageCount => 2,
        RefusalKind::TooLarge => 3,
        RefusalKind::UnsupportedCoding => 4,
        RefusalKind::UnsupportedContent => 5,
        RefusalKind::MissingCredentials => 6,
        RefusalKind::WrongCredentials => 7,
        RefusalKind::NotServed => 8,
        RefusalKind::MethodNotAllowed => 9,
        RefusalKind::NotFound => 10,
        RefusalKind::GrpcOverHttp1 => 11,
        RefusalKind::NotGrpc => 12,
        RefusalKind::HttpOnGrpcPort => 13,
        RefusalKind::GrpcOnHttpPort => 14,
        RefusalKind::Stalled => 15,
        RefusalKind::Cancelled => 16,
        RefusalKind::Busy { .. } => 17,
        RefusalKind::Unavailable { .. } => 18,
        RefusalKind::Failed => 19,
    }
}
