/*!
The keys of a server over HTTP, whatever format it takes.
*/

use super::{cors::Cors, settings::HttpServer};
use crate::{
    auth::{self, ServerAuth},
    config::{Field, KeyReader, Setting},
    receiver::config::{
        ADDRESS, DEFAULT_BODY, DEFAULT_HEADERS, HEADER_BYTES, Transport, address, body_limit,
        connection_age, not_zero, or_default, served, transport, wait,
    },
    tls::{self, ServerTls},
};
use std::time::Duration;

const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// The keys of a server, before it is known whether it is served.
pub(crate) struct HttpServerKeys {
    endpoint: Setting<String>,
    transport: Setting<Transport>,
    tls: Option<ServerTls>,
    cors: Option<Cors>,
    auth: Option<ServerAuth>,
    size: Setting<u64>,
    header_bytes: Setting<u32>,
    header_timeout: Setting<Duration>,
    idle: Field<Duration>,
    age: (Option<Duration>, Duration),
}

/// Reads the keys of a server that listens on `endpoint` by default.
pub(crate) fn http_server(keys: &mut KeyReader<'_>, endpoint: &str) -> HttpServerKeys {
    let endpoint = keys.or("endpoint", endpoint.to_owned(), ADDRESS);
    let transport = transport(keys);
    let tls = tls::config::server(keys);
    let cors = keys.section("cors", cors);
    let auth = auth::config::server(keys);
    let size = keys.or(
        "max_request_body_size",
        DEFAULT_BODY,
        "largest request after inflating, in bytes, at most 1 GiB; 0: the default",
    );
    let header_bytes = keys.or("max_header_bytes", DEFAULT_HEADERS, HEADER_BYTES);
    keys.ignored(&[
        "include_metadata",
        "response_headers",
        "compression_algorithms",
        "read_timeout",
    ]);
    let header_timeout = keys.or(
        "read_header_timeout",
        HEADER_TIMEOUT,
        "time for a request's headers; `0s`: the default",
    );
    keys.ignored(&["write_timeout"]);
    let idle = keys.get(
        "idle_timeout",
        "never",
        "close a connection unused for so long; `0s`: never",
    );
    let age = connection_age(keys);
    keys.ignored(&["keep_alives_enabled"]);
    keys.refused(&["middlewares"]);
    HttpServerKeys {
        endpoint,
        transport,
        tls,
        cors,
        auth,
        size,
        header_bytes,
        header_timeout,
        idle,
        age,
    }
}

impl HttpServerKeys {
    /// Checks them. None when something is wrong, which has been reported, or nothing
    /// uses the receiver.
    pub(crate) fn check(self, keys: &KeyReader<'_>) -> Option<HttpServer> {
        served(keys)?;
        Some(HttpServer {
            endpoint: address(&self.endpoint, &self.transport, keys)?,
            max_body_bytes: body_limit(self.size.value, &self.size, keys),
            max_header_bytes: or_default(self.header_bytes.value, DEFAULT_HEADERS),
            header_timeout: wait(&self.header_timeout, HEADER_TIMEOUT, keys),
            idle_timeout: not_zero(&self.idle),
            max_connection_age: self.age.0,
            max_connection_age_grace: self.age.1,
            cors: self.cors,
            tls: self.tls,
            auth: self.auth,
        })
    }
}

/// Reads `cors`. None where it is not there, or allows nobody.
fn cors(keys: &mut KeyReader<'_>) -> Option<Cors> {
    type Texts = Field<Vec<Field<String>>>;
    let origins: Texts = keys.get(
        "allowed_origins",
        "none",
        "origins whose pages may send from a browser; each may have one `*`",
    );
    let headers: Texts = keys.get(
        "allowed_headers",
        "none",
        "request headers besides `Accept`, `Content-Type` and `X-Requested-With`; `*` is all",
    );
    let exposed: Texts = keys.get(
        "exposed_headers",
        "none",
        "headers of answers that pages may read",
    );
    let max_age = keys.or(
        "max_age",
        0_u64,
        "seconds for which a browser need not ask again; 0: as it likes",
    );
    let texts = |list: &Texts| -> Vec<String> {
        let items = list.value.iter().flatten();
        items
            .filter_map(|item| item.trimmed().map(str::to_owned))
            .collect()
    };
    let lower = |list: &Texts| -> Vec<String> {
        let texts = texts(list).into_iter();
        texts.map(|text| text.to_ascii_lowercase()).collect()
    };
    if !keys.has_value() || !keys.is_used() {
        return None;
    }
    let cx = keys.reading();
    let exposed_value = match http::HeaderValue::from_str(&texts(&exposed).join(", ")) {
        Ok(value) => Some(value).filter(|value| !value.is_empty()),
        Err(_) => {
            cx.error(exposed.spot, "not names that headers can have");
            None
        }
    };
    let cors = Cors {
        origins: lower(&origins),
        headers: lower(&headers),
        exposed: exposed_value,
        max_age: Some(max_age.value).filter(|seconds| *seconds > 0),
    };
    if cors.origins.is_empty() {
        let message = "allows nobody without allowed_origins; ignored";
        cx.warn(keys.spot(), message);
        return None;
    }
    Some(cors)
}
