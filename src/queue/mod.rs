/*!
What stands between shards and exporters: the bounded lock-free [`Queue`], and around it
that of an exporter, whose size has a unit ([`SizedQueue`]); the
[`Budget`] of bytes held as [`Memory`] shares it out, and the segment [`log`].

Nothing here knows what a batch is or where it goes: see `crate::pipeline`.
*/

mod budget;
mod handoff;
pub mod log;
mod memory;
mod sized;
mod storage;

pub use budget::Budget;
pub(crate) use budget::{Lease, ShardBudget};
pub(crate) use handoff::Full;
pub use handoff::Queue;
pub(crate) use memory::Memory;
pub(crate) use sized::QueueEntry;
pub use sized::{QueueSize, SizedQueue, Sizer};
pub use storage::{Fsync, Storage};
