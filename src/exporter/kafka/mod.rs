/*!
Kafka: batches become records of a topic, which collectors and Jaeger read.

- `plan` cuts a batch of traces into records, so that all spans of a trace come to one partition;
  `partitioner` says which, as Collectors on the same topic do.
- `sender` writes the records of a batch and waits until each is acknowledged. A record that is too
  large is halved; only an item that is too large by itself is refused.

A batch that fails in part is sent again without the records that were written.
*/

pub(crate) mod config;
mod partitioner;
mod plan;
mod sender;
mod settings;
