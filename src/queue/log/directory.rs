/*!
The directory of a log: its lock, the names of its files, and what it holds.

```text
<lane>-<first>.seg    a segment: 16 hex digits, 20 decimal digits
settled-<n>.log       who has settled what; being written: settled-<n>.tmp
lock                  locked by the process that uses the directory
probe                 written and removed to see whether writing works again
```

Spans have URLs and names of users, so that nobody else may read these files.
*/

use super::{
    ids::{LaneId, MAX_LANE, Seq},
    settings::{LogSettings, SyncPolicy},
    trouble::LogOpenError,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The name of the file that is locked.
const LOCK_FILE: &str = "lock";

/// The name of the file that a probe writes.
pub(super) const PROBE_FILE: &str = "probe";

/// The permissions of all files.
const FILE_MODE: u32 = 0o600;

/// Begins the options of a file that is made here.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE_MODE);
    options
}

/// Returns the path of a segment file.
pub(super) fn segment_path(directory: &Path, lane: LaneId, first: Seq) -> PathBuf {
    directory.join(format!("{lane}-{first:020}.seg"))
}

/// Reads lane and first record off a segment file's name.
pub(super) fn parse_segment_name(name: &str) -> Option<(LaneId, Seq)> {
    let (lane, first) = name.strip_suffix(".seg")?.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if lane.len() != 16 || first.len() != 20 || !digits(lane) || !digits(first) {
        return None;
    }
    let lane = LaneId(u64::from_str_radix(lane, 16).ok()?);
    let first = first.parse().ok()?;
    // Names that would be written otherwise are not ours.
    let ours = segment_path(Path::new(""), lane, first) == Path::new(name);
    (ours && lane.0 < MAX_LANE && first < Seq::MAX).then_some((lane, first))
}

/// Returns the path of the file of settlements with this number.
pub(super) fn settled_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("settled-{number}.log"))
}

/// Reads the number off the name of a file of settlements.
pub(super) fn parse_settled_name(name: &str) -> Option<u64> {
    let number = name.strip_prefix("settled-")?.strip_suffix(".log")?;
    number.parse().ok().filter(|number| *number < u64::MAX)
}

/// Returns true for the name of a file of settlements that was never completed.
fn is_unfinished(name: &str) -> bool {
    name.starts_with("settled-") && name.ends_with(".tmp")
}

/// Lists the files of settlements with their numbers.
pub(super) fn settled_files(directory: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files = vec![];
    for file in fs::read_dir(directory)? {
        let file = file?;
        if let Some(number) = file.file_name().to_str().and_then(parse_settled_name) {
            files.push((file.path(), number));
        }
    }
    Ok(files)
}

/// Syncs the directory, so that the names of new files survive a power failure.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The files that a directory holds.
#[derive(Default)]
pub(super) struct LogFiles {
    /// Segments: lane, first record, length.
    pub(crate) segments: Vec<(LaneId, Seq, u64)>,
    /// Files of settlements: path, number, length.
    pub(crate) settlements: Vec<(PathBuf, u64, u64)>,
}

/// Makes the directory if it may, and locks it against other processes.
pub(super) fn lock(settings: &LogSettings) -> Result<File, LogOpenError> {
    let directory = &settings.directory;
    if !directory.exists() {
        if !settings.create_directory {
            return Err(LogOpenError::Missing(directory.clone()));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(settings.directory_mode)
            .create(directory)
            .map_err(LogOpenError::io(directory))?;
        if let Some(parent) = directory.parent()
            && settings.sync != SyncPolicy::Never
        {
            // Not everybody who may write there may read it.
            let _ = sync_directory(parent);
        }
    }
    let path = directory.join(LOCK_FILE);
    // NFS locks only files that are open for writing.
    let file = private_file()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(LogOpenError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogOpenError::Locked(directory.clone())),
        Err(TryLockError::Error(error)) => Err(LogOpenError::io(&path)(error)),
    }
}

/// Lists the directory, and removes what an earlier run did not finish.
pub(super) fn list(directory: &Path) -> io::Result<LogFiles> {
    let mut found = LogFiles::default();
    for file in fs::read_dir(directory)? {
        let file = file?;
        let name = file.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        if let Some((lane, first)) = parse_segment_name(name) {
            found.segments.push((lane, first, file.metadata()?.len()));
        } else if let Some(number) = parse_settled_name(name) {
            let bytes = file.metadata()?.len();
            found.settlements.push((file.path(), number, bytes));
        } else if name == PROBE_FILE || is_unfinished(name) {
            // It takes some room, no more.
            let _ = fs::remove_file(file.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_of_segments_are_read_back_and_others_are_not_ours() {
        for (lane, first) in [(0, 0), (1 << 50, 7), (MAX_LANE - 1, u64::MAX - 1)] {
            let path = segment_path(Path::new("/somewhere"), LaneId(lane), first);
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(parse_segment_name(name), Some((LaneId(lane), first)));
        }
        for name in [
            "",
            "lock",
            ".seg",
            "0000000000000001-00000000000000000001.seg.bak",
            "000000000000000A-00000000000000000001.seg",
            "0000000000000001-0000000000000000000a.seg",
            "0000000000000001-+0000000000000000001.seg",
            "000000000000001-00000000000000000001.seg",
            "ffffffffffffffff-00000000000000000001.seg",
            "0000000000000001-18446744073709551615.seg",
        ] {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
    }
}
