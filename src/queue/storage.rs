/*! Where a segment log is, and how careful it is: what `file_storage` configures. */

use crate::config::Id;
use std::{fmt, path::PathBuf, time::Duration};

/// `file_storage`: where the segment log is, and how careful it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Its id.
    pub id: Id,
    /// Default `/var/lib/otelcol/file_storage`.
    pub directory: PathBuf,
    /// Make the directory if it is missing. Default true.
    pub create_directory: bool,
    /// `directory_permissions` of a directory that is made. Default 0700: spans
    /// have URLs and names of users.
    pub directory_mode: u32,
    /// When written bytes are made safe against the loss of the machine.
    /// Default [`Fsync::Never`], as in the Collector.
    pub fsync: Fsync,
    /// `timeout`: a write that takes longer counts as failed for those who wait
    /// for it: they are answered from memory. Default 1 s.
    pub timeout: Duration,
    /// `max_size_mib` in bytes, of all files together. Default 4 GiB.
    pub max_bytes: u64,
}

impl Storage {
    /// What an extension that offers a storage calls it.
    pub(crate) const OFFER: &str = "storage";
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.max_bytes >> 20;
        write!(f, "{}, at most {mib} MiB, ", self.directory.display())?;
        match self.fsync {
            Fsync::Always => f.write_str("synced before each answer"),
            Fsync::Interval(every) => {
                write!(f, "synced every {}", humantime::format_duration(every))
            }
            Fsync::Never => f.write_str("synced by the operating system"),
        }
    }
}

/// When the segment log is synced to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Before a sender is answered: survives the loss of power.
    Always,
    /// At most this often, and not before an answer.
    Interval(Duration),
    /// By the operating system, at a time of its choice: survives the end of the
    /// process, however it comes.
    Never,
}
