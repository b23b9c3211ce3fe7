/*! How a file is opened and put aside. */

use std::{path::PathBuf, time::Duration};

/// `rotation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rotation {
    /// The size beyond which a file is put aside.
    pub(super) max_bytes: u64,
    /// The age beyond which one that was put aside is deleted.
    pub(super) max_age: Option<Duration>,
    /// How many of those are kept; None: all.
    pub(super) max_backups: Option<usize>,
}

/// How the file is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileOptions {
    pub(super) path: PathBuf,
    /// What is there stays.
    pub(super) append: bool,
    pub(super) rotation: Option<Rotation>,
    /// The mode of directories that are made; None: none is.
    pub(super) directory_mode: Option<u32>,
}
