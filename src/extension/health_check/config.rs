/*! The keys of `health_check` and `healthcheckv2`. */

use super::HealthCheck;
use crate::{
    config::{Field, Id, KeyReader, Setting},
    extension::{ExtensionSettings, Served},
    tls::{self, ServerTls},
};
use std::sync::Arc;

const ENDPOINT: &str = "localhost:13133";

impl ExtensionSettings for HealthCheck {
    fn describe(&self, _: &Id) -> Vec<String> {
        let scheme = self.scheme();
        vec![format!("health: {scheme}://{}{}", self.endpoint, self.path)]
    }

    fn serve(&self, served: &mut Served) -> Result<(), &'static str> {
        if served.health_check.is_some() {
            return Err("a second health check; not served");
        }
        served.health_check = Some(self.clone());
        Ok(())
    }
}

/// Where the page is, as written.
struct Page {
    endpoint: Setting<String>,
    path: Setting<String>,
    tls: Option<ServerTls>,
}

impl Page {
    fn check(self, keys: &KeyReader<'_>) -> Option<Arc<dyn ExtensionSettings>> {
        if !keys.is_used() {
            return None;
        }
        let path = self.path.value;
        if !path.starts_with('/') {
            let message = format!("\"{path}\" does not begin with /");
            keys.reading().error(self.path.spot, &message);
        }
        let endpoint = keys.listen(&self.endpoint)?;
        Some(Arc::new(HealthCheck {
            endpoint,
            path,
            tls: self.tls,
        }))
    }
}

/// The keys of `health_check`, which the second version takes too.
fn page(keys: &mut KeyReader<'_>) -> Page {
    let mut endpoint = keys.or("endpoint", ENDPOINT.to_owned(), "address to listen on");
    let port: Field<u32> = keys.get(
        "port",
        "none",
        "an old key: the port of an `endpoint` on all addresses; warned of",
    );
    if let (Some(number), false) = (port.value, endpoint.is_set) {
        let open = format!("0.0.0.0:{number}");
        let message = format!("an old key, taken as endpoint: {open}");
        keys.reading().warn(port.spot, &message);
        endpoint = Setting {
            spot: port.spot,
            value: open,
            is_set: true,
        };
    }
    Page {
        endpoint,
        path: keys.or("path", "/".to_owned(), "path of the page"),
        tls: tls::config::server(keys),
    }
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<Arc<dyn ExtensionSettings>> {
    let page = page(keys);
    keys.refused(&["auth"]);
    keys.ignored(&[
        "response_body",
        "response_headers",
        "check_collector_pipeline",
        "include_metadata",
        "read_timeout",
        "read_header_timeout",
        "write_timeout",
        "idle_timeout",
    ]);
    page.check(keys)
}

pub(crate) fn read_v2(_: &Id, keys: &mut KeyReader<'_>) -> Option<Arc<dyn ExtensionSettings>> {
    // Without `use_v2` the Collector takes the keys of `health_check`.
    keys.ignored(&["use_v2"]);
    let first = page(keys);
    let second = keys.section("http", |keys| {
        let page = Page {
            endpoint: keys.or("endpoint", ENDPOINT.to_owned(), "address to listen on"),
            path: keys.section("status", |keys| {
                keys.ignored(&["enabled"]);
                keys.or("path", "/status".to_owned(), "path of the page")
            }),
            tls: tls::config::server(keys),
        };
        keys.refused(&["auth"]);
        keys.ignored(&["config"]);
        page
    });
    keys.ignored(&["grpc", "component_health"]);
    match second.endpoint.spot {
        Some(_) => second.check(keys),
        None => first.check(keys),
    }
}
