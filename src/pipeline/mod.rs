/*!
The way of a request from its bytes to a sealed batch.

Receivers see only [`Ingest`], which takes a request or says why not.
*/

mod ingest;

pub use ingest::{Ingest, Refusal, RefusalKind, Taken, Ticket};
