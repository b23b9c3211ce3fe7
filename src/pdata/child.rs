/*!
A small span beside another: same trace, same times, same outcome.
*/

use super::view::messages;
use super::wire::{self, WireFields};

/// Appends to `out` the field `ScopeSpans.spans` of a child of `span`, a
/// payload of canonical bytes: with trace id, trace state, times and status of
/// its parent, with those of its attributes whose key `keeps` wants, and with
/// the encoded `fields` of the caller (name, kind, further attributes).
pub fn write_child(
    span: &[u8],
    id: [u8; 8],
    fields: &[u8],
    keeps: impl Fn(&[u8]) -> bool,
    out: &mut Vec<u8>,
) {
    // What a few attributes come to.
    const LEN: usize = 2;
    out.push(0x12);
    let at = out.len();
    out.resize(at + LEN, 0);
    for field in WireFields::new(span) {
        match (field.number, field.bytes()) {
            (1 | 3 | 7 | 8 | 15, _) => out.extend_from_slice(field.raw),
            (2, Some(parent)) => {
                wire::put_bytes(2, &id, out);
                wire::put_bytes(4, parent, out);
            }
            (9, Some(attribute)) => {
                let key = messages(attribute, 1).next().unwrap_or_default();
                if keeps(key) {
                    out.extend_from_slice(field.raw);
                }
            }
            _ => {}
        }
    }
    out.extend_from_slice(fields);
    wire::close_len(at, LEN, out);
}
