/*! The settings of a `zipkin` receiver. */

use crate::receiver::http::HttpServer;

/// Settings of a `zipkin` receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Zipkin {
    /// The server.
    pub server: HttpServer,
    /// `parse_string_tags`. Default false.
    pub parse_string_tags: bool,
}
