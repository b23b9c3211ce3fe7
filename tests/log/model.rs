//! Random histories against a model: every exporter gets all that was stored
//! and that it has not settled.

use crate::support::*;
use proptest::{prelude::*, sample::Index};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};
use tempfile::TempDir;
use wayspan::queue::log::{LaneId, Log, LogSettings, Seq};

#[derive(Clone, Debug)]
enum Step {
    /// Appends to one of the lanes records that differ.
    Append(bool, Vec<usize>),
    HandOver(bool),
    /// An exporter settles a part of a lane, old or new.
    Settle(usize, Index, Seq, Seq),
    /// Reads a part of a lane.
    Read(Index, Seq, usize),
    Scan(Index),
    Restart,
    Kill,
    /// Restarts after a change of a byte in a segment.
    Damage(Index, Index, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), prop::collection::vec(8..300usize, 1..5))
            .prop_map(|(lane, lengths)| Step::Append(lane, lengths)),
        5 => any::<bool>().prop_map(Step::HandOver),
        6 => (0..2usize, any::<Index>(), 0..12u64, 1..9u64)
            .prop_map(|(who, lane, from, count)| Step::Settle(who, lane, from, count)),
        3 => (any::<Index>(), 0..20u64, 0..900usize)
            .prop_map(|(lane, from, max)| Step::Read(lane, from, max)),
        1 => any::<Index>().prop_map(Step::Scan),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
        1 => (any::<Index>(), any::<Index>(), 1..=255u8)
            .prop_map(|(file, at, flip)| Step::Damage(file, at, flip)),
    ]
}

/// What is expected of a lane.
#[derive(Default)]
struct Lane {
    records: BTreeMap<Seq, Vec<u8>>,
    settled: [BTreeSet<Seq>; 2],
}

struct World {
    dir: TempDir,
    log: Log,
    writers: [Writer; 2],
    lanes: BTreeMap<LaneId, Lane>,
    /// Records that changes of bytes may have cost, at most.
    hits: usize,
}

fn small(dir: &TempDir) -> LogSettings {
    LogSettings {
        segment_bytes: 700,
        ..settings(dir.path())
    }
}

impl World {
    fn new() -> Self {
        let dir = directory();
        let (log, _) = open(small(&dir));
        Self {
            writers: [lane(&log), lane(&log)],
            dir,
            log,
            lanes: BTreeMap::new(),
            hits: 0,
        }
    }

    fn pick(&self, lane: Index) -> LaneId {
        let mut ids: BTreeSet<_> = self.lanes.keys().copied().collect();
        ids.extend(self.writers.iter().map(|writer| writer.id()));
        *ids.iter().nth(lane.index(ids.len())).unwrap()
    }

    /// Where reading may end.
    fn end(&self, lane: LaneId) -> Seq {
        let live = self.writers.iter().find(|writer| writer.id() == lane);
        live.map_or(Seq::MAX, |writer| writer.decided())
    }

    fn restart(&mut self) {
        let (log, _) = open(small(&self.dir));
        self.log = log;
        self.writers = [lane(&self.log), lane(&self.log)];
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(which, lengths) => {
                let writer = &mut self.writers[usize::from(*which)];
                let start = writer.next_seq();
                let payloads = append(writer, lengths);
                // They count once they are handed over, before any restart.
                let lane = self.lanes.entry(writer.id()).or_default();
                lane.records.extend((start..).zip(payloads));
            }
            Step::HandOver(which) => {
                let writer = &mut self.writers[usize::from(*which)];
                let end = writer.hand_over();
                decided(writer, end);
                assert!(writer.holds(0..end));
            }
            Step::Settle(who, lane, from, count) => {
                let id = self.pick(*lane);
                let end = self.end(id).min(from + count);
                if *from < end {
                    self.log.settle(*who, id, *from..end);
                    if let Some(lane) = self.lanes.get_mut(&id) {
                        lane.settled[*who].extend(*from..end);
                    }
                }
            }
            Step::Read(lane, from, max) => {
                let id = self.pick(*lane);
                let end = self.end(id);
                let read = read_all(&self.log, id, *from, end, *max);
                self.check(id, *from, end, &read, None);
            }
            Step::Scan(lane) => {
                let id = self.pick(*lane);
                let scan = self.log.scan(id);
                assert!(scan.error.is_none() && scan.torn_bytes == 0);
            }
            Step::Restart => {
                self.finish();
                self.restart();
            }
            Step::Kill => {
                self.finish_lanes();
                // Two answers of the thread: what was told before is done.
                for _ in 0..2 {
                    let mut barrier = lane(&self.log);
                    let stored = store(&mut barrier, &[8]);
                    let lane = self.lanes.entry(barrier.id()).or_default();
                    lane.records.extend((0..).zip(stored));
                }
                self.dir = crashed(self.dir.path());
                self.restart();
            }
            Step::Damage(file, at, flip) => {
                self.finish();
                let files = files(self.dir.path(), ".seg");
                if !files.is_empty() {
                    let file = &files[file.index(files.len())];
                    let mut bytes = fs::read(file).unwrap();
                    let at = at.index(bytes.len());
                    bytes[at] ^= flip;
                    fs::write(file, bytes).unwrap();
                    self.hits += 1;
                }
                self.restart();
            }
        }
    }

    fn finish_lanes(&mut self) {
        for writer in &mut self.writers {
            let end = writer.hand_over();
            decided(writer, end);
        }
    }

    fn finish(&mut self) {
        self.finish_lanes();
        self.log.close();
    }

    /// Compares what was read of a part of a lane with what must and may be:
    /// all that this exporter, or any exporter, has not settled.
    fn check(
        &self,
        id: LaneId,
        from: Seq,
        end: Seq,
        read: &[Vec<u8>],
        who: Option<usize>,
    ) -> usize {
        let Some(lane) = self.lanes.get(&id) else {
            assert!(read.is_empty());
            return 0;
        };
        let mut read = read.iter();
        let mut next = read.next();
        let mut missing = 0;
        for (seq, payload) in lane.records.range(from..end.max(from)) {
            let settled = |who: usize| lane.settled[who].contains(seq);
            let needed = match who {
                Some(who) => !settled(who),
                None => !settled(0) || !settled(1),
            };
            if next == Some(payload) {
                next = read.next();
            } else if needed {
                missing += 1;
            }
        }
        assert!(
            next.is_none(),
            "something was read that was not stored there"
        );
        assert!(
            missing <= self.hits,
            "{missing} records are missing in {id}"
        );
        missing
    }

    /// What each exporter gets in the end, and that the disk is free then.
    fn verify(mut self) {
        self.finish();
        self.restart();
        for who in 0..2 {
            let mut missing = 0;
            for &id in self.lanes.keys() {
                if self.writers.iter().any(|writer| writer.id() == id) {
                    continue;
                }
                self.log.scan(id);
                let (mut from, mut got) = (0, vec![]);
                while let Some(range) = self.log.unsettled(who, id, from) {
                    got.extend(read_all(&self.log, id, range.start, range.end, 500));
                    from = range.end;
                }
                missing += self.check(id, 0, Seq::MAX, &got, Some(who));
            }
            assert!(missing <= self.hits, "{missing} records are missing");
        }
        for who in 0..2 {
            for &id in self.lanes.keys() {
                while let Some(range) = self.log.unsettled(who, id, 0) {
                    self.log.settle(who, id, range);
                }
            }
        }
        let dir = self.dir.path().to_owned();
        until("all is deleted", || files(&dir, ".seg").is_empty());
        self.log.close();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_history_gives_back_what_was_stored(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.verify();
    }
}
