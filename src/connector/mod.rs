/*!
Connectors take from one pipeline and give to others: an exporter to the first, a
receiver to the rest. What one is given it passes on (`forward`), or it makes requests of what
it sees ([`Connector`]).

A connector is a folder here with a `config.rs`, and its line in the table of `component`.
*/

pub(crate) mod forward;
mod request;
pub(crate) mod span_metrics;
mod stats;

use crate::{config::Id, pdata::Signal, pipeline::Connector};
use std::{any::Any, fmt, sync::Arc};

/// The checked settings of a connector.
pub(crate) trait ConnectorSettings: fmt::Debug + Send + Sync + Any {
    /// The signal that it gives when it is fed `signal`. None: it cannot be fed that.
    fn gives(&self, signal: Signal) -> Option<Signal>;

    /// Whether it gives what it is given, so that the pipelines it connects can be run as
    /// one.
    fn passes_on(&self) -> bool {
        false
    }

    /// Builds what observes items and makes requests of them; None where it passes on. `instance`
    /// is the id of this process.
    fn build(&self, id: &Id, instance: &str) -> Option<Arc<dyn Connector>> {
        let _ = (id, instance);
        None
    }

    /// What `validate` and the start say of it, a line each.
    fn describe(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A configured connector.
#[derive(Clone, Debug)]
pub(crate) struct ConfiguredConnector {
    /// Its id.
    pub id: Id,
    /// Its settings.
    pub settings: Arc<dyn ConnectorSettings>,
}
