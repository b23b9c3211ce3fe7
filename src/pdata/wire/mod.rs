/*!
Protobuf wire format: just enough to walk, copy and write fields.

Acceptance follows prost 0.14 exactly: a varint has at most ten bytes and fits
64 bits, a key fits 32 bits, field number 0 and wire types 6 and 7 do not
exist, and groups are skipped when they balance. Nothing here allocates, and
no input makes it panic.

[`tag`], [`varint`], [`len_delimited`] and [`skip`] are strict and say what is
wrong. [`WireFields`] is for bytes that were validated before: it simply ends at
the first damage.
*/

mod read;
mod write;

pub(crate) use read::{MAX_DEPTH, WireField, WireReason, fixed, len_delimited, skip, tag, varint};
pub use read::{WireFields, WireType, WireValue};
pub(super) use write::close_len;
pub use write::{put_bytes, put_message, put_tag, put_varint, varint_len};
pub(crate) use write::{put_fixed64, put_nonempty, put_nonzero64, put_number};
