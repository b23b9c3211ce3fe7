/*! The checked settings of a `zipkin` exporter. */

use crate::{http::ClientSettings, zipkin::ExportOptions};

/// `format` of a request's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZipkinFormat {
    /// JSON.
    #[default]
    Json,
    /// Protobuf.
    Proto,
}

/// Settings of a `zipkin` exporter.
#[derive(Clone, Debug, PartialEq)]
pub struct Zipkin {
    /// How to reach the backend; its URL is the whole one.
    pub client: ClientSettings,
    /// `format`.
    pub format: ZipkinFormat,
    /// How spans are written.
    pub options: ExportOptions,
}
