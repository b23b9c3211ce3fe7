/*! `nop`: takes everything and drops it, for pipelines whose processors are tried. */

pub(crate) mod config;

use super::{Outcome, Sender};
use crate::{pdata::Signal, telemetry::Count};
use bytes::Bytes;

/// Drops batches.
#[derive(Debug)]
struct Nop;

impl Sender for Nop {
    type Request = ();

    fn endpoint(&self) -> &str {
        "nowhere"
    }

    fn prepare(&self, _: Signal, _: &[Bytes]) -> Result<(), Outcome> {
        Ok(())
    }

    async fn send(&self, (): &(), _: &Count) -> Outcome {
        Outcome::Delivered {
            rejected: 0,
            message: String::new(),
        }
    }
}
