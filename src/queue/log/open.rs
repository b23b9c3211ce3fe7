/*!
Opening a log: the directory is listed, one header of each old lane and the
settlements are read. How far a lane goes is found out later, by a scan.
*/

use super::{
    Fsync, LaneId, Log, OldLane, Orphan, Recovered, Seq, Settings, Store,
    catalog::{Catalog, Lane, MAX_LANE, Segment, parse_segment_name, segment_path},
    format::{MAX_SEGMENT_HEADER, SegmentHeader},
    settled,
    status::Meters,
    thread::{LogThread, PROBE_FILE},
    trouble::OpenError,
    walk::Walk,
};
use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, SystemTime},
};

/// Name of the file that is locked.
const LOCK_FILE: &str = "lock";

/// Bytes of settlements that are read of a file, far more than one is long.
const MAX_SETTLEMENTS: u64 = 64 << 20;

/// What a directory has.
#[derive(Default)]
struct Found {
    segments: Vec<(LaneId, Seq, u64)>,
    settlements: Vec<(PathBuf, u64, u64)>,
}

impl Log {
    pub(super) fn open_directory(settings: Settings) -> Result<(Self, Recovered), OpenError> {
        let directory = settings.directory.clone();
        let header_length = header_length(&settings)?;
        let lock = lock(&settings)?;
        let found = list(&directory).map_err(OpenError::io(&directory))?;

        let meters = Arc::new(Meters::default());
        let (mut catalog, mut recovered) = (Catalog::default(), Recovered::default());
        for (&lane, segments) in &found.lanes() {
            add_lane(&settings, lane, segments, &mut catalog, &mut recovered);
        }
        let mut last_lane = found.segments.iter().map(|(lane, ..)| lane.0).max();
        for (path, ..) in &found.settlements {
            let entries = read_settlements(path).map_err(OpenError::io(path))?;
            recovered.damaged_settlements += settled::read(&entries, |entry| {
                // No more than a damage that checksums missed.
                if entry.lane.0 < MAX_LANE {
                    last_lane = last_lane.max(Some(entry.lane.0));
                }
                replay(&settings, &mut catalog, entry);
            });
        }
        let settlements = found.settlements.iter().map(|(_, _, bytes)| bytes).sum();
        let segments: u64 = found.segments.iter().map(|(.., bytes)| bytes).sum();
        recovered.bytes = segments;
        recovered.lanes = old_lanes(&settings, &catalog);
        meters
            .bytes
            .store(segments + settlements, Ordering::Relaxed);
        meters
            .segments
            .store(found.segments.len() as u64, Ordering::Relaxed);
        meters
            .damaged_settlements
            .store(recovered.damaged_settlements, Ordering::Relaxed);

        let leftovers: Vec<_> = catalog.lanes.keys().copied().collect();
        let last_settlements = found.settlements.iter().map(|(_, number, _)| *number).max();
        // Numbers of lanes grow, whatever the clock does, so that no settlement
        // of an old lane is taken for one of a new lane.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_micros() as u64 % MAX_LANE);
        let next_lane = now.max(last_lane.map_or(0, |last| last + 1));
        let store = Arc::new(Store {
            settings,
            header_length,
            catalog: Mutex::new(catalog),
            meters,
            next_lane: AtomicU64::new(next_lane),
        });
        let (messages, received) = mpsc::channel();
        let thread = LogThread::new(
            Arc::clone(&store),
            received,
            last_settlements.unwrap_or(0),
            lock,
        );
        let thread = thread::Builder::new()
            .name("wayspan-log".to_owned())
            .spawn(move || thread.run(leftovers, settlements))
            .map_err(OpenError::io(&directory))?;
        let log = Self {
            store,
            messages,
            thread: Arc::new(Mutex::new(Some(thread))),
        };
        Ok((log, recovered))
    }
}

fn header_length(settings: &Settings) -> Result<u64, OpenError> {
    let header = SegmentHeader {
        lane: LaneId(0),
        first: 0,
        created: 0,
        exporters: settings.exporters.clone(),
    };
    let long = settings
        .exporters
        .iter()
        .any(|id| id.len() > usize::from(u16::MAX));
    if long || header.len() > MAX_SEGMENT_HEADER {
        return Err(OpenError::Exporters(settings.directory.clone()));
    }
    Ok(header.len() as u64)
}

/// Makes sure of the directory, and that nobody else uses it.
fn lock(settings: &Settings) -> Result<File, OpenError> {
    let directory = &settings.directory;
    if !directory.exists() {
        if !settings.create_directory {
            return Err(OpenError::Missing(directory.clone()));
        }
        fs::create_dir_all(directory).map_err(OpenError::io(directory))?;
        if let Some(parent) = directory.parent()
            && settings.fsync != Fsync::Never
        {
            // Not everybody who may write there may read it.
            let _ = settled::sync_directory(parent);
        }
    }
    let path = directory.join(LOCK_FILE);
    // NFS locks only files that are open for writing.
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(OpenError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(directory.clone())),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path)(error)),
    }
}

/// Lists the directory, and removes what an earlier run did not finish.
fn list(directory: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    for file in fs::read_dir(directory)? {
        let file = file?;
        let name = file.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        if let Some((lane, first)) = parse_segment_name(name) {
            found.segments.push((lane, first, file.metadata()?.len()));
        } else if let Some(number) = settled::parse_name(name) {
            let bytes = file.metadata()?.len();
            found.settlements.push((file.path(), number, bytes));
        } else if name == PROBE_FILE || settled::is_unfinished(name) {
            // It takes some room, no more.
            let _ = fs::remove_file(file.path());
        }
    }
    Ok(found)
}

impl Found {
    fn lanes(&self) -> BTreeMap<LaneId, BTreeMap<Seq, Segment>> {
        let mut lanes: BTreeMap<LaneId, BTreeMap<Seq, Segment>> = BTreeMap::new();
        for &(lane, first, bytes) in &self.segments {
            let segments = lanes.entry(lane).or_default();
            segments.insert(first, Segment::old(bytes));
        }
        lanes
    }
}

/// Enters a lane in the catalog, or among the orphans, or both.
fn add_lane(
    settings: &Settings,
    id: LaneId,
    segments: &BTreeMap<Seq, Segment>,
    catalog: &mut Catalog,
    recovered: &mut Recovered,
) {
    let bytes = segments.values().map(|segment| segment.bytes).sum();
    let mut header = None;
    for &first in segments.keys() {
        // All segments of a lane name the same exporters.
        let path = segment_path(&settings.directory, id, first);
        match Walk::header_of(&path, id) {
            Ok(Some(found)) => {
                header = Some(found);
                break;
            }
            Ok(None) => {}
            Err(error) => {
                recovered.orphans.push(Orphan {
                    lane: id,
                    exporters: vec![],
                    bytes,
                    unreadable: Some(error.to_string()),
                });
                return;
            }
        }
    }
    let known = |id: &String| settings.exporters.iter().position(|known| known == id);
    let (addressed, others, created) = match header {
        Some(header) => (
            header.exporters.iter().filter_map(known).collect(),
            header
                .exporters
                .iter()
                .filter(|id| known(id).is_none())
                .cloned()
                .collect(),
            header.created,
        ),
        // Rather too many get it than one too few.
        None => ((0..settings.exporters.len()).collect(), vec![], 0),
    };
    let lane = Lane {
        segments: segments.clone(),
        addressed,
        others,
        created,
        ..Lane::default()
    };
    if lane.addressed.is_empty() && !lane.others.is_empty() {
        recovered.orphans.push(Orphan {
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

fn replay(settings: &Settings, catalog: &mut Catalog, entry: settled::Entry<'_>) {
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

fn old_lanes(settings: &Settings, catalog: &Catalog) -> Vec<OldLane> {
    let old = catalog
        .lanes
        .iter()
        .filter(|(_, lane)| !lane.addressed.is_empty());
    old.map(|(&id, lane)| OldLane {
        id,
        created: SystemTime::UNIX_EPOCH + Duration::from_millis(lane.created.min(1 << 48)),
        bytes: lane.bytes(),
        pending: (0..settings.exporters.len())
            .map(|exporter| Some(catalog.unsettled(exporter, id, 0)?.start))
            .collect(),
        others: lane.others.clone(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_clock_that_went_back_makes_no_old_number_new() {
        let future = LaneId(MAX_LANE - 100);
        let settings = |directory: &Path| Settings {
            directory: directory.to_owned(),
            create_directory: false,
            max_bytes: 1 << 30,
            segment_bytes: 1 << 20,
            fsync: Fsync::Never,
            exporters: vec!["otlp".to_owned()],
        };
        // The lane itself may be gone, and what was said of it not yet.
        let mut entry = vec![];
        settled::Entry {
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
