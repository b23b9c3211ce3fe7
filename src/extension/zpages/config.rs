/*! The keys of `zpages`. */

use crate::{
    config::{Id, KeyReader},
    extension::{ExtensionSettings, Served},
};
use std::{net::SocketAddr, sync::Arc};

/// Where the pages are.
#[derive(Debug)]
struct Pages(SocketAddr);

impl ExtensionSettings for Pages {
    fn describe(&self, _: &Id) -> Vec<String> {
        let at = self.0;
        vec![
            format!("account of every span: http://{at}/debug/pipelinez"),
            format!("spans as they pass: http://{at}/debug/tracez"),
        ]
    }

    fn serve(&self, served: &mut Served) -> Result<(), &'static str> {
        served.zpages.get_or_insert(self.0);
        Ok(())
    }
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<Arc<dyn ExtensionSettings>> {
    let endpoint = keys.listener(
        "endpoint",
        "localhost:55679",
        "address to listen on; the pages below `/debug` are there",
    );
    keys.refused(&["tls", "auth"]);
    keys.ignored(&["expvar"]);
    Some(Arc::new(Pages(endpoint?)))
}
