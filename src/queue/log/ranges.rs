/*! A set of sequence numbers, kept as ranges. */

use super::Seq;
use std::{collections::BTreeMap, ops::Range};

/// Ranges that neither touch nor overlap: start to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(BTreeMap<Seq, Seq>);

impl Ranges {
    /// Adds all of `range`; joins what touches.
    pub(super) fn insert(&mut self, range: Range<Seq>) {
        let Range { mut start, mut end } = range;
        if start >= end {
            return;
        }
        while let Some((&s, &e)) = self.0.range(..=end).next_back() {
            if e < start {
                break;
            }
            self.0.remove(&s);
            start = start.min(s);
            end = end.max(e);
        }
        self.0.insert(start, end);
    }

    /// Returns true if all of `range` is in it.
    pub(super) fn covers(&self, range: Range<Seq>) -> bool {
        range.start >= range.end || self.end_of(range.start).is_some_and(|end| end >= range.end)
    }

    /// Returns true if any of `range` is in it.
    pub(super) fn touches(&self, range: Range<Seq>) -> bool {
        range.start < range.end
            && self
                .0
                .range(..range.end)
                .next_back()
                .is_some_and(|(_, &end)| end > range.start)
    }

    /// The parts of it that lie in `range`.
    pub(super) fn within(&self, range: Range<Seq>) -> impl Iterator<Item = Range<Seq>> + '_ {
        self.0
            .range(..range.end)
            .rev()
            .map_while(move |(&start, &end)| {
                (end > range.start).then(|| start.max(range.start)..end.min(range.end))
            })
    }

    /// The first number at or after `from` that is not in it.
    pub(super) fn next_missing(&self, from: Seq) -> Seq {
        self.end_of(from).unwrap_or(from)
    }

    /// The first number after `from` that is in it.
    pub(super) fn next_present(&self, from: Seq) -> Option<Seq> {
        self.0.range(from..).next().map(|(&start, _)| start)
    }

    /// The first range, taken out.
    pub(super) fn pop_first(&mut self) -> Option<Range<Seq>> {
        self.0.pop_first().map(|(start, end)| start..end)
    }

    /// How many ranges there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Range<Seq>> + '_ {
        self.0.iter().map(|(&start, &end)| start..end)
    }

    /// Where the range ends that `seq` lies in.
    fn end_of(&self, seq: Seq) -> Option<Seq> {
        let (_, &end) = self.0.range(..=seq).next_back()?;
        (end > seq).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn is_a_set(inserted in prop::collection::vec((0u64..60, 0u64..9), 0..40)) {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for (start, length) in inserted {
                ranges.insert(start..start + length);
                model.extend(start..start + length);
            }
            let flat: Vec<_> = ranges.iter().flatten().collect();
            prop_assert_eq!(&flat, &model.iter().copied().collect::<Vec<_>>());
            for (a, b) in ranges.iter().zip(ranges.iter().skip(1)) {
                prop_assert!(a.end < b.start);
            }
            for from in 0..70u64 {
                let missing = (from..).find(|seq| !model.contains(seq));
                prop_assert_eq!(Some(ranges.next_missing(from)), missing);
                for to in from..70 {
                    let all = (from..to).all(|seq| model.contains(&seq));
                    let any = (from..to).any(|seq| model.contains(&seq));
                    prop_assert_eq!(ranges.covers(from..to), all);
                    prop_assert_eq!(ranges.touches(from..to), any);
                    let within: BTreeSet<_> = ranges.within(from..to).flatten().collect();
                    prop_assert!(within.iter().eq(model.range(from..to)));
                }
            }
        }
    }
}
