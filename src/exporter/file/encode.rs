/*! What a batch is in the file. */

use crate::{
    http::joined,
    pdata::{Signal, json},
};
use bytes::Bytes;

/// How batches are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    /// Protobuf, and not JSON.
    pub(super) is_proto: bool,
    /// The level of zstd, if batches are compressed.
    pub(super) zstd: Option<i32>,
}

impl Encoding {
    /// Returns the record of a batch.
    ///
    /// # Errors
    ///
    /// Says why there is none.
    pub(super) fn encode(self, signal: Signal, chunks: &[Bytes]) -> Result<Vec<u8>, String> {
        let request = joined(chunks);
        let mut message = match self.is_proto {
            true => request.to_vec(),
            false => json::request_to_json(signal, &request)
                .map_err(|error| format!("cannot be written as JSON: {error}"))?,
        };
        if let Some(level) = self.zstd {
            message = zstd::bulk::compress(&message, level)
                .map_err(|error| format!("cannot be compressed: {error}"))?;
        } else if !self.is_proto {
            message.push(b'\n');
            return Ok(message);
        }
        let length = u32::try_from(message.len());
        let length = length.map_err(|_| "is longer than its length can say".to_owned())?;
        let mut record = Vec::with_capacity(4 + message.len());
        record.extend_from_slice(&length.to_be_bytes());
        record.append(&mut message);
        Ok(record)
    }
}
