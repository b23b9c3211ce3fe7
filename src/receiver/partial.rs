/*!
Bodies that have come in part, and the memory that they may hold.

A body in several pieces is joined in a buffer that grows with what has arrived,
never with what was claimed, and what it grows by is charged before. Each shard has
a share of its own, and all have a common one. When both are used up, the oldest
body of the shard gives way: an honest one is whole within moments, so the oldest is
one of those that somebody does not finish. Nobody else is refused for it.
*/

use crate::{
    net::buffers::BufferPool,
    pipeline::Refusal,
    queue::{Budget, Lease},
};
use std::{
    cell::{Cell, RefCell},
    ops::Deref,
    rc::Rc,
};

/// By how much a shard takes from the common share.
const FILL: usize = 64 << 10;

/// What a sender is told whose body finds no room or gave way.
const CROWDED: &str = "too many half-sent requests at once";

/// The bodies of one shard that have come in part.
#[derive(Debug)]
pub(crate) struct PartialBodies {
    pool: BufferPool,
    /// The shard's own share, and how much of it and the common one is held.
    own: usize,
    held: Cell<usize>,
    common: Budget,
    leased: RefCell<Vec<Lease>>,
    begun: Cell<u64>,
    /// Places that are used again, and which of them are free.
    places: RefCell<Vec<Place>>,
    free: RefCell<Vec<usize>>,
}

/// One body, as far as it has come.
#[derive(Debug, Default)]
struct Place {
    /// Its age: the lower, the older. 0: it cannot give way.
    number: u64,
    bytes: Vec<u8>,
    charged: usize,
    gave_way: bool,
}

impl PartialBodies {
    /// Half of `budget` is shared out among so many `shards`, half is common.
    pub(crate) fn new(budget: &Budget, shards: usize) -> Self {
        Self {
            pool: BufferPool::default(),
            own: budget.limit() / 2 / shards.max(1),
            held: Cell::new(0),
            common: budget.clone(),
            leased: RefCell::default(),
            begun: Cell::new(0),
            places: RefCell::default(),
            free: RefCell::default(),
        }
    }

    /// Buffers for what is half read, half received or half written.
    pub(crate) fn pool(&self) -> &BufferPool {
        &self.pool
    }

    /// Begins a body of which nothing has come.
    pub(crate) fn begin(self: &Rc<Self>) -> PartialBody {
        let number = self.begun.get() + 1;
        self.begun.set(number);
        let mut places = self.places.borrow_mut();
        let at = self.free.borrow_mut().pop().unwrap_or_else(|| {
            places.push(Place::default());
            places.len() - 1
        });
        places[at] = Place {
            number,
            ..Place::default()
        };
        PartialBody {
            at,
            number,
            bodies: Rc::clone(self),
        }
    }

    fn hold(&self, bytes: usize) -> bool {
        let held = self.held.get().saturating_add(bytes);
        let leased = self.leased.borrow().len() * FILL;
        let lacking = held.saturating_sub(self.own + leased);
        for _ in 0..lacking.div_ceil(FILL) {
            // The common share is the half that no shard has of its own.
            let used = self.common.held().saturating_add(FILL);
            if used > self.common.limit() / 2 {
                return false;
            }
            self.leased.borrow_mut().push(self.common.lease(FILL));
        }
        self.held.set(held);
        true
    }

    fn release(&self, bytes: usize) {
        let held = self.held.get().saturating_sub(bytes);
        self.held.set(held);
        let needed = held.saturating_sub(self.own).div_ceil(FILL);
        self.leased.borrow_mut().truncate(needed);
    }

    /// Lets the oldest body give way that is older than number `number`.
    fn evict_before(&self, number: u64) -> bool {
        let mut places = self.places.borrow_mut();
        let can = |place: &&mut Place| (1..number).contains(&place.number) && place.charged > 0;
        let oldest = places
            .iter_mut()
            .filter(can)
            .min_by_key(|place| place.number);
        let Some(oldest) = oldest else { return false };
        *oldest = Place {
            gave_way: true,
            charged: oldest.charged,
            ..Place::default()
        };
        self.release(std::mem::take(&mut oldest.charged));
        true
    }
}

/// A body that has come in part. Dropping it gives its memory back.
#[derive(Debug)]
pub(crate) struct PartialBody {
    at: usize,
    number: u64,
    bodies: Rc<PartialBodies>,
}

impl PartialBody {
    fn place<T>(&self, look: impl FnOnce(&mut Place) -> T) -> T {
        look(&mut self.bodies.places.borrow_mut()[self.at])
    }

    /// Returns how many bytes have come.
    pub(crate) fn len(&self) -> usize {
        self.place(|place| place.bytes.len())
    }

    /// Checks that it has not given way to another.
    ///
    /// # Errors
    ///
    /// When it has.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self.place(|place| place.gave_way) {
            true => Err(Refusal::crowded(CROWDED)),
            false => Ok(()),
        }
    }

    /// Calls `look` with what has come.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        self.place(|place| look(&place.bytes))
    }

    /// Adds a piece of a body that may have `most` bytes in all.
    ///
    /// # Errors
    ///
    /// When there is no room for it, or it has given way to another.
    pub(crate) fn add(&self, piece: &[u8], most: usize) -> Result<(), Refusal> {
        self.check()?;
        let (length, mut capacity, charged) = self.place(|place| {
            if place.bytes.capacity() == 0 {
                place.bytes = self.bodies.pool.take();
            }
            let length = place.bytes.len().saturating_add(piece.len());
            (length, place.bytes.capacity(), place.charged)
        });
        if capacity < length {
            // It doubles, but not past the most, and only where nobody is in the way.
            capacity = length.max(capacity.saturating_mul(2).min(most));
            if !self.bodies.hold(capacity.saturating_sub(charged)) {
                capacity = length;
                self.make_room(capacity.saturating_sub(charged))?;
            }
        } else {
            self.make_room(capacity.saturating_sub(charged))?;
        }
        self.place(|place| {
            place.charged = charged.max(capacity);
            place
                .bytes
                .reserve_exact(capacity.saturating_sub(place.bytes.len()));
            place.bytes.extend_from_slice(piece);
        });
        Ok(())
    }

    /// Holds so many `bytes` more; the oldest bodies give way where there is no room.
    fn make_room(&self, bytes: usize) -> Result<(), Refusal> {
        while !self.bodies.hold(bytes) {
            if !self.bodies.evict_before(self.number) {
                return Err(Refusal::crowded(CROWDED));
            }
        }
        Ok(())
    }

    /// Takes the bytes, which stay charged until this is dropped. It does not give
    /// way any more.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.place(|place| {
            place.number = 0;
            std::mem::take(&mut place.bytes)
        })
    }
}

impl Drop for PartialBody {
    fn drop(&mut self) {
        let place = self.place(std::mem::take);
        self.bodies.release(place.charged);
        self.bodies.pool.give(place.bytes);
        self.bodies.free.borrow_mut().push(self.at);
    }
}

/// A whole body: in one piece, as `B` has it where it was read, or joined.
#[derive(Debug)]
pub(crate) enum WholeBody<B> {
    /// In one piece.
    Lent(B),
    /// Joined, and what it is charged to.
    Joined(Vec<u8>, PartialBody),
}

impl<B> WholeBody<B> {
    /// Returns the body whose pieces were joined.
    pub(crate) fn joined(body: PartialBody) -> Self {
        Self::Joined(body.take(), body)
    }

    /// Gives back the buffer that it was joined in.
    pub(crate) fn give_back(self) {
        if let Self::Joined(bytes, charge) = self {
            charge.bodies.pool.give(bytes);
        }
    }
}

impl<B: Deref<Target = [u8]>> WholeBody<B> {
    /// Returns the body for another thread, charged.
    ///
    /// # Errors
    ///
    /// When there is no room for it.
    pub(crate) fn into_owned(
        self,
        bodies: &Rc<PartialBodies>,
    ) -> Result<(Vec<u8>, PartialBody), Refusal> {
        match self {
            Self::Joined(bytes, charge) => Ok((bytes, charge)),
            Self::Lent(bytes) => {
                let charge = bodies.begin();
                charge.add(&bytes, bytes.len())?;
                Ok((charge.take(), charge))
            }
        }
    }
}

impl<B: Deref<Target = [u8]>> Deref for WholeBody<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Joined(bytes, _) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const KIB: usize = 1024;

    fn add(bodies: &Rc<PartialBodies>, kib: usize) -> Result<PartialBody, Refusal> {
        let body = bodies.begin();
        body.add(&vec![7; kib * KIB], 1 << 30)?;
        Ok(body)
    }

    #[test]
    fn the_oldest_gives_way_and_not_the_newcomer() {
        let budget = Budget::new(1024 * KIB);
        let bodies = Rc::new(PartialBodies::new(&budget, 2));
        let old = add(&bodies, 300).unwrap();
        let young = add(&bodies, 300).unwrap();
        let new = add(&bodies, 300).unwrap();
        assert!(old.add(b"x", 1 << 30).is_err(), "it gave way");
        young.add(b"x", 1 << 30).unwrap();
        assert_eq!(new.len(), 300 * KIB);
        // What is taken is charged and cannot give way.
        let whole = young.take();
        assert_eq!(whole.len(), 300 * KIB + 1);
        assert!(add(&bodies, 600).is_err());
        drop((young, new));
        assert!(add(&bodies, 700).is_ok());
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_shard_keeps_its_own_share_whatever_others_hold() {
        let budget = Budget::new(1024 * KIB);
        let shards = [(); 2].map(|()| Rc::new(PartialBodies::new(&budget, 2)));
        let all = add(&shards[0], 767).unwrap();
        assert!(add(&shards[1], 300).is_err());
        assert!(add(&shards[1], 255).is_ok());
        drop(all);
        assert!(add(&shards[1], 300).is_ok());
        assert_eq!(budget.held(), 0);
    }
}
