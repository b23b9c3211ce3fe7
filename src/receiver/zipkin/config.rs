/*! The keys of `zipkin`. */

use super::{Zipkin, zipkin_protocol};
use crate::{
    config::{Id, KeyReader},
    receiver::{ConfiguredReceiver, ListenerSettings, ReceiverSettings, http::config::http_server},
};
use std::sync::Arc;

impl ReceiverSettings for Zipkin {
    fn listeners(&self) -> Vec<ListenerSettings> {
        vec![ListenerSettings {
            transport: "http",
            name: "Zipkin",
            address: self.server.endpoint.clone(),
            protocol: zipkin_protocol(self.clone()),
        }]
    }
}

pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredReceiver> {
    let server = http_server(keys, "localhost:9411");
    let parse_string_tags = keys.or(
        "parse_string_tags",
        false,
        "makes numbers and booleans of tags that look like such",
    );
    Some(ConfiguredReceiver {
        id: id.clone(),
        settings: Arc::new(Zipkin {
            server: server.check(keys)?,
            parse_string_tags: parse_string_tags.value,
        }),
    })
}
