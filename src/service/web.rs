//! Asking a web service that is no backend for spans: Kiali.

use crate::{
    config::{self, Balancer, Compression, Retry},
    exporter::outcome::Outcome,
    http::{
        body::Payload,
        client::{HttpClient, Protocol, Reach},
        pool,
        resolve::System,
    },
    mesh::{
        Endpoint,
        watch::kiali::{Ask, Fetch, Reply},
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

/// Time for a request and its answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// More than any Kiali says of itself.
const ANSWER_LIMIT: usize = 4 << 20;

/// The way to one Kiali.
#[derive(Debug)]
pub(crate) struct Web {
    endpoint: Endpoint,
    /// Made at the first request, and again after one that failed: the file of
    /// CAs may come late, and be replaced.
    client: RefCell<Option<Rc<HttpClient>>>,
}

impl Web {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            client: RefCell::default(),
        }
    }

    fn client(&self) -> Result<Rc<HttpClient>, String> {
        let mut client = self.client.borrow_mut();
        match &*client {
            Some(client) => Ok(Rc::clone(client)),
            None => Ok(Rc::clone(client.insert(Rc::new(self.build()?)))),
        }
    }

    /// From checked settings; the error says which one is wrong.
    fn build(&self) -> Result<HttpClient, String> {
        let endpoint = &self.endpoint;
        let uri = Uri::try_from(&endpoint.url).map_err(|error| format!("kiali.url: {error}"))?;
        let tls = endpoint.tls.clone();
        let settings = config::Client {
            url: endpoint.url.clone(),
            tls: Some(config::ClientTls {
                insecure_skip_verify: tls.insecure_skip_verify,
                ca: tls.ca_file.map(config::Pem::File),
                server_name_override: tls.server_name_override,
                ..config::ClientTls::default()
            }),
            auth: None,
            headers: Vec::new(),
            compression: Compression::None,
            balancer: Balancer::PickFirst,
        };
        let reach = Reach {
            timeout: TIMEOUT,
            balancer: settings.balancer,
            retry: Retry {
                enabled: true,
                initial_interval: Duration::from_secs(1),
                randomization_factor: 0.5,
                multiplier: 1.5,
                max_interval: Duration::from_secs(30),
                max_elapsed: None,
            },
            resolver: Arc::new(System),
            refresh: pool::REFRESH,
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        HttpClient::build(uri, &settings, Protocol::Web, headers, reach)
            .map_err(|error| format!("kiali.{error}"))
    }

    async fn send(&self, ask: Ask<'_>) -> Result<Reply, String> {
        let form = ask.login.map(|token| {
            let encoded = utf8_percent_encode(token.reveal(), NON_ALPHANUMERIC);
            Bytes::from(format!("token={encoded}"))
        });
        let uri = format!("{}{}", self.endpoint.url, ask.path);
        let mut request = match form {
            Some(_) => {
                Request::post(uri).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            }
            None => Request::get(uri),
        };
        if let Some(token) = ask.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal()))
                .map_err(|_| "the token has characters that no header can have".to_owned())?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if !ask.cookies.is_empty() {
            request = request.header(header::COOKIE, ask.cookies);
        }
        let payload =
            Payload::http(form.as_slice(), Compression::None).map_err(|error| error.to_string())?;
        let request = request
            .body(payload.body())
            .map_err(|error| error.to_string())?;
        let client = self.client()?;
        let answer = client.send(request, ANSWER_LIMIT).await.map_err(cause)?;
        let cookies = answer.head.headers.get_all(header::SET_COOKIE);
        Ok(Reply {
            status: answer.head.status.as_u16(),
            body: answer.body,
            set_cookies: cookies
                .iter()
                .filter_map(|cookie| cookie.to_str().ok())
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl Fetch for Web {
    async fn fetch(&self, ask: Ask<'_>) -> Result<Reply, String> {
        let result = match tokio::time::timeout(TIMEOUT, self.send(ask)).await {
            Ok(result) => result,
            Err(_) => Err(format!(
                "{} has not answered within {}: is Kiali up, and does no NetworkPolicy stand in \
                 between?",
                ask.path,
                humantime::format_duration(TIMEOUT)
            )),
        };
        if result.is_err() {
            *self.client.borrow_mut() = None;
        }
        result
    }
}

/// What an outcome without an answer says.
fn cause(outcome: Outcome) -> String {
    match outcome {
        Outcome::Retry { cause, .. }
        | Outcome::TooLarge { cause }
        | Outcome::Invalid { cause }
        | Outcome::Permanent { cause } => cause,
        Outcome::Delivered { message, .. } => message,
    }
}
