/*! How a log is set up. */

use crate::pdata::Signal;
use std::{path::PathBuf, time::Duration};

/// The settings of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSettings {
    /// The directory, which holds nothing but this log.
    pub directory: PathBuf,
    /// Make the directory if it does not exist.
    pub create_directory: bool,
    /// The permissions of a directory that is made.
    pub directory_mode: u32,
    /// The limit for all files together. Beyond it commits fail.
    pub max_bytes: u64,
    /// A segment is closed before it gets longer than this.
    pub segment_bytes: u64,
    /// When data is synced.
    pub sync: SyncPolicy,
    /// What the records carry.
    pub signal: Signal,
    /// The ids of the exporters, all of which are to get what is stored now.
    pub exporters: Vec<String>,
}

impl LogSettings {
    /// The length of a segment, unless said otherwise.
    pub const SEGMENT_BYTES: u64 = 16 << 20;

    /// What of it may change while the log is open.
    pub fn limits(&self) -> LogLimits {
        LogLimits {
            max_bytes: self.max_bytes,
            sync: self.sync,
        }
    }
}

/// How much a log takes, and how careful it is with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// The limit for all files together.
    pub(super) max_bytes: u64,
    /// When data is synced.
    pub(super) sync: SyncPolicy,
}

/// When data is synced to the disk. A crash of the process loses nothing under
/// any policy; a crash of the machine may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before a commit is decided: nothing that was decided is lost.
    Always,
    /// At most this long after: as much may be lost.
    Interval(Duration),
    /// When the operating system does.
    Never,
}
