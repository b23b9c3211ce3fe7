/*!
From OTLP to Zipkin, version 2.

[`tags`] makes the tags of a span of what its resource, its scope and it itself have,
and takes out of them what Zipkin has a place for ([`span`]); [`json`] and [`proto`]
write the two encodings; [`value`] has attributes as text.

Departures from the Collector:

- A span that ends before it begins has no duration; the Collector gives the whole
  batch up. So it does with attributes of events and links that JSON has no words for,
  which are left out here.
- An event without a time has that of its span's beginning; readers refuse the list that
  the Collector writes.
- A scope's tags go with its own spans; the Collector also gives them to those of the
  scopes after it.
- `default_service_name` is used where it is set.
- Addresses of IPv4 have four octets in protobuf.
*/

mod json;
mod proto;
mod span;
mod tags;
#[cfg(test)]
mod tests;
mod value;

use crate::pdata::message::Message;
use span::{Encoder, ZipkinSpan};
use tags::{GroupTags, Tags};

/// How spans are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Service name of resources that have none; None: that of the Collector, from
    /// which its receiver knows them.
    pub default_service_name: Option<String>,
}

/// Writes the spans of an OTLP export request as a JSON array. Returns how many could
/// not be written for want of ids.
pub fn write_json(request: &[u8], options: &ExportOptions, out: &mut Vec<u8>) -> u64 {
    let begin = out.len();
    out.push(b'[');
    let without_ids = write(request, options, &mut json::Json { out, begin });
    out.push(b']');
    without_ids
}

/// Writes them as a `ListOfSpans` of `zipkin.proto3`.
pub fn write_proto(request: &[u8], options: &ExportOptions, out: &mut Vec<u8>) -> u64 {
    write(request, options, &mut proto::Proto { out })
}

fn write(request: &[u8], options: &ExportOptions, encoder: &mut dyn Encoder) -> u64 {
    let mut without_ids = 0;
    for group in Message(request).messages(1) {
        let resource = GroupTags::of_resource(group.message(1), options);
        for scoped in group.messages(2) {
            let group = resource.with_scope(scoped.message(1));
            for span in scoped.messages(2) {
                let tags = Tags::of_span(&group, span);
                match ZipkinSpan::new(&group, span, tags) {
                    Some(span) => encoder.put(&span),
                    None => without_ids += 1,
                }
            }
        }
    }
    without_ids
}
