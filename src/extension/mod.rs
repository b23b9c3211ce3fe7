/*!
What runs beside the pipelines, one folder each: health checks, the page of the
account, and what other components name: authenticators and storages.

A folder's `config.rs` reads its keys and gives a [`ExtensionSettings`]; `component` lists
the folders.
*/

pub(crate) mod basicauth;
pub(crate) mod bearertokenauth;
pub(crate) mod file_storage;
pub mod health_check;
pub(crate) mod zpages;

use crate::config::Id;
use std::{any::Any, fmt, net::SocketAddr, rc::Rc};

/// What an extension offers to components that name it.
pub(crate) type ExtensionOffer = Rc<dyn Any>;

/// The checked settings of an extension.
pub(crate) trait ExtensionSettings: fmt::Debug + Send + Sync {
    /// What `validate` and the start say of it, a line each.
    fn describe(&self, id: &Id) -> Vec<String> {
        let _ = id;
        Vec::new()
    }

    /// What it offers to components that name it.
    fn offer(&self) -> Option<ExtensionOffer> {
        None
    }

    /// Adds what it serves by itself.
    ///
    /// # Errors
    /// Why that is not served.
    fn serve(&self, served: &mut Served) -> Result<(), &'static str> {
        let _ = served;
        Ok(())
    }
}

/// What the extensions in use serve by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Served {
    /// The health page.
    pub(crate) health_check: Option<health_check::HealthCheck>,
    /// Where the pages below `/debug` are.
    pub(crate) zpages: Option<SocketAddr>,
}
