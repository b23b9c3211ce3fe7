/*!
OTLP bytes of traces, metrics and logs: validated, indexed, viewed and edited
without decoding.

A request is walked once ([`validate()`]); the walk accepts exactly what prost's
decoder for the [`Signal`]'s request accepts (UTF-8 aside) and fills an
[`Index`] of byte ranges. Everything later works on those ranges: [`view`]
reads them, [`edit`] writes a changed span once. Metrics and log records are
passed as they are; only spans are edited.

Invariants:

- Nothing here knows tokio, HTTP, Istio or configuration.
- Indexed bytes are *canonical*: singular fields occur at most once, a oneof
  has at most one variant on the wire, strings are UTF-8, and the unknown
  fields of each group level are contiguous. In metrics and logs that holds for
  the groups; data points and log records keep the sender's bytes, but for text
  that is not UTF-8. Requests that are valid but not canonical are rewritten by
  [`canon`], which is rare and may allocate; [`admit`] does both.
- Unknown fields survive byte for byte.
- The messages are described once, in [`schema`].
*/

mod attributes;
pub mod canon;
mod child;
pub mod edit;
pub mod groups;
pub(crate) mod index;
pub mod json;
pub(crate) mod keys;
pub(crate) mod message;
pub(crate) mod metric;
pub(crate) mod number;
mod plain;
mod runs;
pub(crate) mod sampling;
pub mod schema;
mod signal;
pub mod split;
pub(crate) mod text;
pub(crate) mod time;
pub mod validate;
pub mod view;
pub mod wire;

pub use attributes::{AttributeList, AttributeScratch, NewValue};
pub use child::write_child;
pub use edit::{Edited, Edits, edit_resource, write_span};
pub use index::{ByteRange, Index, ItemEntry, RequestLimits, SpanFault};
pub use keys::{KeySlot, Keys};
pub(crate) use plain::key_value;
pub(crate) use runs::Runs;
pub use signal::Signal;
pub(crate) use validate::MalformedRequest;
pub use validate::validate;
pub use view::{AnyValue, KeyValue, SpanView};

use std::borrow::Cow;

/// A request that may enter a batch: canonical bytes, indexed.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// The canonical request. Borrowed when the sender's bytes already were.
    pub bytes: Cow<'a, [u8]>,
    /// Strings in which invalid UTF-8 was replaced by U+FFFD.
    pub utf8_replaced: u64,
}

/// Validates the `request` of a signal, rewrites it where it is valid but not canonical, and
/// leaves `index` describing [`Admitted::bytes`]. How much memory that may take is
/// said by [`Index::limits`].
///
/// # Errors
///
/// [`MalformedRequest`] names the place and the reason; the request must be refused
/// whole (OTLP: `INVALID_ARGUMENT`, HTTP 400).
pub fn admit<'a>(
    signal: Signal,
    request: &'a [u8],
    keys: &Keys,
    index: &mut Index,
) -> Result<Admitted<'a>, MalformedRequest> {
    validate(signal, request, keys, index)?;
    if !index.needs_repair {
        return Ok(Admitted {
            bytes: Cow::Borrowed(request),
            utf8_replaced: 0,
        });
    }
    let limits = index.limits;
    let repaired = canon::repair(signal, request, &limits).map_err(|reason| MalformedRequest {
        offset: 0,
        path: schema::SchemaMessage::request(signal).name(),
        reason,
    })?;
    validate(signal, &repaired.bytes, keys, index)?;
    Ok(Admitted {
        bytes: Cow::Owned(repaired.bytes),
        utf8_replaced: repaired.utf8_replaced,
    })
}
