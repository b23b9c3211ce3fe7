/*!
A small client for the API of a web service, such as Kiali's.

It asks one service that need not be there: each request makes its own way, and
one that fails costs the client, so that CA files which come late or are replaced
are read again.
*/

use super::{body::Payload, client::HttpClient, pool::ConnectOptions, protocol::ClientProtocol};
use crate::{
    http::{ClientSettings, Compression},
    tls::ClientTls,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{cell::RefCell, rc::Rc, time::Duration};

/// The longest time of a request and its answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most that is read of an answer.
const ANSWER_LIMIT: usize = 4 << 20;

/// A client for one service.
#[derive(Debug)]
pub(crate) struct WebClient {
    name: &'static str,
    url: String,
    tls: ClientTls,
    /// Made by the first request, and again after one that failed.
    client: RefCell<Option<Rc<HttpClient>>>,
}

/// A request: a GET, or a POST of a form.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WebRequest<'a> {
    /// What follows the service's URL, such as `/api/status`.
    pub(crate) path: &'a str,
    /// The bearer token.
    pub(crate) token: Option<&'a str>,
    /// The `Cookie` header; empty: none.
    pub(crate) cookies: &'a str,
    /// Name and value of the form field to post; None: a GET.
    pub(crate) form: Option<(&'a str, &'a str)>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, Default)]
pub(crate) struct WebAnswer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body, cut at 4 MiB.
    pub(crate) body: Bytes,
    /// Each `Set-Cookie` header.
    pub(crate) set_cookies: Vec<String>,
}

impl WebClient {
    /// A client for the service at `url`, which has no slash at its end. Errors
    /// call the service and its settings by `name`.
    pub(crate) fn new(name: &'static str, url: String, tls: ClientTls) -> Self {
        Self {
            name,
            url,
            tls,
            client: RefCell::default(),
        }
    }

    /// Sends `request` and reads its answer.
    ///
    /// # Errors
    ///
    /// Cause and remedy, when a setting is wrong or no answer came.
    pub(crate) async fn ask(&self, request: WebRequest<'_>) -> Result<WebAnswer, String> {
        let result = match tokio::time::timeout(TIMEOUT, self.send(request)).await {
            Ok(result) => result,
            Err(_) => Err(format!(
                "{} has not answered within {}: is {} up, and does no NetworkPolicy stand in \
                 between?",
                request.path,
                humantime::format_duration(TIMEOUT),
                self.name
            )),
        };
        if result.is_err() {
            *self.client.borrow_mut() = None;
        }
        result
    }

    fn client(&self) -> Result<Rc<HttpClient>, String> {
        let mut client = self.client.borrow_mut();
        match &*client {
            Some(client) => Ok(Rc::clone(client)),
            None => Ok(Rc::clone(client.insert(Rc::new(self.build()?)))),
        }
    }

    /// Builds the client; the error says which setting is wrong.
    fn build(&self) -> Result<HttpClient, String> {
        let name = self.name.to_lowercase();
        let uri = Uri::try_from(&self.url).map_err(|error| format!("{name}.url: {error}"))?;
        let settings = ClientSettings::asking(&self.url, self.tls.clone());
        let options = ConnectOptions::asking(TIMEOUT);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        HttpClient::build(&uri, &settings, ClientProtocol::Web, headers, options)
            .map_err(|error| format!("{name}.{error}"))
    }

    async fn send(&self, request: WebRequest<'_>) -> Result<WebAnswer, String> {
        let uri = format!("{}{}", self.url, request.path);
        let form = request.form.map(|(field, value)| {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            Bytes::from(format!("{field}={value}"))
        });
        let mut builder = match form {
            Some(_) => {
                Request::post(uri).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            }
            None => Request::get(uri),
        };
        if let Some(token) = request.token {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| "the token has characters that no header can have".to_owned())?;
            value.set_sensitive(true);
            builder = builder.header(header::AUTHORIZATION, value);
        }
        if !request.cookies.is_empty() {
            builder = builder.header(header::COOKIE, request.cookies);
        }
        let payload =
            Payload::http(form.as_slice(), Compression::None).map_err(|error| error.to_string())?;
        let request = builder
            .body(payload.body())
            .map_err(|error| error.to_string())?;
        let answer = self.client()?.send(request, ANSWER_LIMIT).await;
        let answer = answer.map_err(|no_answer| no_answer.cause)?;
        let cookies = answer.head.headers.get_all(header::SET_COOKIE);
        Ok(WebAnswer {
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
