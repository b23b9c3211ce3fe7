/*!
An append-only log of records in segment files, for one pipeline.

It stores payloads before their senders are answered and gives them back, after
a crash too, until every exporter that is to get them has settled them. It knows
the signal of its payloads and the number of their items, and reads no payload.

Outside this room: [`Log`] and its [`LaneWriter`]s, what opening, reading and
scanning return, and [`LogStatus`](status::LogStatus).

```text
 shard ── LaneWriter ──┐ commits                        ┌──▶ <lane>-<first>.seg   records
 shard ── LaneWriter ──┼──────────▶ the log thread ─────┼──▶ settled-<n>.log      who has what
 exporter ─ settle ────┘            writes and syncs    └──▶ lock
                                         │ decided
 reader ◀── read, scan ── the files ─────┘ notifies
```

- A **lane** is a sequence of records numbered from 0, written by one
  [`LaneWriter`]. A run begins lanes of its own and never adds to files of
  earlier runs, so whatever a crash has left at their ends stays there.
- A **record** is a payload and the number of its items. A number whose record
  failed has none; readers step over such gaps.
- A **segment** is a file of a lane: `format` has its bytes. Its header says
  which signal its records carry. It is
  deleted when it is closed and every exporter that its header names, and that
  is still configured, has settled all its records.
- A commit is **decided** once it is written, and synced as [`SyncPolicy`] says, or
  has failed. While the log is degraded, commits fail without delay: `thread`
  has the rules.
- **Damage** costs the records it hits and no others, and is counted: see `walk`.
- Lost settlements make something be sent twice; nothing makes it lost.
*/

mod catalog;
mod commit;
mod directory;
mod format;
mod handle;
mod ids;
mod lane;
mod metrics;
mod open;
mod ranges;
mod read;
mod recovered;
mod scan;
mod segment;
mod settings;
mod settled;
mod status;
mod store;
mod thread;
mod trouble;
mod walk;

pub use handle::Log;
pub use ids::{LaneId, Seq};
pub use lane::LaneWriter;
pub use recovered::Recovered;
pub(crate) use recovered::{OldLane, OrphanLane};
pub(crate) use scan::LaneScan;
pub use settings::{LogLimits, LogSettings, SyncPolicy};
pub use trouble::LogOpenError;
