/*! Becoming degraded, and finding out when that is over. */

use super::{LogThread, PAUSE, Stopped};
use crate::queue::log::{
    directory::{PROBE_FILE, private_file},
    trouble::WriteError,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    ops::Range,
    time::Instant,
};

/// Bytes that a probe writes at least and at most.
const PROBE: Range<u64> = 256 << 10..8 << 20;

impl LogThread {
    pub(super) fn degrade(&mut self, trouble: WriteError) -> Stopped {
        let since = match &self.trouble {
            Some((known, _)) if known.reason() == trouble.reason() => return Stopped,
            Some((_, since)) => *since,
            None => Instant::now(),
        };
        tracing::error!("{trouble}. Meanwhile nothing is stored; trying again every second");
        self.store.meters.degrade(trouble.reason(), since);
        self.trouble = Some((trouble, since));
        self.probe_at = Some(Instant::now() + PAUSE);
        Stopped
    }

    /// Tries whether the log can be written again.
    pub(super) fn probe(&mut self) {
        let Some((trouble, since)) = &self.trouble else {
            return;
        };
        let (needed, since) = (trouble.needed(), *since);
        // What would never fit is not waited for.
        let room = needed.max(PROBE.start).min(self.limits.max_bytes / 2);
        let result = match self.bytes() + room > self.limits.max_bytes {
            true => Err(self.size_limit(needed)),
            false => self.try_to_write(needed),
        };
        match result {
            Ok(()) => {
                self.trouble = None;
                self.store.meters.heal();
                self.complete_settlements();
                tracing::info!(
                    "the segment log {} stores again, after {} s",
                    self.store.settings.directory.display(),
                    since.elapsed().as_secs()
                );
            }
            Err(trouble) => {
                self.degrade(trouble);
                self.probe_at = Some(Instant::now() + PAUSE);
            }
        }
    }

    fn try_to_write(&mut self, needed: u64) -> Result<(), WriteError> {
        let directory = &self.store.settings.directory;
        let path = directory.join(PROBE_FILE);
        let bytes = vec![0x55; needed.clamp(PROBE.start, PROBE.end) as usize];
        // One may be left of an earlier attempt. A new file is made, so that a
        // link that somebody put there is not followed.
        let _ = fs::remove_file(&path);
        let made = private_file().write(true).create_new(true).open(&path);
        let written = made.and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_data()
        });
        let removed = fs::remove_file(&path);
        written
            .and(removed)
            .map_err(WriteError::io(directory, needed))?;
        while let Some((path, length)) = self.uncut.last() {
            File::options()
                .write(true)
                .open(path)
                .and_then(|file| file.set_len(*length))
                .or_else(|error| match error.kind() {
                    io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                })
                .map_err(WriteError::io(path, needed))?;
            self.uncut.pop();
        }
        Ok(())
    }

    pub(super) fn size_limit(&self, needed: u64) -> WriteError {
        WriteError::SizeLimit {
            directory: self.store.settings.directory.clone(),
            max_bytes: self.limits.max_bytes,
            needed,
        }
    }
}
