/*!
`file`: writes batches to a file, as the Collector's does: a line of OTLP/JSON for
each, or protobuf after its length in four bytes, the highest first; compressed, either has
such a length.

A batch is written at once and whole, or it is tried again: what a write that failed
has left behind is cut off. All writing is done on the exporter's own thread.
*/

mod backups;
pub(crate) mod config;
mod encode;
mod options;
#[cfg(test)]
mod tests;
mod writer;

use super::{Outcome, Sender};
use crate::{pdata::Signal, telemetry::Count};
use bytes::Bytes;
use encode::Encoding;
use std::cell::RefCell;
use writer::Writer;

/// Writes batches to a file.
#[derive(Debug)]
struct FileSender {
    encoding: Encoding,
    path: String,
    writer: RefCell<Writer>,
}

impl Sender for FileSender {
    type Request = Vec<u8>;

    fn endpoint(&self) -> &str {
        &self.path
    }

    fn prepare(&self, signal: Signal, chunks: &[Bytes]) -> Result<Vec<u8>, Outcome> {
        let encoded = self.encoding.encode(signal, chunks);
        encoded.map_err(|cause| Outcome::Permanent { cause })
    }

    async fn send(&self, record: &Vec<u8>, _: &Count) -> Outcome {
        match self.writer.borrow_mut().write(record) {
            Ok(()) => Outcome::Delivered {
                rejected: 0,
                message: String::new(),
            },
            Err(error) => Outcome::retry(format!("cannot write to {}: {error}", self.path)),
        }
    }
}
