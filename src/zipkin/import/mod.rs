/*!
From Zipkin to OTLP.

Each span is read into one [`SpanV2`](model::SpanV2) or [`SpanV1`](v1::SpanV1), which
is used again for the next, and written at once into the group of its resource and
scope ([`groups`]). `v2_json` and `v2_proto` read the same model, which `v2` writes as
an OTLP span; version 1 is `v1_json` and `v1`. `list` goes through the arrays of both JSON readers,
and `json` has what these are made of.

Departures from the Collector, all for the good of the sender:

- Spans of one service whose tags say something else of the resource or the scope have
  resources and scopes of their own; the Collector gives all of them those of one.
- An annotation or a link that is nearly, but not quite, in the form in which
  exporters put attributes into text is kept as text; the Collector refuses the whole
  request.
- Trace ids of 8 octets in protobuf are taken, as in JSON; so are values of version 1
  that are booleans or numbers.
*/

mod attribute;
mod embedded;
mod groups;
mod id;
mod json;
mod list;
mod model;
mod tags;
#[cfg(test)]
mod tests;
mod v1;
mod v1_json;
mod v1_status;
mod v2;
mod v2_json;
mod v2_proto;

use super::ZipkinError;
use groups::Groups;

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZipkinFormat {
    /// Version 1, a JSON array.
    V1Json,
    /// Version 2, a JSON array.
    V2Json,
    /// Version 2, a `ListOfSpans` of `zipkin.proto3`.
    V2Proto,
}

/// How a list is read.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions {
    /// Whether tags that look like numbers or booleans become such.
    pub parse_string_tags: bool,
    /// Nanoseconds since 1970, for spans of version 1 that have no time.
    pub now: u64,
    /// How many bytes the OTLP request may have.
    pub most: usize,
}

/// Makes an OTLP export request, in protobuf, of a list of Zipkin spans.
///
/// # Errors
///
/// When the list is not in the format, a span has no proper ids, or the request has
/// more bytes than it may.
pub fn read(
    format: ZipkinFormat,
    body: &[u8],
    options: ImportOptions,
) -> Result<Vec<u8>, ZipkinError> {
    // What is made of all spans is copied once into the request.
    let mut groups = Groups::new(options.most / 2);
    match format {
        ZipkinFormat::V1Json => list::read::<v1_json::SpanMembers<'_>>(body, options, &mut groups)?,
        ZipkinFormat::V2Json => list::read::<v2_json::SpanMembers<'_>>(body, options, &mut groups)?,
        ZipkinFormat::V2Proto => v2_proto::read(body, options, &mut groups)?,
    }
    Ok(groups.into_request())
}
