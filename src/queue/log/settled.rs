/*!
The files that remember who has settled what: `settled-<n>.log`.

An entry says that an exporter is done with a range of a lane's records. Entries
are appended, and all of them are read when the log is opened. When the file has
grown, or could not be written, all that is known is written to a file with the
next number, which is renamed to its name when it is complete; only then the
older ones go.

```text
0       4     8      16     24   32       34
┌───────┬─────┬──────┬──────┬────┬────────┬──────────┐
│ magic │ crc │ lane │ from │ to │ length │ exporter │
│ u32   │ u32 │ u64  │ u64  │ u64│ u16    │ length   │
└───────┴─────┴──────┴──────┴────┴────────┴──────────┘
```

The checksum is that of everything after it. What is lost here is sent again,
and never lost: so an unreadable entry is stepped over, and the files are synced
once a second at most.
*/

use super::{
    directory::{private_file, settled_files, settled_path, sync_directory},
    format::ByteReader,
    ids::{LaneId, Seq},
};
use crc32c::crc32c;
use std::{
    fs::{self, File},
    io::{self, Write},
    ops::Range,
    path::{Path, PathBuf},
};

const MAGIC: [u8; 4] = *b"\xb7wsd";

/// A file longer than this, and than twice what had to be said when it was
/// begun, is written again as a whole.
const MAX_BYTES: u64 = 1 << 20;

/// What one entry says: an exporter is done with these records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settlement<'a> {
    pub(crate) exporter: &'a str,
    pub(crate) lane: LaneId,
    pub(crate) records: Range<Seq>,
}

impl<'a> Settlement<'a> {
    /// Appends the entry. An exporter's id is at most `u16::MAX` bytes long.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.lane.0.to_le_bytes());
        out.extend_from_slice(&self.records.start.to_le_bytes());
        out.extend_from_slice(&self.records.end.to_le_bytes());
        out.extend_from_slice(&(self.exporter.len() as u16).to_le_bytes());
        out.extend_from_slice(self.exporter.as_bytes());
        let crc = crc32c(out.get(start + 8..).unwrap_or_default());
        if let Some(place) = out.get_mut(start + 4..start + 8) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
    }

    /// Takes an entry off the front of `bytes`.
    fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let mut fields = ByteReader(bytes.strip_prefix(&MAGIC)?);
        let crc = fields.u32()?;
        let checked = fields.0;
        let (lane, from, to) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let length = usize::from(fields.u16()?);
        let exporter = std::str::from_utf8(fields.take(length)?).ok()?;
        let size = checked.len() - fields.0.len();
        (crc32c(checked.get(..size)?) == crc).then_some((
            Self {
                exporter,
                lane: LaneId(lane),
                records: from..to,
            },
            8 + size,
        ))
    }
}

/// Gives every entry in `bytes` to `each`; returns in how many places there is
/// something else.
pub(super) fn read(bytes: &[u8], mut each: impl FnMut(Settlement<'_>)) -> u64 {
    let (mut rest, mut damages, mut astray) = (bytes, 0, false);
    while let Some((_, tail)) = rest.split_first() {
        match Settlement::read(rest) {
            Some((entry, length)) => {
                each(entry);
                rest = rest.get(length..).unwrap_or_default();
                astray = false;
            }
            None => {
                damages += u64::from(!astray);
                rest = tail;
                astray = true;
            }
        }
    }
    damages
}

/// Appends entries to the file, and begins the next one.
#[derive(Debug)]
pub(super) struct SettlementWriter {
    directory: PathBuf,
    number: u64,
    /// None: a file is to be begun with all that is known.
    file: Option<File>,
    length: u64,
    /// A file longer than this is written again as a whole.
    enough: u64,
    unsynced: bool,
    entries: Vec<u8>,
}

impl SettlementWriter {
    /// Makes a writer that will write to a file with a number greater than `last`.
    pub(super) fn new(directory: &Path, last: u64) -> Self {
        Self {
            directory: directory.to_owned(),
            number: last,
            file: None,
            length: 0,
            enough: MAX_BYTES,
            unsynced: false,
            entries: Vec::new(),
        }
    }

    /// Adds what the next [`SettlementWriter::flush`] writes.
    pub(super) fn push(&mut self, entry: &Settlement<'_>) {
        // Else the whole is written anyhow.
        if self.file.is_some() {
            entry.write(&mut self.entries);
        }
    }

    /// Makes the next [`SettlementWriter::flush`] write all that is known.
    pub(super) fn forget(&mut self) {
        self.file = None;
        self.entries.clear();
    }

    /// Returns true if the next [`SettlementWriter::flush`] writes all that is known, for want
    /// of a file or for its size.
    pub(super) fn wants_all(&self) -> bool {
        self.file.is_none() || self.length + self.entries.len() as u64 > self.enough
    }

    /// Returns true if something written is not synced.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Returns the length of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes what was added. On an error the next call writes all.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if self.entries.is_empty() {
            return Ok(());
        }
        let written = file.write_all(&self.entries);
        self.length += self.entries.len() as u64;
        self.unsynced = true;
        self.entries.clear();
        if written.is_err() {
            self.forget();
        }
        written
    }

    /// Writes all that is known to a new file, and deletes the others.
    pub(super) fn rewrite(&mut self, all: &[u8], sync: bool) -> io::Result<()> {
        self.forget();
        self.number += 1;
        let path = settled_path(&self.directory, self.number);
        let unfinished = path.with_extension("tmp");
        let begun = || -> io::Result<File> {
            let mut file = private_file()
                .append(true)
                .create_new(true)
                .open(&unfinished)?;
            file.write_all(all)?;
            if sync {
                file.sync_data()?;
            }
            fs::rename(&unfinished, &path)?;
            Ok(file)
        };
        let file = begun().inspect_err(|_| drop(fs::remove_file(&unfinished)))?;
        if sync {
            sync_directory(&self.directory)?;
        }
        self.file = Some(file);
        self.length = all.len() as u64;
        self.enough = MAX_BYTES.max(2 * self.length);
        self.unsynced = false;
        for (path, number) in settled_files(&self.directory)? {
            if number < self.number {
                // It says nothing new; the next one deletes it.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Syncs what was written and is not synced.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if let (Some(file), true) = (&self.file, self.unsynced) {
            file.sync_data()?;
        }
        self.unsynced = false;
        Ok(())
    }
}
