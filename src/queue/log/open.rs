/*!
Opening a log: the directory is listed, one header of each old lane and the
settlements are read. How far a lane goes is found out later, by a scan.
*/

use super::{
    catalog::{Catalog, KnownLane, KnownSegment},
    commit::LogMessage,
    directory::{self, LogFiles, segment_path},
    format::{MAX_SEGMENT_HEADER, SegmentHeader},
    ids::{LaneId, MAX_LANE, Seq},
    recovered::{OldLane, OrphanLane, Recovered},
    settings::LogSettings,
    settled::{self, Settlement},
    status::LogMeters,
    store::LogStore,
    thread::LogThread,
    trouble::LogOpenError,
    walk::SegmentWalk,
};
use crossbeam_channel::Sender;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::SystemTime,
};

/// Bytes of settlements that are read of a file, far more than one is long.
const MAX_SETTLEMENTS: u64 = 64 << 20;

/// A log that was opened, and its thread, which runs.
pub(super) struct OpenedLog {
    pub(crate) store: Arc<LogStore>,
    pub(crate) messages: Sender<LogMessage>,
    pub(crate) thread: JoinHandle<()>,
    pub(crate) recovered: Recovered,
}

/// See [`super::Log::open`].
pub(super) fn open_directory(settings: LogSettings) -> Result<OpenedLog, LogOpenError> {
    let directory = settings.directory.clone();
    let header_length = header_length(&settings)?;
    let lock = directory::lock(&settings)?;
    let found = directory::list(&directory).map_err(LogOpenError::io(&directory))?;

    let meters = Arc::new(LogMeters::default());
    let (mut catalog, mut recovered) = (Catalog::default(), Recovered::default());
    for (&lane, segments) in &lanes(&found) {
        add_lane(&settings, lane, segments, &mut catalog, &mut recovered);
    }
    let mut last_lane = found.segments.iter().map(|(lane, ..)| lane.0).max();
    let mut damaged_settlements = 0;
    for (path, ..) in &found.settlements {
        let entries = read_settlements(path).map_err(LogOpenError::io(path))?;
        damaged_settlements += settled::read(&entries, |entry| {
            // Not believed of damage that its checksum missed.
            if entry.lane.0 < MAX_LANE {
                last_lane = last_lane.max(Some(entry.lane.0));
            }
            replay(&settings, &mut catalog, entry);
        });
    }
    let settlements = found.settlements.iter().map(|(_, _, bytes)| bytes).sum();
    let segments: u64 = found.segments.iter().map(|(.., bytes)| bytes).sum();
    recovered.lanes = old_lanes(&settings, &catalog);
    let set = |meter: &AtomicU64, value| meter.store(value, Ordering::Relaxed);
    set(&meters.bytes, segments + settlements);
    set(&meters.segments, found.segments.len() as u64);
    set(&meters.damaged_settlements, damaged_settlements);

    let leftovers: Vec<_> = catalog.lanes.keys().copied().collect();
    let last_settlements = found.settlements.iter().map(|(_, number, _)| *number).max();
    // Numbers of lanes grow, whatever the clock does, so that no settlement
    // of an old lane is taken for one of a new lane.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_micros() as u64 % MAX_LANE);
    let next_lane = now.max(last_lane.map_or(0, |last| last + 1));
    let store = Arc::new(LogStore {
        settings,
        header_length,
        catalog: Mutex::new(catalog),
        meters,
        next_lane: AtomicU64::new(next_lane),
    });
    let (messages, received) = crossbeam_channel::unbounded();
    let last_settlements = last_settlements.unwrap_or(0);
    let thread = LogThread::new(Arc::clone(&store), received, last_settlements, lock);
    let thread = thread::Builder::new()
        .name("wayspan-log".to_owned())
        .spawn(move || thread.run(leftovers, settlements))
        .map_err(LogOpenError::io(&directory))?;
    Ok(OpenedLog {
        store,
        messages,
        thread,
        recovered,
    })
}

fn header_length(settings: &LogSettings) -> Result<u64, LogOpenError> {
    let header = SegmentHeader {
        lane: LaneId(0),
        first: 0,
        created: 0,
        signal: settings.signal,
        exporters: settings.exporters.clone(),
    };
    let long = settings
        .exporters
        .iter()
        .any(|id| id.len() > usize::from(u16::MAX));
    if long || header.len() > MAX_SEGMENT_HEADER {
        return Err(LogOpenError::Exporters(settings.directory.clone()));
    }
    Ok(header.len() as u64)
}

/// Sorts the segments by lane.
fn lanes(found: &LogFiles) -> BTreeMap<LaneId, BTreeMap<Seq, KnownSegment>> {
    let mut lanes: BTreeMap<_, BTreeMap<Seq, KnownSegment>> = BTreeMap::new();
    for &(lane, first, bytes) in &found.segments {
        let segments = lanes.entry(lane).or_default();
        segments.insert(first, KnownSegment::old(bytes));
    }
    lanes
}

/// Enters a lane in the catalog, or among the orphans, or both.
fn add_lane(
    settings: &LogSettings,
    id: LaneId,
    segments: &BTreeMap<Seq, KnownSegment>,
    catalog: &mut Catalog,
    recovered: &mut Recovered,
) {
    let bytes = segments.values().map(|segment| segment.bytes).sum();
    let unreadable = |why: String| OrphanLane {
        lane: id,
        exporters: vec![],
        bytes,
        unreadable: Some(why),
    };
    let mut header = None;
    for &first in segments.keys() {
        // All segments of a lane name the same exporters.
        let path = segment_path(&settings.directory, id, first);
        match SegmentWalk::header_of(&path, id) {
            Ok(Some(found)) => {
                header = Some(found);
                break;
            }
            Ok(None) => {}
            Err(error) => return recovered.orphans.push(unreadable(error.to_string())),
        }
    }
    if let Some(header) = header.as_ref().filter(|h| h.signal != settings.signal) {
        let (has, wants) = (header.signal, settings.signal);
        let why = format!("it has {has}, and this pipeline carries {wants}");
        return recovered.orphans.push(unreadable(why));
    }
    let known = |id: &String| settings.exporters.iter().position(|known| known == id);
    let (addressed, others) = match header {
        Some(header) => {
            let (known_ids, others): (Vec<_>, Vec<_>) =
                (header.exporters.into_iter()).partition(|id| known(id).is_some());
            (known_ids.iter().filter_map(known).collect(), others)
        }
        // Unknown addressees: all get it, since a duplicate is better than a loss.
        None => ((0..settings.exporters.len()).collect(), vec![]),
    };
    let lane = KnownLane {
        segments: segments.clone(),
        addressed,
        others,
        ..KnownLane::default()
    };
    if lane.addressed.is_empty() && !lane.others.is_empty() {
        recovered.orphans.push(OrphanLane {
            lane: id,
            exporters: lane.others.clone(),
            bytes,
            unreadable: None,
        });
    }
    catalog.lanes.insert(id, lane);
}

fn read_settlements(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    File::open(path)?
        .take(MAX_SETTLEMENTS)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn replay(settings: &LogSettings, catalog: &mut Catalog, entry: Settlement<'_>) {
    let Some(lane) = catalog.lanes.get_mut(&entry.lane) else {
        return;
    };
    let known = settings
        .exporters
        .iter()
        .position(|id| id == entry.exporter);
    let ranges = match known {
        Some(exporter) => lane.settled.entry(exporter).or_default(),
        None => lane
            .others_settled
            .entry(entry.exporter.to_owned())
            .or_default(),
    };
    ranges.insert(entry.records);
}

fn old_lanes(settings: &LogSettings, catalog: &Catalog) -> Vec<OldLane> {
    let old = catalog
        .lanes
        .iter()
        .filter(|(_, lane)| !lane.addressed.is_empty());
    old.map(|(&id, lane)| OldLane {
        id,
        bytes: lane.bytes(),
        pending: (0..settings.exporters.len())
            .map(|exporter| Some(catalog.unsettled(exporter, id, 0)?.start))
            .collect(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        pdata::Signal,
        queue::log::{Log, SyncPolicy},
    };
    use std::fs;

    #[test]
    fn a_clock_that_went_back_makes_no_old_number_new() {
        let future = LaneId(MAX_LANE - 100);
        let settings = |directory: &Path| LogSettings {
            directory: directory.to_owned(),
            create_directory: false,
            directory_mode: 0o700,
            max_bytes: 1 << 30,
            segment_bytes: 1 << 20,
            sync: SyncPolicy::Never,
            signal: Signal::Traces,
            exporters: vec!["otlp".to_owned()],
        };
        // The lane itself may be gone, and what was said of it not yet.
        let mut entry = vec![];
        Settlement {
            exporter: "otlp",
            lane: future,
            records: 0..1000,
        }
        .write(&mut entry);
        let segment = segment_path(Path::new(""), future, 0);
        for (name, bytes) in [(Path::new("settled-3.log"), entry), (&segment, vec![])] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(name), bytes).unwrap();
            let (log, _) = Log::open(settings(dir.path())).unwrap();
            for more in 1..4 {
                let lane = log.new_lane(Arc::default());
                assert_eq!(lane.id().0, future.0 + more);
                assert_eq!(log.unsettled(0, lane.id(), 0), None);
            }
            log.close();
        }
    }
}
