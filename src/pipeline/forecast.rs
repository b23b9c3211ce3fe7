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
use crate::pdata::Index;
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
    let header =
        |at: &crate::pdata::ScopeEntry| at.scope.len() + at.schema_url.len() + at.rest.len();
    let scope = index.scopes.iter().map(header).max().unwrap_or_default();
    let groups = index.resources.iter().map(|entry| {
        let items = (entry.end_item - entry.first_item) as usize;
        let header = entry.resource.len() + entry.schema_url.len() + entry.rest.len();
        items.saturating_mul(header + scope + ADDED)
    });
    groups.fold(request.saturating_mul(2), usize::saturating_add)
}

/// The batches that a request would fill, without their bytes.
#[derive(Debug)]
pub(super) struct Forecast {
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
        let sizes = [settings.items, settings.max_items];
        Self {
            groups: HashSet::default(),
            counts: GroupCounts::default(),
            batch: 0,
            items: 0,
            all: 0,
            max_batch: settings.bytes,
            max_items: sizes
                .into_iter()
                .filter(|n| *n > 0)
                .min()
                .unwrap_or(usize::MAX),
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
            self.forget();
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

    /// Begins another batch; ids may change their meaning.
    pub(super) fn forget(&mut self) {
        self.groups.clear();
        self.counts.clear();
        (self.batch, self.items) = (0, 0);
    }

    /// Returns what goes out for the items so far.
    pub(super) fn bytes(&self) -> usize {
        self.all
    }
}
