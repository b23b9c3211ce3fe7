/*! The segment file that a lane is writing. */

use super::{
    directory::{private_file, sync_directory},
    format::SegmentHeader,
    ids::Seq,
};
use std::{
    fs::{self, File},
    io::{self, IoSlice, Write},
    path::{Path, PathBuf},
};

/// An open segment. Its file ends where its last whole write ended, or is cut
/// there before anything is added.
#[derive(Debug)]
pub(super) struct OpenSegment {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// Its first record's number.
    pub(crate) first: Seq,
    /// The number after its last record's.
    pub(crate) end: Seq,
    /// Bytes that count.
    pub(crate) length: u64,
    header: u64,
    /// What `end` and `length` were when it was last synced.
    synced: (Seq, u64),
}

impl OpenSegment {
    /// Creates the file; with `sync`, also syncs the directory, so that the file
    /// name survives a power failure.
    pub(super) fn create(path: &Path, header: &SegmentHeader, sync: bool) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(header.len());
        header.write(&mut bytes);
        let mut file = private_file().append(true).create_new(true).open(path)?;
        let begun = file.write_all(&bytes).and_then(|()| match path.parent() {
            Some(directory) if sync => sync_directory(directory),
            _ => Ok(()),
        });
        if let Err(error) = begun {
            // A file that stays has no record, and no later one has its name.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        let length = bytes.len() as u64;
        Ok(Self {
            file,
            path: path.to_owned(),
            first: header.first,
            end: header.first,
            length,
            header: length,
            synced: (header.first, 0),
        })
    }

    /// Returns true if the segment has no record.
    pub(super) fn is_empty(&self) -> bool {
        self.length == self.header
    }

    /// Returns true if something written is not synced.
    pub(super) fn is_unsynced(&self) -> bool {
        self.synced.1 < self.length
    }

    /// Adds bytes, in one write if the system takes them all; the next record's
    /// number is then `end`. After an error the file must be [cut].
    ///
    /// [cut]: OpenSegment::cut
    pub(super) fn append(&mut self, mut parts: &mut [IoSlice<'_>], end: Seq) -> io::Result<()> {
        let bytes: u64 = parts.iter().map(|part| part.len() as u64).sum();
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match self.file.write_vectored(parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.length += bytes;
        self.end = end;
        Ok(())
    }

    /// Syncs everything written so far to the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.synced = (self.end, self.length);
        Ok(())
    }

    /// Takes back what was written since it was last synced. The file must then
    /// be [cut].
    ///
    /// [cut]: OpenSegment::cut
    pub(super) fn undo_unsynced(&mut self) {
        (self.end, self.length) = (self.synced.0, self.synced.1.max(self.header));
    }

    /// Cuts the file to the bytes that count.
    pub(super) fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.length)
    }
}
