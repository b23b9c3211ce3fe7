/*!
What receivers count of requests and connections that they did not take.
*/

use super::{Counters, LimitedPeers, metric::counters};

counters! {
    /// Requests that one listener refused on one shard. A field is named like the
    /// kind of refusal, and so is the label.
    pub struct RefusedRequests ["receiver", "transport"] {
        /// Requests refused, by reason.
        malformed: "wayspan_receiver_refused_requests" {"reason" = "malformed"},
        /// Requests refused, by reason.
        misframed: "wayspan_receiver_refused_requests" {"reason" = "misframed"},
        /// Requests refused, by reason.
        message_count: "wayspan_receiver_refused_requests" {"reason" = "message_count"},
        /// Requests refused, by reason.
        too_large: "wayspan_receiver_refused_requests" {"reason" = "too_large"},
        /// Requests refused, by reason.
        unsupported_coding: "wayspan_receiver_refused_requests" {"reason" = "unsupported_coding"},
        /// Requests refused, by reason.
        unsupported_content: "wayspan_receiver_refused_requests" {"reason" = "unsupported_content"},
        /// Requests refused, by reason.
        missing_credentials: "wayspan_receiver_refused_requests" {"reason" = "missing_credentials"},
        /// Requests refused, by reason.
        wrong_credentials: "wayspan_receiver_refused_requests" {"reason" = "wrong_credentials"},
        /// Requests refused, by reason.
        not_served: "wayspan_receiver_refused_requests" {"reason" = "not_served"},
        /// Requests refused, by reason.
        method_not_allowed: "wayspan_receiver_refused_requests" {"reason" = "method_not_allowed"},
        /// Requests refused, by reason.
        not_found: "wayspan_receiver_refused_requests" {"reason" = "not_found"},
        /// Requests refused, by reason.
        grpc_over_http1: "wayspan_receiver_refused_requests" {"reason" = "grpc_over_http1"},
        /// Requests refused, by reason.
        not_grpc: "wayspan_receiver_refused_requests" {"reason" = "not_grpc"},
        /// Requests refused, by reason.
        http_on_grpc_port: "wayspan_receiver_refused_requests" {"reason" = "http_on_grpc_port"},
        /// Requests refused, by reason.
        grpc_on_http_port: "wayspan_receiver_refused_requests" {"reason" = "grpc_on_http_port"},
        /// Requests refused, by reason.
        stalled: "wayspan_receiver_refused_requests" {"reason" = "stalled"},
        /// Requests refused, by reason.
        cancelled: "wayspan_receiver_refused_requests" {"reason" = "cancelled"},
        /// Requests refused, by reason.
        busy: "wayspan_receiver_refused_requests" {"reason" = "busy"},
        /// Requests refused, by reason.
        unavailable: "wayspan_receiver_refused_requests" {"reason" = "unavailable"},
        /// Requests refused, by reason.
        failed: "wayspan_receiver_refused_requests" {"reason" = "failed"},
    }
}

counters! {
    /// Connections that one listener closed for want of room: the accepting thread's.
    pub(crate) struct AcceptStats ["receiver", "transport"] {
        /// Connections closed unread, since there was no room. By reason: limit, as many connections as there may be; peer_limit, as many from this address.
        refused_for_limit: "wayspan_receiver_refused_connections" {"reason" = "limit"},
        /// Connections closed unread, since there was no room. By reason: limit, as many connections as there may be; peer_limit, as many from this address.
        refused_for_peer_limit: "wayspan_receiver_refused_connections" {"reason" = "peer_limit"},
        /// Connections closed before a request was taken on them, to make room for a newer one. By reason as for the refused ones.
        displaced_for_limit: "wayspan_receiver_displaced_connections" {"reason" = "limit"},
        /// Connections closed before a request was taken on them, to make room for a newer one. By reason as for the refused ones.
        displaced_for_peer_limit: "wayspan_receiver_displaced_connections" {"reason" = "peer_limit"},
        /// Times that the system had no connection to give, as for want of open files.
        failed: "wayspan_receiver_accept_errors",
    } and {
        /// Whose connections were closed.
        limited: LimitedPeers,
    }
}

counters! {
    /// Connections that one listener ended on one shard for what the peer did.
    pub struct EndedConnections ["receiver", "transport"] {
        /// Connections ended for what the peer did. By reason: flood, too much that leads to nothing; protocol, what HTTP does not allow; silent, an answer or a reader that did not come.
        flood: "wayspan_receiver_ended_connections" {"reason" = "flood"},
        /// Connections ended for what the peer did. By reason: flood, too much that leads to nothing; protocol, what HTTP does not allow; silent, an answer or a reader that did not come.
        protocol: "wayspan_receiver_ended_connections" {"reason" = "protocol"},
        /// Connections ended for what the peer did. By reason: flood, too much that leads to nothing; protocol, what HTTP does not allow; silent, an answer or a reader that did not come.
        silent: "wayspan_receiver_ended_connections" {"reason" = "silent"},
    }
}

impl RefusedRequests {
    /// Requests refused for whatever reason.
    pub fn total(&self) -> u64 {
        let all = Self::COUNTERS.iter();
        all.map(|counter| (counter.read)(self).get()).sum()
    }
}
