/*!
The watchers: the part of this room that talks to others, on threads of their
own.

[`Kubernetes`] keeps the [`Directory`](super::Directory) of one or more
processors up to date, [`kiali`] the [`Scheme`](super::Scheme) of one. Whatever
goes wrong with them goes wrong alone: names are then decided from what is
known, and a status says what is missing.
*/

mod api;
mod backoff;
mod client;
mod follow;
pub mod kiali;
mod kubernetes;
mod objects;
mod status;
mod store;
mod trouble;

pub use client::{ClientError, in_cluster};
pub use kubernetes::Kubernetes;
pub use status::{Kind, KindView, Status};
pub use trouble::Reason;
