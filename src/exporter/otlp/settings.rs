/*! The checked settings of `otlp_grpc` and `otlp_http`. */

use crate::{http::ClientSettings, pdata::Signal};

/// `encoding` of a request's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf.
    #[default]
    Proto,
    /// OTLP/JSON.
    Json,
}

/// Settings of `otlp_grpc`.
#[derive(Clone, Debug, PartialEq)]
pub struct Grpc {
    /// How to reach the backend; its URL has no path.
    pub client: ClientSettings,
}

/// Settings of `otlp_http`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Http {
    /// How to reach the backend. Its URL is `endpoint`, or where there is none the
    /// first of `endpoints`.
    pub client: ClientSettings,
    /// `encoding`.
    pub encoding: Encoding,
    /// URLs of signals that have one of their own (`traces_endpoint`), as they are.
    pub endpoints: Vec<(Signal, String)>,
    /// Is true when signals without a URL of their own are sent to a path below
    /// the client's URL.
    pub has_base: bool,
}

impl Http {
    /// Where `signal` is sent. None: neither `endpoint` nor a URL of its own is set.
    pub fn url(&self, signal: Signal) -> Option<String> {
        let own = self.endpoints.iter().find(|(of, _)| *of == signal);
        match own {
            Some((_, url)) => Some(url.clone()),
            None => self.has_base.then(|| {
                let base = self.client.url.trim_end_matches('/');
                format!("{base}/v1/{signal}")
            }),
        }
    }
}
