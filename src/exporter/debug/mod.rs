/*!
`debug`: shows what would be exported, on standard error.

Three levels, as in the Collector: a line per batch, a line per item, or
everything. For people, not for load. A standard error that is gone costs the text
and nothing else.

All is read from a batch's bytes, item by item, and written a few lines at a time:
printing needs no memory but for a line, however large a batch is. `print` walks a
request, which lies in `pieces`; `span`, and for the other signals `fields`, write one
item; `text` writes values.
*/

pub(crate) mod config;
mod fields;
mod lines;
mod pieces;
mod print;
mod span;
#[cfg(test)]
mod tests;
mod text;

pub use config::Verbosity;

use crate::{
    exporter::{Outcome, Sender},
    pdata::Signal,
    telemetry::Count,
};
use bytes::Bytes;
use lines::Lines;
use pieces::Pieces;
use print::write_request;
use std::io::{self, Write};

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
    type Request = (Signal, Vec<Bytes>);

    fn endpoint(&self) -> &str {
        "stderr"
    }

    fn prepare(&self, signal: Signal, chunks: &[Bytes]) -> Result<Self::Request, Outcome> {
        Ok((signal, chunks.to_vec()))
    }

    async fn send(&self, (signal, chunks): &Self::Request, _: &Count) -> Outcome {
        let mut out = Lines::new(io::stderr());
        let written = write_request(&mut out, *signal, Pieces::new(chunks), self.verbosity);
        // What cannot be written to standard error cannot be reported anywhere.
        let _ = written.and_then(|()| out.flush());
        Outcome::Delivered {
            rejected: 0,
            message: String::new(),
        }
    }
}
