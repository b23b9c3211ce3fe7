/*!
The watchers: the part of this room that talks to others, on threads of their
own.

[`DirectoryWatcher`] keeps the [`Directory`](super::Directory) of one or more
processors up to date, [`kiali`] the [`Scheme`](super::Scheme) of one. Whatever
goes wrong with them goes wrong alone: names are then decided from what is
known, and a status says what is missing.
*/

mod api;
mod client;
mod condition;
mod directory;
mod error;
pub mod kiali;
mod list_watch;
mod objects;
mod records;
mod resource;
mod status;
mod store;

pub use client::{ClientError, in_cluster};
pub use directory::DirectoryWatcher;
pub use error::WatchErrorKind;
pub use resource::Resource;
pub use status::{DirectoryStatus, ResourceView};
