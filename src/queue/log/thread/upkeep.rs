/*! Noting what is settled, and deleting what no exporter needs any more. */

use super::{LogThread, PAUSE};
use crate::queue::log::{
    catalog::Catalog,
    directory::segment_path,
    ids::{LaneId, Seq},
    settings::SyncPolicy,
    settled::Settlement,
    status::add,
};
use std::{
    fs, io,
    ops::Range,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// A segment all of which is settled is closed, so that it can be deleted,
/// when it is larger than this.
const IDLE: u64 = 1 << 20;

/// Segments deleted at once: commits wait for it.
const DELETED: usize = 16;

impl LogThread {
    /// Closes a segment before it is full, if it is large and all of it settled.
    pub(super) fn close_if_idle(&mut self, lane: LaneId) {
        let idle = self.open.get(&lane).is_some_and(|segment| {
            segment.length > IDLE
                && self.store.catalog().lanes.get(&lane).is_some_and(|lane| {
                    !lane.addressed.is_empty() && lane.is_settled(segment.first..segment.end)
                })
        });
        if idle && self.trouble.is_none() && self.roll(lane).is_err() {
            self.abandon(lane);
        }
    }

    pub(super) fn end_lane(&mut self, lane: LaneId) {
        if let Some(known) = self.store.catalog().lanes.get_mut(&lane) {
            known.live = false;
        }
        if self.roll(lane).is_err() {
            self.abandon(lane);
        }
        self.delete_settled(lane, 0..Seq::MAX);
    }

    pub(super) fn delete_settled(&mut self, lane: LaneId, records: Range<Seq>) {
        let done = self.store.catalog().take_settled(lane, records);
        for (first, bytes) in done {
            let path = segment_path(&self.store.settings.directory, lane, first);
            self.doomed.push((path, bytes));
            self.delete_at = Some(Instant::now());
        }
        self.delete();
    }

    /// Deletes what is to be deleted, and keeps what cannot be for later.
    pub(super) fn delete(&mut self) {
        if self.delete_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        let mut refused = vec![];
        let some = self.doomed.len().min(DELETED);
        for (path, bytes) in self.doomed.drain(..some) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::debug!("cannot delete the segment {}: {error}", path.display());
                    refused.push((path, bytes));
                }
                _ => {
                    self.uncut.retain(|(uncut, _)| *uncut != path);
                    let meters = &self.store.meters;
                    meters.bytes.fetch_sub(bytes, Ordering::Relaxed);
                    meters.segments.fetch_sub(1, Ordering::Relaxed);
                    add(&meters.deleted_segments, 1);
                }
            }
        }
        let pause = match refused.is_empty() {
            true => Duration::ZERO,
            false => PAUSE,
        };
        self.doomed.append(&mut refused);
        self.delete_at = (!self.doomed.is_empty()).then(|| Instant::now() + pause);
    }

    pub(super) fn note_settled(&mut self, exporter: usize, lane: LaneId, records: Range<Seq>) {
        if let Some(exporter) = self.store.settings.exporters.get(exporter) {
            self.settlements.push(&Settlement {
                exporter,
                lane,
                records,
            });
        }
    }

    /// Writes what was settled. What cannot be written is written later: until
    /// then a crash would only make something be sent again.
    pub(super) fn save_settlements(&mut self) {
        if self
            .settlements_retry_at
            .is_some_and(|at| at > Instant::now())
        {
            self.settlements.forget();
            return;
        }
        let settings = &self.store.settings;
        let saved = match self.settlements.wants_all() {
            true => {
                let all = all_settlements(&self.store.catalog(), &settings.exporters);
                if all.is_empty() && self.settlements_length == 0 {
                    self.settlements_retry_at = None;
                    return;
                }
                self.settlements
                    .rewrite(&all, self.limits.sync != SyncPolicy::Never)
            }
            false => self.settlements.flush(),
        };
        match saved {
            Ok(()) => {
                self.settlements_retry_at = None;
                let unsynced =
                    self.settlements.is_unsynced() && self.limits.sync != SyncPolicy::Never;
                if unsynced && self.settlements_sync_at.is_none() {
                    self.settlements_sync_at = Some(Instant::now() + PAUSE);
                }
                let length = self.settlements.length();
                let before = std::mem::replace(&mut self.settlements_length, length);
                add(&self.store.meters.bytes, length);
                self.uncount(before);
            }
            Err(error) => {
                if self.settlements_retry_at.is_none() {
                    tracing::warn!(
                        "cannot note in {} what was delivered: {error}. A restart would deliver \
                         it again; trying again every second",
                        settings.directory.display()
                    );
                }
                self.settlements.forget();
                self.settlements_retry_at = Some(Instant::now() + PAUSE);
            }
        }
    }

    /// Writes all that is known if the file lacks something.
    pub(super) fn complete_settlements(&mut self) {
        if std::mem::take(&mut self.settlements_incomplete) {
            self.settlements.forget();
            self.save_settlements();
        }
    }

    pub(super) fn sync_all(&mut self) {
        let lanes: Vec<_> = self.open.keys().copied().collect();
        for lane in lanes {
            if self.sync(lane).is_err() {
                self.abandon(lane);
            }
        }
    }
}

/// Encodes all settlements that are known.
fn all_settlements(catalog: &Catalog, exporters: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for (&lane, known) in &catalog.lanes {
        let configured = known
            .settled
            .iter()
            .filter_map(|(&index, ranges)| Some((exporters.get(index)?, ranges)));
        for (exporter, ranges) in configured.chain(&known.others_settled) {
            for records in ranges.iter() {
                let entry = Settlement {
                    exporter,
                    lane,
                    records,
                };
                entry.write(&mut out);
            }
        }
    }
    out
}
