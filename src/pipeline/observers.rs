/*!
The observers of a pipeline on one shard, and when they publish.

They publish one second after the first item since the last time, or sooner where their
connector is asked for requests more often.
*/

use super::{Connector, Observer, ResourceId, Resources, ScopeId, Scopes};
use crate::pdata::{Signal, wire::WireFields};
use std::time::{Duration, Instant};

/// How long what was seen may stay with the shard.
pub(crate) const PUBLISH_AFTER: Duration = Duration::from_secs(1);

/// What observes the items that a pipeline lets out.
#[derive(Default)]
pub(crate) struct Observers {
    all: Vec<Box<dyn Observer>>,
    after: Duration,
    /// The group of the last item.
    group: Option<(ResourceId, ScopeId)>,
    /// When they must publish; None: nothing was seen.
    due: Option<Instant>,
}

impl Observers {
    /// Adds an observer of `connector`.
    pub(super) fn add(&mut self, connector: &dyn Connector, signal: Signal) {
        let after = connector.interval().min(PUBLISH_AFTER);
        self.after = match self.all.is_empty() {
            true => after,
            false => self.after.min(after),
        };
        self.all.push(connector.observer(signal));
    }

    /// The item that follows is of this resource and scope.
    #[inline]
    pub(super) fn enter(&mut self, group: (ResourceId, ScopeId), tables: (&Resources, &Scopes)) {
        if self.all.is_empty() || self.group == Some(group) {
            return;
        }
        self.group = Some(group);
        for observer in &mut self.all {
            observer.enter(group, tables);
        }
    }

    /// Shows them an item: its field in its group.
    #[inline]
    pub(super) fn observe(&mut self, written: &[u8]) {
        if self.all.is_empty() {
            return;
        }
        let field = WireFields::new(written).next();
        let item = field.and_then(|field| field.bytes()).unwrap_or_default();
        for observer in &mut self.all {
            observer.observe(item);
        }
    }

    /// Notes that items were seen. Returns true if they are the first since the last time, so
    /// that the clock starts.
    pub(super) fn note(&mut self) -> bool {
        if self.all.is_empty() || self.due.is_some() {
            return false;
        }
        self.due = Some(Instant::now() + self.after);
        true
    }

    /// When they must publish, if they have something.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Lets them publish if it is time.
    pub(super) fn turn(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            self.publish();
        }
    }

    /// Lets them publish.
    pub(super) fn publish(&mut self) {
        if self.due.take().is_none() {
            return;
        }
        let mut is_taken = true;
        for observer in &mut self.all {
            is_taken &= observer.publish();
        }
        if !is_taken {
            self.note();
        }
    }

    /// The tables of ids were emptied.
    pub(super) fn forget(&mut self) {
        self.group = None;
        self.all.iter_mut().for_each(|observer| observer.forget());
    }
}
