/*!
The watchers: the part of this room that talks to somebody.

[`Kubernetes`] keeps the [`Directory`](super::Directory) of one or more
processors up to date, on a runtime of its own. Whatever goes wrong with it
goes wrong alone: names are then decided from the span, and [`Status`] says
what is missing.
*/

mod client;
mod follow;
mod kubernetes;
mod objects;
mod status;
mod store;
mod trouble;

pub use client::{ClientError, in_cluster};
pub use kubernetes::Kubernetes;
pub use status::{Kind, KindView, Status};
pub use trouble::Reason;
