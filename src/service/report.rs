/*! The last word about every span. */

use std::fmt;

/// What became of the spans, told at shutdown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Spans taken from senders.
    pub accepted: u64,
    /// Marker spans added, to be delivered as well.
    pub aliases: u64,
    /// What each exporter did.
    pub exporters: Vec<ExporterReport>,
}

/// What one exporter did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExporterReport {
    /// Its id.
    pub id: String,
    /// Spans the backend took.
    pub sent: u64,
    /// Spans given up on or rejected by the backend.
    pub failed: u64,
    /// Of those, spans still undelivered when the drain ended, and in no log.
    pub abandoned: u64,
    /// Spans left in the segment log, which the next start delivers.
    pub kept: u64,
}

impl Report {
    /// Whether the drain ended before everything was delivered or refused.
    pub fn is_incomplete(&self) -> bool {
        self.exporters.iter().any(|exporter| exporter.abandoned > 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spans accepted {}", self.accepted)?;
        if self.aliases > 0 {
            write!(f, ", added as aliases {}", self.aliases)?;
        }
        for ExporterReport {
            id,
            sent,
            failed,
            abandoned,
            kept,
        } in &self.exporters
        {
            write!(f, "; {id}: delivered {sent}, failed {failed}")?;
            if *abandoned > 0 {
                write!(f, " ({abandoned} of them undelivered when the drain ended)")?;
            }
            if *kept > 0 {
                write!(f, ", left in the log for the next start {kept}")?;
            }
        }
        Ok(())
    }
}
