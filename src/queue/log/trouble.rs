/*! Why nothing can be written, in words that say what to do. */

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// What keeps the log from writing.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The directory would hold more than it may.
    SizeLimit {
        directory: PathBuf,
        max_bytes: u64,
        /// Bytes that would have to fit before it is worth trying again.
        needed: u64,
    },
    /// The system refused.
    Io {
        path: PathBuf,
        error: io::Error,
        needed: u64,
    },
}

impl WriteError {
    pub(super) fn io(path: &Path, needed: u64) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Io {
            path: path.to_owned(),
            error,
            needed,
        }
    }

    /// Bytes that could not be written.
    pub(super) fn needed(&self) -> u64 {
        match self {
            Self::SizeLimit { needed, .. } | Self::Io { needed, .. } => *needed,
        }
    }

    /// What is wrong, in a few words.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::SizeLimit { max_bytes, .. } => format!("size limit of {max_bytes} bytes reached"),
            Self::Io { error, .. } => error.to_string(),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::SizeLimit { .. } => {
                "raise max_size_mib, or see why the exporters do not deliver: what they have \
                 delivered is deleted"
            }
            Self::Io { error, .. } => match error.kind() {
                io::ErrorKind::StorageFull => "free space on its file system, or enlarge it",
                io::ErrorKind::QuotaExceeded => "raise the quota of its file system",
                io::ErrorKind::ReadOnlyFilesystem => {
                    "its file system is mounted read-only: see the kernel's log for errors of the \
                     device, then mount it for writing"
                }
                io::ErrorKind::PermissionDenied => {
                    "let the user that this process runs as write there"
                }
                io::ErrorKind::NotFound => "create the directory again",
                _ => "see the kernel's log for errors of the device",
            },
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self {
            Self::SizeLimit { directory, .. } => directory,
            Self::Io { path, .. } => path,
        };
        write!(
            f,
            "cannot write to the segment log: {}: {}. To repair it: {}",
            path.display(),
            self.reason(),
            self.remedy()
        )
    }
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogOpenError {
    /// Another process has it.
    #[error(
        "the segment log {} is in use by another process: give each process a directory of its \
         own, or stop the other one first",
        .0.display()
    )]
    Locked(PathBuf),
    /// There is no such directory.
    #[error(
        "the segment log's directory {} does not exist: create it, or set create_directory: true",
        .0.display()
    )]
    Missing(PathBuf),
    /// What stands in each segment would not fit.
    #[error(
        "the ids of the exporters of the segment log {} are too long or too many: all of them are \
         kept in each segment, in at most 64 KiB",
        .0.display()
    )]
    Exporters(PathBuf),
    /// The system refused.
    #[error("the segment log cannot use {}: {error}: {}", .path.display(), advice(.error))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl LogOpenError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Io {
            path: path.to_owned(),
            error,
        }
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "let the user that this process runs as read and write there (in Kubernetes: fsGroup)"
        }
        io::ErrorKind::ReadOnlyFilesystem => "mount its file system for writing",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "name a directory that holds nothing else"
        }
        _ => "check the directory and its file system",
    }
}
