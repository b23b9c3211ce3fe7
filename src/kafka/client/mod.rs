/*!
The client of a cluster: the only files that know the library.

[`Producer`] writes records. What goes wrong is a [`Failure`], which says what it
means for the record and not how the protocol words it.
*/

mod connect;
mod failure;
mod producer;

pub(crate) use connect::Credentials;
pub(crate) use failure::{Failure, FailureKind};
pub(crate) use producer::{Acks, Compression, OutgoingRecord, Producer, ProducerSettings};
