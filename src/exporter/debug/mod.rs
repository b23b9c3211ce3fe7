/*!
`debug`: shows what would be exported, on standard error.

Three levels, as in the Collector: a line per batch, a line per item, or
everything. For people, not for load. A standard error that is gone costs the text
and nothing else.

`print` walks a request; `span`, and for the other signals `fields`, write one
item; `text` writes values, `message` reads them.
*/

pub(crate) mod config;
mod fields;
mod message;
mod print;
mod span;
#[cfg(test)]
mod tests;
mod text;

pub use config::Verbosity;

use crate::{
    exporter::{Outcome, Sender},
    http::joined,
    pdata::Signal,
    telemetry::Count,
};
use bytes::Bytes;
use std::io::{self, BufWriter, Write};

/// Prints batches.
#[derive(Debug)]
pub(crate) struct Debug {
    verbosity: Verbosity,
}

impl Debug {
    /// Prints as much as asked.
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Self { verbosity }
    }
}

impl Sender for Debug {
    type Request = (Signal, Bytes);

    fn endpoint(&self) -> &str {
        "stderr"
    }

    fn prepare(&self, signal: Signal, chunks: &[Bytes]) -> Result<Self::Request, Outcome> {
        Ok((signal, joined(chunks)))
    }

    async fn send(&self, (signal, bytes): &Self::Request, _: &Count) -> Outcome {
        let mut out = BufWriter::new(io::stderr().lock());
        let written = print::write_request(&mut out, *signal, bytes, bytes.len(), self.verbosity);
        // What cannot be written to standard error cannot be reported anywhere.
        let _ = written.and_then(|()| out.flush());
        // Do not let the writer's drop try again.
        let _ = out.into_parts();
        Outcome::Delivered {
            rejected: 0,
            message: String::new(),
        }
    }
}
