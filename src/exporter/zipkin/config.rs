/*! The keys of the exporter `zipkin`. */

use super::{Zipkin, ZipkinFormat, ZipkinSender};
use crate::{
    config::{Field, Id, KeyReader, Word},
    exporter::{
        ConfiguredExporter, Exporter, ExporterSettings,
        config::{
            INSECURE, checked, http_transport, needs_endpoint, retry, sending_queue, timeout,
        },
    },
    http::{
        ConnectOptions,
        config::{client, url},
    },
    pdata::Signal,
    zipkin::ExportOptions,
};
use std::{sync::Arc, time::Duration};

impl Word for ZipkinFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("json", Self::Json), ("proto", Self::Proto)];
}

impl ExporterSettings for Zipkin {
    fn destination(&self) -> Option<String> {
        Some(self.client.url.clone())
    }

    fn lacks(&self, signal: Signal) -> Option<String> {
        let message = format!("Zipkin takes traces, not {signal}: use otlp_grpc or otlp_http");
        (signal != Signal::Traces).then_some(message)
    }

    fn build(
        &self,
        configured: &ConfiguredExporter,
        options: ConnectOptions,
    ) -> Result<Exporter, String> {
        let sender = ZipkinSender::build(self, options)?;
        Ok(Exporter::new(configured, sender))
    }
}

pub(crate) fn read(id: &Id, keys: &mut KeyReader<'_>) -> Option<ConfiguredExporter> {
    const EXAMPLE: &str = "http://zipkin.istio-system:9411/api/v2/spans";
    let endpoint: Field<String> = keys.get(
        "endpoint",
        "required",
        "the whole URL, such as `http://zipkin:9411/api/v2/spans`",
    );
    let format = keys.or("format", ZipkinFormat::Json, "of a request's body");
    let service: Field<String> = keys.get(
        "default_service_name",
        "`OTLPResourceNoServiceName`",
        "service name of spans whose resource has none",
    );
    let client = client(keys);
    let timeout = timeout(keys, Duration::from_secs(5));
    let queue = sending_queue(keys);
    let retry = retry(keys, queue.storage.is_some());
    let transport = http_transport(keys);
    keys.misplaced("insecure", INSECURE);

    let url = checked(&endpoint, keys, url);
    if url.is_none() {
        needs_endpoint(&endpoint, EXAMPLE, keys);
    }
    let is_bare = |url: &String| {
        let path = url
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'));
        path.is_none_or(|(_, path)| path.is_empty())
    };
    if url.as_ref().is_some_and(is_bare) {
        let message = "has no path, and is used as it is: Zipkin and Jaeger take spans at \
            /api/v2/spans";
        keys.reading().warn(endpoint.spot, message);
    }
    let client = transport.check(client.check(url, keys)?, keys);
    Some(ConfiguredExporter {
        id: id.clone(),
        settings: Arc::new(Zipkin {
            client,
            format: format.value,
            options: ExportOptions {
                default_service_name: service.given().map(str::to_owned),
            },
        }),
        queue,
        retry,
        timeout,
    })
}
