/*!
Kafka: records of topics become requests, read as a member of a group on each shard.

- `fetch` keeps a client that is a member, and tells what is wrong with the cluster.
- `member` is what it does: records in, requests to the pipelines, a pause where those have no room, and
  offsets back.
- `offsets` decides which offsets may be committed, and what is read again.
- `topics` says which topics are read; those that match a pattern are looked for again and again.
- `take` gives one record to the pipelines.

Invariants: the offset of a record is committed only once every exporter has delivered its items, was
refused them by its backend, or left them to the segment log, and so for all records before it
in its partition: each record is read at least once. What cannot be read is counted, told of with
its place, and passed, so that it does not hold up what comes after it.
*/

pub(crate) mod config;
mod fetch;
mod lag;
mod member;
mod offsets;
mod settings;
mod take;
mod topic_keys;
mod topics;
