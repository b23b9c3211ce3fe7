/*!
Writing groups: what stands around the items of a resource and its scopes, and
the chunks of a sealed request.
*/

use super::resources::Header;
use crate::pdata::wire::{put_bytes, put_varint, varint_len};
use bytes::Bytes;

/// Groups smaller than this are copied together when sealed.
const PIECE: usize = 16 << 10;

/// What a chunk takes beside its bytes: its place in a list that may double, and its
/// reference count.
const PER_CHUNK: usize = 2 * size_of::<Bytes>() + 32;

/// Returns how much a growing buffer of so many bytes allocates.
pub(super) fn slack(bytes: usize) -> usize {
    bytes.saturating_add(bytes / 2)
}

/// The chunks of a sealed request.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    pub(super) chunks: Vec<Bytes>,
    /// Sum of their lengths.
    pub(super) bytes: usize,
    /// What they take in memory.
    pub(super) allocated: usize,
}

impl Chunks {
    /// Adds a chunk. It is copied only where more than half of it is spare room, as for
    /// a group that had much more in the batch before.
    fn push(&mut self, mut chunk: Vec<u8>) {
        if chunk.capacity() / 2 > chunk.len() {
            chunk.shrink_to_fit();
        }
        self.bytes += chunk.len();
        self.allocated += chunk.capacity() + PER_CHUNK;
        self.chunks.push(Bytes::from(chunk));
    }
}

/// Builds the chunks of a sealed request.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    done: Chunks,
    /// What is written and no chunk yet.
    pub(super) open: Vec<u8>,
}

impl Pieces {
    /// Room for so many bytes that are copied.
    pub(super) fn with_capacity(copied: usize) -> Self {
        Self {
            done: Chunks::default(),
            open: Vec::with_capacity(copied),
        }
    }

    /// Returns how many bytes of a group's items are not copied.
    pub(super) fn moved(fields: &[u8]) -> usize {
        if fields.len() < PIECE {
            0
        } else {
            fields.len()
        }
    }

    /// Writes the items of a group.
    pub(super) fn fields(&mut self, fields: Vec<u8>) {
        if Self::moved(&fields) == 0 {
            self.open.extend_from_slice(&fields);
        } else {
            self.close();
            self.done.push(fields);
        }
    }

    /// Ends the request.
    pub(super) fn finish(mut self) -> Chunks {
        self.close();
        self.done
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push(std::mem::take(&mut self.open));
        }
    }
}

/// Writes what stands before the scopes of a resource group; `scopes` is their
/// length, as [`scope_bytes`] says.
pub(super) fn open_resource(resource: &Header, scopes: usize, out: &mut Vec<u8>) {
    let length = field_len(&resource.payload)
        + scopes
        + field_len(&resource.schema_url)
        + resource.rest.len();
    out.push(0x0A); // resource_spans, resource_metrics, resource_logs
    put_varint(length as u64, out);
    put_field(1, &resource.payload, out);
}

/// Writes what stands behind the scopes.
pub(super) fn close_resource(resource: &Header, out: &mut Vec<u8>) {
    put_field(3, &resource.schema_url, out);
    out.extend_from_slice(&resource.rest);
}

/// Returns how long a scope group with `fields` bytes of items is in its resource
/// group.
pub(super) fn scope_bytes(scope: &Header, fields: usize) -> usize {
    let length = payload_len(scope, fields);
    1 + varint_len(length as u64) + length
}

/// Writes what stands before `fields` bytes of items in a scope group.
pub(super) fn open_scope(scope: &Header, fields: usize, out: &mut Vec<u8>) {
    out.push(0x12); // scope_spans, scope_metrics, scope_logs
    put_varint(payload_len(scope, fields) as u64, out);
    put_field(1, &scope.payload, out);
}

/// Writes what stands behind the items.
pub(super) fn close_scope(scope: &Header, out: &mut Vec<u8>) {
    put_field(3, &scope.schema_url, out);
    out.extend_from_slice(&scope.rest);
}

fn payload_len(scope: &Header, fields: usize) -> usize {
    field_len(&scope.payload) + fields + field_len(&scope.schema_url) + scope.rest.len()
}

/// Encoded size of a length-delimited field that is left out when empty.
fn field_len(payload: &[u8]) -> usize {
    match payload.len() {
        0 => 0,
        len => 1 + varint_len(len as u64) + len,
    }
}

fn put_field(number: u32, payload: &[u8], out: &mut Vec<u8>) {
    if !payload.is_empty() {
        put_bytes(number, payload, out);
    }
}
