/*!
All series of a connector: what the shards have published, put together.

Bounds: so many resources, the least recently seen go first; as many series a resource and metric as the file says;
and [`MOST_BYTES`] in all. Beyond the latter two, what would be a new series is counted in the overflow series
of its resource, or of none.
*/

use super::{
    Shared,
    points::{self, Written},
    series::Series,
    settings::{Counted, Settings},
    table::{CountedResource, Entry, Table},
};
use crate::{
    connector::request::{LONG, RequestWriter},
    pdata::{Signal, metric::Temporality, time::unix_nanos},
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// The store takes no new series beyond so many bytes.
const MOST_BYTES: usize = 32 << 20;

/// What a series takes besides its key and its values.
const SERIES_BYTES: usize = size_of::<Stored>() + 64;

/// A series, and what is known of it.
#[derive(Debug)]
struct Stored {
    series: Series,
    /// When it began, or of deltas their last point, in nanoseconds.
    start: u64,
    /// It has made no point yet.
    is_new: bool,
    /// It has spans that are in no point.
    is_touched: bool,
    seen: Instant,
}

/// A meter's number and the dimensions.
type Key = (u8, Box<[u8]>);

/// The series of a resource.
#[derive(Debug)]
struct OfResource {
    resource: Arc<CountedResource>,
    series: HashMap<Key, Stored>,
    /// How many series each meter has.
    counts: Vec<usize>,
    seen: Instant,
}

impl OfResource {
    /// Forgets the series of which `stays` is false. Returns how many bytes that frees.
    fn retain(&mut self, stays: impl Fn(&Stored) -> bool) -> usize {
        let (counts, mut freed) = (&mut self.counts, 0);
        self.series.retain(|(meter, key), stored| {
            let stays = stays(stored);
            if !stays {
                freed += bytes(key, stored);
                if let Some(count) = counts.get_mut(usize::from(*meter)) {
                    *count = count.saturating_sub(1);
                }
            }
            stays
        });
        freed
    }
}

fn bytes(key: &[u8], stored: &Stored) -> usize {
    SERIES_BYTES + key.len() + stored.series.bytes()
}

/// All series.
#[derive(Debug, Default)]
pub(super) struct Store {
    resources: HashMap<Box<[u8]>, OfResource>,
    bytes: usize,
    series: usize,
}

impl Store {
    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.series
    }

    /// Adds what a shard has published. Returns how many series' spans went into overflow
    /// series, at the shard or here.
    pub(super) fn absorb(&mut self, table: Table, now: Instant, shared: &Shared) -> u64 {
        let start = unix_nanos(table.begun);
        let mut overflowed = table.overflowed;
        for entry in table.entries {
            if let Some(resource) = table.resources.get(entry.resource as usize) {
                overflowed += self.add(resource, entry, (start, now), shared);
            }
        }
        self.measure();
        overflowed
    }

    /// Adds a shard's series. Returns how many of its spans go into the overflow series.
    fn add(
        &mut self,
        resource: &Arc<CountedResource>,
        entry: Entry,
        (start, now): (u64, Instant),
        shared: &Shared,
    ) -> u64 {
        let settings = &shared.settings;
        let meter = usize::from(entry.meter);
        let is_known = self.resources.contains_key(&resource.key);
        let resource = match self.bytes < MOST_BYTES || is_known {
            true => resource,
            false => &shared.nobody,
        };
        if !self.resources.contains_key(&resource.key) {
            self.bytes += 2 * resource.key.len() + resource.payload.len();
            let of = OfResource {
                resource: Arc::clone(resource),
                series: HashMap::new(),
                counts: vec![0; settings.meters.len()],
                seen: now,
            };
            self.resources.insert(resource.key.clone(), of);
        }
        let Some(of) = self.resources.get_mut(&resource.key) else {
            return 0;
        };
        of.seen = now;
        let Entry {
            key, mut series, ..
        } = entry;
        let mut key = (entry.meter, key);
        let mut overflowed = 0;
        if !of.series.contains_key(&key) {
            let count = of.counts.get(meter).copied().unwrap_or(0);
            let is_full = settings.most_series.is_some_and(|most| count >= most);
            if (is_full || self.bytes >= MOST_BYTES) && *key.1 != *shared.overflow {
                overflowed = series.count;
                series.exemplars.clear();
                key.1 = shared.overflow.clone().into();
            }
        }
        let stored = of.series.entry(key).or_insert_with(|| {
            if let Some(count) = of.counts.get_mut(meter) {
                *count += 1;
            }
            let declared = settings.meters.get(meter);
            let series = Series::new(declared.and_then(|meter| settings.buckets_of(meter)));
            self.bytes += SERIES_BYTES + series.bytes();
            Stored {
                series,
                start,
                is_new: true,
                is_touched: false,
                seen: now,
            }
        });
        stored.series.merge(series, settings.most_exemplars);
        stored.is_touched = true;
        stored.seen = now;
        overflowed
    }

    /// Counts series and bytes anew: histograms grow, and series come and go.
    fn measure(&mut self) {
        (self.series, self.bytes) = (0, 0);
        for (key, of) in &self.resources {
            self.series += of.series.len();
            let series = of.series.iter();
            let series = series.map(|((_, key), stored)| bytes(key, stored));
            self.bytes += 2 * key.len() + of.resource.payload.len() + series.sum::<usize>();
        }
    }

    /// Gives `each` the requests with the points of all series, and forgets what is over. Unless
    /// these are the last, a counter that is new begins at 0, so that Prometheus sees its first
    /// increase.
    pub(super) fn collect(
        &mut self,
        now: (Instant, SystemTime),
        is_last: bool,
        shared: &Shared,
        each: &mut dyn FnMut(Signal, Vec<u8>),
    ) {
        let mut writer = RequestWriter::new(each);
        let time = unix_nanos(now.1);
        for of in self.resources.values_mut() {
            write(of, (time, is_last), shared, &mut writer);
        }
        writer.end();
        self.forget(now.0, &shared.settings);
        self.measure();
    }

    /// Forgets what has expired, and what is more than may be kept.
    fn forget(&mut self, now: Instant, settings: &Settings) {
        let is_fresh = |seen: Instant, most: Option<Duration>| {
            most.is_none_or(|most| now.saturating_duration_since(seen) < most)
        };
        let is_delta = settings.temporality == Temporality::Delta;
        for of in self.resources.values_mut() {
            if settings.series_expiration.is_some() {
                of.retain(|stored| is_fresh(stored.seen, settings.series_expiration));
            }
        }
        if is_delta {
            self.remember(settings.most_remembered);
        }
        self.resources.retain(|_, of| {
            is_fresh(of.seen, settings.resource_expiration) && !of.series.is_empty()
        });
        let excess = self.resources.len().saturating_sub(settings.most_resources);
        if excess > 0 {
            let mut seen: Vec<_> = self.resources.values().map(|of| of.seen).collect();
            seen.sort_unstable();
            // Of those seen at the same moment some may stay.
            let last = seen[excess - 1];
            let mut gone = 0;
            self.resources.retain(|_, of| {
                let goes = of.seen <= last && gone < excess;
                gone += usize::from(goes);
                !goes
            });
        }
    }

    /// Keeps so many delta series for the start of their next points: those seen last.
    fn remember(&mut self, most: usize) {
        let all = self.resources.values().flat_map(|of| of.series.values());
        let mut seen: Vec<_> = all.map(|stored| stored.seen).collect();
        let Some(excess) = seen.len().checked_sub(most).filter(|excess| *excess > 0) else {
            return;
        };
        seen.sort_unstable();
        let last = seen[excess - 1];
        for of in self.resources.values_mut() {
            of.retain(|stored| stored.seen > last);
        }
    }
}

/// Writes the points of a resource's series.
fn write(
    of: &mut OfResource,
    (time, is_last): (u64, bool),
    shared: &Shared,
    writer: &mut RequestWriter<'_>,
) {
    let settings = &shared.settings;
    let is_delta = settings.temporality == Temporality::Delta;
    let mut written = Written::default();
    let resource = Arc::clone(&of.resource);
    for ((meter, key), stored) in &mut of.series {
        let Some(meter) = settings.meters.get(usize::from(*meter)) else {
            continue;
        };
        if is_delta && !stored.is_touched {
            continue;
        }
        let times = (stored.start, time);
        let series = &stored.series;
        let count = match stored.is_new && !is_delta && !is_last {
            true => 0,
            false => series.count,
        };
        let sum = |out: &mut Vec<u8>| points::put_count(key, times, count, series, out);
        match meter.counts {
            Counted::Calls => sum(&mut written.calls),
            Counted::Events => sum(&mut written.events),
            Counted::Durations => points::put_durations(key, times, series, settings, &mut written),
            Counted::Both => {
                sum(&mut written.calls);
                points::put_durations(key, times, series, settings, &mut written);
            }
        }
        stored.is_new = false;
        stored.is_touched = false;
        stored.series.exemplars.clear();
        if is_delta {
            stored.series.reset(settings.buckets_of(meter));
            stored.start = time;
        }
        if written.len() >= LONG {
            written.give(&resource.payload, settings, writer);
        }
    }
    written.give(&resource.payload, settings, writer);
}
