/*!
What is served: the last point of each series, by metric.

Bounded: a series that was not updated for `metric_expiration` ends, and no new one is taken beyond
[`MOST_BYTES`].
*/

use super::{
    point::Point,
    read::{Kind, Read},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

/// No new series is taken beyond so many bytes.
const MOST_BYTES: usize = 64 << 20;

/// How often what has expired is looked for.
const LOOKS: Duration = Duration::from_secs(1);

/// What a series takes besides its labels and its value.
const SERIES_BYTES: usize = 2 * size_of::<Series>();

/// What a metric takes besides its name, its help and its series.
const FAMILY_BYTES: usize = 2 * size_of::<Family>();

/// One series.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) point: Point,
    updated: Instant,
}

/// A metric and its series by their labels.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) kind: Kind,
    pub(super) help: String,
    pub(super) series: BTreeMap<String, Series>,
}

/// All metrics by name.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) families: BTreeMap<String, Family>,
    /// What is told of resources: labels by job and instance.
    pub(super) targets: HashMap<(String, String), (String, Instant)>,
    bytes: usize,
    looked: Option<Instant>,
}

/// Why a point was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Another kind of metric has its name.
    OtherKind,
    /// There are too many series.
    Full,
}

impl Store {
    /// Takes what was read of a request.
    ///
    /// # Errors
    ///
    /// Why some points were not taken; the others were.
    pub(super) fn take(&mut self, read: Read, now: Instant) -> Result<(), NotTaken> {
        let mut result = Ok(());
        for (id, labels) in read.targets {
            if self.bytes < MOST_BYTES || self.targets.contains_key(&id) {
                self.bytes += labels.len() + id.0.len() + id.1.len();
                self.targets.insert(id, (labels, now));
            }
        }
        for (name, kind, help, points) in read.metrics {
            if !self.families.contains_key(&name) {
                if self.bytes >= MOST_BYTES {
                    result = Err(NotTaken::Full);
                    continue;
                }
                self.bytes += FAMILY_BYTES + name.len() + help.len();
            }
            let family = self.families.entry(name).or_insert_with(|| Family {
                kind,
                help,
                series: BTreeMap::new(),
            });
            if family.kind != kind {
                result = Err(NotTaken::OtherKind);
                continue;
            }
            for (labels, temporality, point) in points {
                let Some(point) = point else {
                    family.series.remove(&labels);
                    continue;
                };
                if let Some(series) = family.series.get_mut(&labels) {
                    if series.point.follow(point, temporality) {
                        series.updated = now;
                    }
                    continue;
                }
                if self.bytes >= MOST_BYTES {
                    result = Err(NotTaken::Full);
                    continue;
                }
                self.bytes += SERIES_BYTES + labels.len() + point.bytes();
                let updated = now;
                family.series.insert(labels, Series { point, updated });
            }
        }
        result
    }

    /// Forgets what was not updated for so long. Looks once a second at most.
    pub(super) fn expire(&mut self, now: Instant, expiration: Duration) {
        let pause = LOOKS.min(expiration / 10);
        if self
            .looked
            .is_some_and(|looked| now.saturating_duration_since(looked) < pause)
        {
            return;
        }
        self.looked = Some(now);
        let is_fresh = |updated: Instant| now.saturating_duration_since(updated) <= expiration;
        self.targets.retain(|_, (_, updated)| is_fresh(*updated));
        let targets = self.targets.iter();
        self.bytes = targets
            .map(|(id, (labels, _))| labels.len() + id.0.len() + id.1.len())
            .sum();
        for (name, family) in &mut self.families {
            family.series.retain(|_, series| is_fresh(series.updated));
            let series = family.series.iter();
            let series = series.map(|(labels, s)| SERIES_BYTES + labels.len() + s.point.bytes());
            self.bytes += FAMILY_BYTES + name.len() + family.help.len() + series.sum::<usize>();
        }
        self.families.retain(|_, family| !family.series.is_empty());
    }
}
