/*! The numbers of lanes and records. */

use std::fmt;

/// The number of a record in its lane.
pub type Seq = u64;

/// Lanes are numbered below this, far beyond any clock.
pub(super) const MAX_LANE: u64 = u64::MAX >> 1;

/// The number of a lane. Later lanes have greater ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub(super) u64);

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
