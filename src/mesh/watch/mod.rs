/*!
The watchers: the part of this room that talks to others, on threads of their
own.

[`DirectoryWatcher`] keeps the [`Directory`](super::Directory) of one or more
processors up to date, and tells others what Kubernetes holds; [`kiali`] the [`Scheme`](super::Scheme) of one. Whatever
goes wrong with them goes wrong alone: names are then decided from what is
known, and a status says what is missing.
*/

pub(crate) mod api;
pub(crate) mod client;
mod condition;
mod control_plane_pod;
mod directory;
pub(crate) mod error;
mod kept;
pub(crate) mod kiali;
mod list_watch;
mod objects;
mod pod_spec;
mod records;
mod resource;
mod scope;
mod status;
mod store;
mod uid;

pub(crate) use client::{Access, ClientError, in_cluster};
pub(crate) use directory::DirectoryWatcher;
pub(crate) use error::WatchErrorKind;
pub(crate) use kept::{Kept, KeyPattern, ObjectFollower};
pub(crate) use resource::Resource;
pub(crate) use scope::WatchScope;
pub(crate) use status::DirectoryStatus;
pub(crate) use store::Picked;
pub(crate) use uid::object_uid;
