/*!
What a request would add to the batches, worked out before anything of it is
appended.

A resource may be written again for each scope, for each name that a processor
gives it, and for each batch that a request fills. So what goes out can be a
thousand times what came in; what is more than a small multiple is refused, and
refused whole. Nearly every request is far below it by a bound that costs
nothing ([`at_most`]). For the others the processors are run once without
writing, and batches are filled without bytes.
*/

use super::{
    BatchSettings, ResourceId, ScopeId,
    group_counts::{GroupCounts, HeaderBytes},
};
use crate::pdata::{ByteRange, Index};
use hashbrown::HashSet;

/// Every request may make this much.
const FLOOR: usize = 256 << 10;

/// What processors add to an item at most, as a rule: tags, and the fields of a
/// marker.
const ADDED: usize = 512;

/// Returns how many bytes may go out for a request of so many.
pub(super) fn limit(settings: &BatchSettings, request: usize) -> usize {
    request
        .saturating_mul(settings.max_expansion as usize)
        .saturating_add(FLOOR)
}

/// Returns what goes out for a request at most, whatever the processors do with
/// its names: each item twice, since a marker may go with it, and each time with
/// all that stands around it.
pub(super) fn at_most(request: usize, index: &Index) -> usize {
    let header = |parts: [ByteRange; 3]| parts.map(ByteRange::len).into_iter().sum::<usize>();
    let scopes = index.scopes.iter();
    let scopes = scopes.map(|entry| header([entry.scope, entry.schema_url, entry.rest]));
    let scope = scopes.max().unwrap_or_default();
    let groups = index.resources.iter().map(|entry| {
        let items = (entry.end_item - entry.first_item) as usize;
        let resource = header([entry.resource, entry.schema_url, entry.rest]);
        items.saturating_mul(resource + scope + ADDED)
    });
    groups.fold(request.saturating_mul(2), usize::saturating_add)
}

/// The batches that a request would fill, without their bytes.
#[derive(Debug)]
pub(super) struct Forecast {
    /// The generation of the engine's tables that the ids are of.
    generation: u64,
    groups: HashSet<(ResourceId, Option<ScopeId>), foldhash::fast::FixedState>,
    counts: GroupCounts,
    batch: usize,
    items: usize,
    all: usize,
    max_batch: usize,
    max_items: usize,
}

impl Forecast {
    pub(super) fn new(settings: &BatchSettings) -> Self {
        Self {
            generation: 0,
            groups: HashSet::default(),
            counts: GroupCounts::default(),
            batch: 0,
            items: 0,
            all: 0,
            max_batch: settings.bytes,
            max_items: settings.most_items(),
        }
    }

    /// Adds an item of so many `bytes`. The scope of one that a processor makes
    /// is not known.
    pub(super) fn add(
        &mut self,
        resource: ResourceId,
        scope: Option<ScopeId>,
        headers: HeaderBytes,
        bytes: usize,
    ) {
        let is_new = !self.groups.contains(&(resource, scope));
        let most = bytes + if is_new { headers.most() } else { 0 };
        if self.items >= self.max_items || (self.items > 0 && self.batch + most > self.max_batch) {
            self.seal();
        }
        if self.groups.insert((resource, scope)) {
            let headers = self.counts.add(resource, headers);
            self.batch += headers;
            self.all += headers;
        }
        self.batch += bytes;
        self.all += bytes;
        self.items += 1;
    }

    /// Begins another batch where the tables were emptied meanwhile, by this request
    /// or another between its pieces: the engine seals its own then too.
    pub(super) fn keep_to(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.seal();
        }
    }

    fn seal(&mut self) {
        self.groups.clear();
        self.counts.clear();
        (self.batch, self.items) = (0, 0);
    }

    /// Returns what goes out for the items so far.
    pub(super) fn bytes(&self) -> usize {
        self.all
    }
}
