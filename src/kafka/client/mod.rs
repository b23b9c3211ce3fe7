/*!
The client of a cluster: the only files that know the library.

[`Producer`] writes records, [`Consumer`] reads them. What goes wrong is a [`Failure`], which says what it
means for the record and not how the protocol words it.
*/

mod connect;
mod consumer;
mod failure;
mod producer;

pub(crate) use connect::Credentials;
pub(crate) use consumer::{
    Consumer, ConsumerSettings, IncomingRecord, InitialOffset, Partition, Strategy,
};
pub(crate) use failure::{Failure, FailureKind};
pub(crate) use producer::{Acks, Compression, OutgoingRecord, Producer, ProducerSettings};
