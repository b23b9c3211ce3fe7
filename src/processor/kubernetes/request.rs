/*! What one processor asks to be watched. */

use crate::mesh::{
    Current,
    watch::{Kept, ObjectFollower, WatchScope, kiali::ControlPlane},
};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// Where the control plane is shown that a watcher sees; empty where nothing is
/// watched, or until watchers are prepared.
pub(crate) type ControlPlaneSlot = Arc<OnceLock<watch::Receiver<ControlPlane>>>;

/// What a processor asks for.
pub(super) struct Request {
    /// What is watched.
    pub(super) scope: WatchScope,
    /// What is kept of it.
    pub(super) kept: Kept,
    /// Without a client the service does not start.
    pub(super) is_mandatory: bool,
    /// Whose directory is kept, and where the control plane is shown.
    pub(super) target: Option<(Current, ControlPlaneSlot)>,
    /// Who is told of the objects.
    pub(super) follower: Option<Box<dyn ObjectFollower>>,
}
