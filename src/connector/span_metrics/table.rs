/*!
What one shard has gathered since it published last: series by resource, meter and
dimensions.

It is bounded in bytes. Once it is full, what would be a new series is counted in the overflow series of its
resource, and the spans of a new resource in that of no resource; what is known goes on.
*/

use super::{Shared, series::Series, settings::Settings};
use hashbrown::HashTable;
use std::{collections::HashMap, hash::BuildHasher, sync::Arc, time::SystemTime};

/// A table takes no new series beyond so many bytes.
const MOST_BYTES: usize = 4 << 20;

/// What an entry takes besides its key and its series.
const ENTRY_BYTES: usize = size_of::<Entry>() + 16;

/// What a resource takes besides its bytes.
const RESOURCE_BYTES: usize = size_of::<CountedResource>() + 64;

/// A resource whose spans are counted.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CountedResource {
    /// What tells it from others.
    pub(super) key: Box<[u8]>,
    /// The payload of the message.
    pub(super) payload: Box<[u8]>,
}

/// Numbers of resource and meter, and the dimensions.
type SeriesId<'a> = (u32, u8, &'a [u8]);

/// One series.
#[derive(Debug)]
pub(super) struct Entry {
    hash: u64,
    /// Index into [`Table::resources`].
    pub(super) resource: u32,
    /// Index of the meter.
    pub(super) meter: u8,
    /// Its dimensions: encoded attributes, each as field 1.
    pub(super) key: Box<[u8]>,
    pub(super) series: Series,
}

impl Entry {
    fn is(&self, (resource, meter, key): SeriesId<'_>) -> bool {
        self.resource == resource && self.meter == meter && *self.key == *key
    }
}

/// The series of a shard.
#[derive(Debug)]
pub(super) struct Table {
    /// When its first span came.
    pub(super) begun: SystemTime,
    pub(super) resources: Vec<Arc<CountedResource>>,
    numbers: HashMap<Arc<CountedResource>, u32>,
    pub(super) entries: Vec<Entry>,
    /// Spans that went into overflow series.
    pub(super) overflowed: u64,
    by_key: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    bytes: usize,
}

impl Table {
    /// An empty table.
    pub(super) fn new() -> Self {
        Self {
            begun: SystemTime::now(),
            resources: Vec::new(),
            numbers: HashMap::new(),
            entries: Vec::new(),
            overflowed: 0,
            by_key: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            bytes: 0,
        }
    }

    /// Returns the number of a resource, new or known; of a new one in a full table that of
    /// [`Shared::nobody`].
    pub(super) fn resource(&mut self, resource: &Arc<CountedResource>, shared: &Shared) -> u32 {
        if let Some(number) = self.numbers.get(resource) {
            return *number;
        }
        if self.bytes >= MOST_BYTES && *resource != shared.nobody {
            return self.resource(&shared.nobody, shared);
        }
        let number = self.resources.len() as u32;
        self.bytes += RESOURCE_BYTES + resource.key.len() + resource.payload.len();
        self.resources.push(Arc::clone(resource));
        self.numbers.insert(Arc::clone(resource), number);
        number
    }

    /// The series of a resource and meter, by their numbers, with the dimensions of `key`; or its
    /// overflow series, and false.
    pub(super) fn series(&mut self, id: SeriesId<'_>, shared: &Shared) -> (&mut Series, bool) {
        let hash = self.hasher.hash_one(id);
        let entries = &self.entries;
        let is_it = |at: &u32| entries.get(*at as usize).is_some_and(|e| e.is(id));
        if let Some(at) = self.by_key.find(hash, is_it) {
            return (&mut self.entries[*at as usize].series, true);
        }
        let (resource, meter, key) = id;
        if self.bytes < MOST_BYTES || key == shared.overflow {
            return (self.insert(hash, id, &shared.settings), true);
        }
        self.overflowed += 1;
        let overflow = (resource, meter, &shared.overflow[..]);
        (self.series(overflow, shared).0, false)
    }

    fn insert(&mut self, hash: u64, id: SeriesId<'_>, settings: &Settings) -> &mut Series {
        let (resource, meter, key) = id;
        let declared = settings.meters.get(usize::from(meter));
        let series = Series::new(declared.and_then(|meter| settings.buckets_of(meter)));
        self.bytes += ENTRY_BYTES + key.len() + series.bytes();
        let at = self.entries.len();
        self.entries.push(Entry {
            hash,
            resource,
            meter,
            key: key.into(),
            series,
        });
        let entries = &self.entries;
        self.by_key
            .insert_unique(hash, at as u32, |at| entries[*at as usize].hash);
        &mut self.entries[at].series
    }
}
