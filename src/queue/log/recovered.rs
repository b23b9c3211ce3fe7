/*! What opening a log finds of earlier runs. */

use super::ids::{LaneId, Seq};

/// What earlier runs have left in a log.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Lanes with something for a configured exporter, the oldest first.
    pub lanes: Vec<OldLane>,
    /// Lanes that are kept, and count against the size limit, though no
    /// exporter gets them. The operator may configure their exporters again, or
    /// delete their files, `<lane>-*.seg`.
    pub orphans: Vec<OrphanLane>,
}

/// A lane of an earlier run. [`super::Log::scan`] finds where it ends.
#[derive(Clone, Debug)]
pub struct OldLane {
    /// The lane's number.
    pub id: LaneId,
    /// The length of its segments together.
    pub(crate) bytes: u64,
    /// For each of [`super::LogSettings::exporters`]: the first record that it
    /// may still have to get; None if it is to get nothing.
    pub pending: Vec<Option<Seq>>,
}

/// A lane that no exporter gets.
#[derive(Clone, Debug)]
pub struct OrphanLane {
    /// The lane's number.
    pub lane: LaneId,
    /// The exporters that were to get it, none of them configured.
    pub exporters: Vec<String>,
    /// The length of its segments together.
    pub bytes: u64,
    /// Why it cannot be read, if that is why no exporter gets it.
    pub unreadable: Option<String>,
}
