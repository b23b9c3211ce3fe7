/*! What a client expects to be spoken at the other end. */

/// The protocol of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientProtocol {
    /// OTLP over gRPC, which is HTTP/2 only.
    OtlpGrpc,
    /// OTLP over HTTP.
    OtlpHttp,
    /// Zipkin's lists of spans over HTTP.
    Zipkin,
    /// Any other service over HTTP.
    Web,
    /// Any other service over gRPC.
    Grpc,
}

impl ClientProtocol {
    /// The versions of HTTP to offer in a TLS handshake.
    pub(super) const fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Self::OtlpGrpc | Self::Grpc => &[b"h2"],
            Self::OtlpHttp | Self::Zipkin | Self::Web => &[b"h2", b"http/1.1"],
        }
    }

    /// Returns true if nothing but HTTP/2 is spoken, with TLS or without.
    pub(super) const fn is_http2(self) -> bool {
        matches!(self, Self::OtlpGrpc | Self::Grpc)
    }

    /// The server in a question to the operator: "is … running".
    pub(super) const fn server(self) -> &'static str {
        match self {
            Self::OtlpGrpc | Self::OtlpHttp | Self::Zipkin => "the backend",
            Self::Web | Self::Grpc => "it",
        }
    }

    /// Its port in a question to the operator: "is this its …".
    pub(super) const fn port(self) -> &'static str {
        match self {
            Self::OtlpGrpc => "OTLP/gRPC port (4317)",
            Self::OtlpHttp => "OTLP/HTTP port (4318)",
            Self::Zipkin => "Zipkin port (9411)",
            Self::Web => "HTTP port",
            Self::Grpc => "gRPC port",
        }
    }
}
