/*!
What becomes of a refusal besides its reply: it is counted by its kind, whose it
was is noted, and the first of each kind is logged where operators look. A
connection that is ended for what its peer did is noted likewise.
*/

use crate::{
    net::notice::SeenKinds,
    pipeline::{Refusal, RefusalKind},
    telemetry::{Count, ReceiverStats, RefusedRequests},
};
use std::net::SocketAddr;

static SEEN: SeenKinds = SeenKinds::new();

/// Counts a refusal, notes whose it is, and logs it.
pub(crate) fn note_refusal(refusal: &Refusal, stats: &ReceiverStats, peer: SocketAddr) {
    let (number, reason, count) = counter(refusal.kind, &stats.refused);
    count.add(1);
    stats.limited.note(peer.ip(), reason);
    if is_unauthenticated(refusal.kind) {
        stats.unauthenticated_requests.add(1);
    }
    let Refusal { kind, message } = refusal;
    if !SEEN.is_first(number) {
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

/// Counts a refusal of what nobody has sent, but was fetched.
#[cfg(feature = "kafka")]
pub(crate) fn count_refusal(refusal: &Refusal, stats: &ReceiverStats) {
    let (_, _, count) = counter(refusal.kind, &stats.refused);
    count.add(1);
}

/// What a peer did for which its connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerFault {
    /// Asked for much that leads to nothing.
    Flood,
    /// Did not keep to the protocol.
    Protocol,
    /// Did not read, or did not answer.
    Silent,
}

/// Counts a connection that is ended, and notes whose it is.
pub(crate) fn note_ended(fault: PeerFault, stats: &ReceiverStats, peer: SocketAddr) {
    let ended = &stats.ended;
    let (reason, count) = match fault {
        PeerFault::Flood => ("flood", &ended.flood),
        PeerFault::Protocol => ("protocol", &ended.protocol),
        PeerFault::Silent => ("silent", &ended.silent),
    };
    count.add(1);
    stats.limited.note(peer.ip(), reason);
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

/// Returns a kind's number, below 32, its name as a label, and its counter.
fn counter(kind: RefusalKind, refused: &RefusedRequests) -> (u32, &'static str, &Count) {
    match kind {
        RefusalKind::Malformed => (0, "malformed", &refused.malformed),
        RefusalKind::Misframed => (1, "misframed", &refused.misframed),
        RefusalKind::MessageCount => (2, "message_count", &refused.message_count),
        RefusalKind::TooLarge => (3, "too_large", &refused.too_large),
        RefusalKind::UnsupportedCoding => (4, "unsupported_coding", &refused.unsupported_coding),
        RefusalKind::UnsupportedContent => (5, "unsupported_content", &refused.unsupported_content),
        RefusalKind::MissingCredentials => (6, "missing_credentials", &refused.missing_credentials),
        RefusalKind::WrongCredentials => (7, "wrong_credentials", &refused.wrong_credentials),
        RefusalKind::NotServed => (8, "not_served", &refused.not_served),
        RefusalKind::MethodNotAllowed => (9, "method_not_allowed", &refused.method_not_allowed),
        RefusalKind::NotFound => (10, "not_found", &refused.not_found),
        RefusalKind::GrpcOverHttp1 => (11, "grpc_over_http1", &refused.grpc_over_http1),
        RefusalKind::NotGrpc => (12, "not_grpc", &refused.not_grpc),
        RefusalKind::HttpOnGrpcPort => (13, "http_on_grpc_port", &refused.http_on_grpc_port),
        RefusalKind::GrpcOnHttpPort => (14, "grpc_on_http_port", &refused.grpc_on_http_port),
        RefusalKind::Stalled => (15, "stalled", &refused.stalled),
        RefusalKind::Cancelled => (16, "cancelled", &refused.cancelled),
        RefusalKind::Busy { .. } => (17, "busy", &refused.busy),
        RefusalKind::Unavailable { .. } => (18, "unavailable", &refused.unavailable),
        RefusalKind::Failed => (19, "failed", &refused.failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Counters;
    use std::time::Duration;

    #[test]
    fn each_kind_has_a_counter_of_its_own_under_the_name_that_peers_are_noted_with() {
        use RefusalKind::*;
        let retry_after = Duration::ZERO;
        let kinds = [
            Malformed,
            Misframed,
            MessageCount,
            TooLarge,
            UnsupportedCoding,
            UnsupportedContent,
            MissingCredentials,
            WrongCredentials,
            NotServed,
            MethodNotAllowed,
            NotFound,
            GrpcOverHttp1,
            NotGrpc,
            HttpOnGrpcPort,
            GrpcOnHttpPort,
            Stalled,
            Cancelled,
            Busy { retry_after },
            Unavailable { retry_after },
            Failed,
        ];
        let all = RefusedRequests::COUNTERS;
        assert_eq!(all.len(), kinds.len());
        let mut numbers = 0_u32;
        for kind in kinds {
            let refused = RefusedRequests::default();
            let (number, name, count) = counter(kind, &refused);
            count.add(1);
            assert_eq!(numbers & (1 << number), 0, "{kind:?}");
            numbers |= 1 << number;
            let counted = all.iter().find(|c| (c.read)(&refused).get() == 1);
            assert_eq!(counted.map(|c| c.label), Some(&[("reason", name)][..]));
            assert_eq!(refused.total(), 1);
        }
    }
}
