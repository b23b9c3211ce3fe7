/*!
Which offsets may be committed.

Records of a partition are taken in their order and may be settled in any. What may be committed is the
offset after the last record before which all are settled. Where one is lost, its partition is read
again from there.
*/

use crate::kafka::client::Partition;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What became of records that were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are on their way.
    Open,
    /// They are delivered, stored, or of no use to anybody.
    Settled,
    /// They are to be read again.
    Lost,
}

/// Records in a row that were taken, which `P` tells the fate of.
#[derive(Debug)]
struct TakenRecords<P> {
    first: i64,
    last: i64,
    bytes: usize,
    proof: P,
}

/// What was taken of a member's partitions, and is not settled or not committed.
#[derive(Debug)]
pub(super) struct Offsets<P> {
    taken: BTreeMap<Partition, VecDeque<TakenRecords<P>>>,
    /// Where reading may go on, as far as that is to be committed.
    due: BTreeMap<Partition, i64>,
    /// Of all values that are not settled.
    bytes: usize,
}

impl<P> Default for Offsets<P> {
    fn default() -> Self {
        Self {
            taken: BTreeMap::new(),
            due: BTreeMap::new(),
            bytes: 0,
        }
    }
}

impl<P: PartialEq> Offsets<P> {
    /// Notes a record that was taken, the next of its partition that was read.
    pub(super) fn take(&mut self, partition: &Partition, offset: i64, bytes: usize, proof: P) {
        if !self.taken.contains_key(partition) {
            self.taken.insert(partition.clone(), VecDeque::new());
        }
        let Some(taken) = self.taken.get_mut(partition) else {
            return;
        };
        // The partition was given back and came again: what it has is read a second time.
        while let Some(again) = taken.pop_back_if(|taken| taken.last >= offset) {
            self.bytes -= again.bytes;
        }
        self.bytes += bytes;
        match taken.back_mut().filter(|last| last.proof == proof) {
            Some(last) => {
                last.last = offset;
                last.bytes += bytes;
            }
            None => taken.push_back(TakenRecords {
                first: offset,
                last: offset,
                bytes,
                proof,
            }),
        }
    }

    /// Bytes of the records that are not settled.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns true if nothing is left to be settled.
    pub(super) fn is_settled(&self) -> bool {
        self.taken.is_empty()
    }

    /// The first offset of a partition that is not settled, of those that were taken.
    pub(super) fn unsettled(&self, partition: &Partition) -> Option<i64> {
        Some(self.taken.get(partition)?.front()?.first)
    }

    /// Looks at what became of the records by now. Returns the partitions that are to be read
    /// again, and from where; what was taken of them from there on is forgotten.
    pub(super) fn advance(&mut self, fate: impl Fn(&P) -> Fate) -> Vec<(Partition, i64)> {
        let Self { taken, due, bytes } = self;
        let mut again = Vec::new();
        taken.retain(|partition, records| {
            while let Some(first) = records.front() {
                match fate(&first.proof) {
                    Fate::Open => break,
                    Fate::Settled => {
                        due.insert(partition.clone(), first.last + 1);
                        *bytes -= first.bytes;
                        records.pop_front();
                    }
                    Fate::Lost => {
                        again.push((partition.clone(), first.first));
                        *bytes -= records.drain(..).map(|record| record.bytes).sum::<usize>();
                    }
                }
            }
            !records.is_empty()
        });
        again
    }

    /// What is to be committed.
    pub(super) fn due(&self) -> &BTreeMap<Partition, i64> {
        &self.due
    }

    /// All of [`Offsets::due`] is committed.
    pub(super) fn committed(&mut self) {
        self.due.clear();
    }

    /// Forgets partitions that are another member's now: it begins where this one has committed.
    pub(super) fn retain(&mut self, assigned: &BTreeSet<Partition>) {
        self.due.retain(|partition, _| assigned.contains(partition));
        let bytes = &mut self.bytes;
        self.taken.retain(|partition, records| {
            let is_kept = assigned.contains(partition);
            if !is_kept {
                *bytes -= records.iter().map(|record| record.bytes).sum::<usize>();
            }
            is_kept
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn partition(number: i32) -> Partition {
        ("spans".into(), number)
    }

    fn due(all: &[(i32, i64)]) -> BTreeMap<Partition, i64> {
        all.iter().map(|(at, to)| (partition(*at), *to)).collect()
    }

    #[test]
    fn an_offset_waits_for_all_records_before_it() {
        let settled = Cell::new(0_u32);
        let fate = |record: &u32| match settled.get() & (1 << record) {
            0 => Fate::Open,
            _ => Fate::Settled,
        };
        let mut offsets = Offsets::default();
        for record in 0..3 {
            offsets.take(&partition(0), 10 + i64::from(record), 5, record);
        }
        offsets.take(&partition(1), 70, 5, 3);
        assert!(offsets.advance(fate).is_empty());
        assert!(offsets.due().is_empty() && offsets.bytes() == 20);
        settled.set(0b1110);
        assert!(offsets.advance(fate).is_empty());
        assert_eq!(offsets.due(), &due(&[(1, 71)]));
        assert_eq!(offsets.unsettled(&partition(0)), Some(10));
        assert_eq!(offsets.bytes(), 15);
        offsets.committed();
        settled.set(0b1111);
        assert!(offsets.advance(fate).is_empty());
        assert_eq!(offsets.due(), &due(&[(0, 13)]));
        assert!(offsets.is_settled() && offsets.bytes() == 0);
    }

    #[test]
    fn what_is_lost_is_read_again_with_all_that_follows() {
        let mut offsets = Offsets::default();
        for (offset, fate) in [(1, Fate::Settled), (2, Fate::Lost), (3, Fate::Settled)] {
            offsets.take(&partition(0), offset, 5, fate);
        }
        offsets.take(&partition(1), 9, 5, Fate::Open);
        assert_eq!(offsets.advance(|fate| *fate), [(partition(0), 2)]);
        assert_eq!(offsets.due(), &due(&[(0, 2)]));
        assert_eq!(offsets.bytes(), 5);
    }

    #[test]
    fn records_of_one_batch_are_one_entry_and_fall_together() {
        let mut offsets = Offsets::default();
        for (offset, batch) in [(1, 'a'), (2, 'a'), (5, 'a'), (6, 'b')] {
            offsets.take(&partition(0), offset, 5, batch);
        }
        assert_eq!(offsets.taken[&partition(0)].len(), 2);
        let fate = |batch: &char| match batch {
            'a' => Fate::Settled,
            _ => Fate::Lost,
        };
        assert_eq!(offsets.advance(fate), [(partition(0), 6)]);
        assert_eq!(offsets.due(), &due(&[(0, 6)]));
    }

    #[test]
    fn a_partition_that_comes_again_is_counted_from_where_it_is_read() {
        let mut offsets = Offsets::default();
        for (offset, batch) in [(1, 'a'), (2, 'b'), (3, 'c'), (2, 'd'), (3, 'e')] {
            offsets.take(&partition(0), offset, 5, batch);
        }
        assert_eq!(offsets.bytes(), 15);
        let fate = |batch: &char| match batch {
            'a' => Fate::Settled,
            'd' => Fate::Open,
            _ => Fate::Lost,
        };
        assert!(offsets.advance(fate).is_empty());
        assert_eq!(offsets.due(), &due(&[(0, 2)]));
    }

    #[test]
    fn what_is_anothers_is_forgotten() {
        let mut offsets = Offsets::default();
        offsets.take(&partition(0), 1, 5, Fate::Settled);
        offsets.take(&partition(1), 2, 5, Fate::Settled);
        offsets.take(&partition(1), 3, 5, Fate::Open);
        offsets.advance(|fate| *fate);
        offsets.retain(&BTreeSet::from([partition(0)]));
        assert_eq!(offsets.due(), &due(&[(0, 2)]));
        assert!(offsets.is_settled() && offsets.bytes() == 0);
    }
}
