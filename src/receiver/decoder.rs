/*!
What a receiver over HTTP has to say for itself.

[`http`](super::http) moves requests: it bounds, inflates and authenticates them,
and gives what comes out to the pipelines. A [`Decoder`] knows one format: which
paths and content types it has, how a body becomes OTLP, and what a sender of
this format is answered. So a receiver of another format is a decoder.
*/

use super::{content::Content, http::reply::HttpReply};
use crate::{
    pdata::Signal,
    pipeline::{Ingest, Refusal, Taken},
};
use ::http::{HeaderValue, Response};
use bytes::Bytes;
use std::{borrow::Cow, fmt};

/// What a request is, by its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRoute {
    /// The signal that its path carries.
    pub(crate) signal: Signal,
    /// The content type as which its body is decoded.
    pub(crate) content: Content,
    /// The version of the format that its path names.
    pub(crate) version: u8,
}

/// The format of one receiver over HTTP.
pub trait Decoder: fmt::Debug + Send + Sync {
    /// Finds what requests to `path` carry, whose content type is this.
    ///
    /// # Errors
    ///
    /// When nothing is served there, or no pipeline of `ingest` takes it.
    fn route(
        &self,
        path: &str,
        content: Content,
        ingest: &dyn Ingest,
    ) -> Result<RequestRoute, Refusal>;

    /// Returns true if such bodies can be decoded.
    fn decodes(&self, route: RequestRoute) -> bool;

    /// Returns true if decoding takes many times as long as walking over as much OTLP.
    fn is_slow(&self, route: RequestRoute) -> bool;

    /// Returns the content types that can be decoded, for people.
    fn content_types(&self) -> &'static str;

    /// Says what the port speaks, and where gRPC goes, to senders of gRPC.
    fn speaks(&self) -> &'static str;

    /// Turns a body into an OTLP export request in protobuf, of `most` bytes at most
    /// where that is not the body itself.
    ///
    /// # Errors
    ///
    /// When the body is not what its content type says, or makes more.
    fn decode<'b>(
        &self,
        route: RequestRoute,
        body: &'b [u8],
        most: usize,
    ) -> Result<Cow<'b, [u8]>, Refusal>;

    /// Makes the reply to a request that was taken, whole or in part.
    fn accepted(&self, route: RequestRoute, taken: Taken) -> Response<HttpReply>;

    /// Makes the body of the reply to a refused request, with its content type.
    fn refused(&self, content: Content, refusal: &Refusal) -> (HeaderValue, Bytes);
}
