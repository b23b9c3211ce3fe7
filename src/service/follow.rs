/*!
Whether the files of the configuration have changed.

A look compares what the file system says of them; only when that has changed, and then
stood still for a look, so that nobody is met in the middle of writing, are they read.
What counts is the content: a volume that Kubernetes updates swaps links.
*/

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    time::Duration,
};

/// How often is looked.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// Device, inode, length, and time of the last change.
type Stat = Option<(u64, u64, u64, i64, i64)>;

/// The files, and what they were when they were read.
pub(super) struct FollowedFiles {
    files: Vec<PathBuf>,
    stats: Vec<Stat>,
    contents: u64,
    has_changed: bool,
}

impl FollowedFiles {
    /// Follows `files` from now on.
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        Self {
            stats: stats(&files),
            contents: contents(&files),
            files,
            has_changed: false,
        }
    }

    /// Follows these files too: those of a configuration that was refused may be where
    /// it is mended.
    pub(super) fn add(&mut self, files: &[PathBuf]) {
        let mut all = self.files.clone();
        all.extend(files.iter().filter(|f| !self.files.contains(f)).cloned());
        *self = Self::new(all);
    }

    /// Returns true once after each change.
    pub(super) fn look(&mut self) -> bool {
        let now = stats(&self.files);
        if now != self.stats {
            self.stats = now;
            self.has_changed = true;
            return false;
        }
        if !std::mem::take(&mut self.has_changed) {
            return false;
        }
        let now = contents(&self.files);
        std::mem::replace(&mut self.contents, now) != now
    }
}

fn stats(files: &[PathBuf]) -> Vec<Stat> {
    let stat = |path: &PathBuf| {
        let of = fs::metadata(path).ok()?;
        Some((of.dev(), of.ino(), of.len(), of.mtime(), of.mtime_nsec()))
    };
    files.iter().map(stat).collect()
}

/// A hash of what is in the files, and of which cannot be read.
fn contents(files: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in files {
        let read: Result<Vec<u8>, io::ErrorKind> = fs::read(path).map_err(|error| error.kind());
        read.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_change_is_told_once_when_it_has_settled_and_only_of_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        fs::write(&path, "a: 1").unwrap();
        let mut followed = FollowedFiles::new(vec![path.clone()]);
        assert!(!followed.look());

        fs::write(&path, "a: 22").unwrap();
        assert!(!followed.look(), "it may be in the middle of writing");
        assert!(followed.look());
        assert!(!followed.look());

        // Another file of the same content, as when a volume's links are swapped.
        let other = dir.path().join("b.yaml");
        fs::write(&other, "a: 22").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!([followed.look(), followed.look()], [false, false]);

        fs::remove_file(&path).unwrap();
        assert_eq!([followed.look(), followed.look()], [false, true]);
        fs::write(&path, "a: 3").unwrap();
        assert_eq!([followed.look(), followed.look()], [false, true]);
    }
}
