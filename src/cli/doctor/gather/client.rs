/*!
Questions over HTTP and gRPC to one address, each with a time limit and a bound on what is
read of the answer.

Certificates are not verified: no secret is sent, and whether Kiali or a proxy trusts them
is theirs to say.
*/

use crate::{
    cli::doctor::facts::{Failure, FailureKind},
    http::{
        ClientProtocol, ClientSettings, Compression, ConnectOptions, HttpAnswer, HttpClient,
        Payload,
    },
    tls::ClientTls,
};
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use prost::Message;
use std::time::Duration;
use tokio::time::timeout;

/// The most that is read of an answer.
const ANSWER_LIMIT: usize = 32 << 20;

/// An answer over HTTP, whatever its status.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Reply {
    pub(in crate::cli) status: u16,
    pub(super) is_json: bool,
    pub(in crate::cli) body: Bytes,
}

/// Asks one address.
pub(in crate::cli) struct Asker {
    url: String,
    limit: Duration,
}

impl Asker {
    /// For a URL, with or without a path.
    pub(in crate::cli) fn new(url: &str, limit: Duration) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            limit,
        }
    }

    /// Returns the URL without its path.
    pub(super) fn origin(&self) -> String {
        let uri = Uri::try_from(&self.url).ok();
        let parts = uri
            .as_ref()
            .and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
        match parts {
            Some((scheme, authority)) => format!("{scheme}://{authority}"),
            None => self.url.clone(),
        }
    }

    /// GET of the URL with `path` behind it.
    pub(in crate::cli) async fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.http(
            Method::GET,
            &format!("{}{path}", self.url),
            "application/json",
            &[],
        )
        .await
    }

    /// GET of a path of the host.
    pub(super) async fn get_of_host(&self, path: &str) -> Result<Reply, Failure> {
        self.http(
            Method::GET,
            &format!("{}{path}", self.origin()),
            "application/json",
            &[],
        )
        .await
    }

    /// POST of protobuf.
    pub(super) async fn post(&self, path: &str, body: Bytes) -> Result<Reply, Failure> {
        let url = format!("{}{path}", self.url);
        self.http(Method::POST, &url, "application/x-protobuf", &[body])
            .await
    }

    async fn http(
        &self,
        method: Method,
        url: &str,
        kind: &str,
        body: &[Bytes],
    ) -> Result<Reply, Failure> {
        let payload = Payload::http(body, Compression::None).map_err(malformed)?;
        let answer = self
            .exchange(ClientProtocol::Web, method, url, kind, payload)
            .await?;
        let content = answer.head.headers.get(header::CONTENT_TYPE);
        let content = content.and_then(|value| value.to_str().ok());
        Ok(Reply {
            status: answer.head.status.as_u16(),
            is_json: content.is_some_and(|kind| kind.contains("json")),
            body: answer.body,
        })
    }

    /// Calls a gRPC method, and returns the messages of its answer undecoded.
    pub(super) async fn call(
        &self,
        method: &str,
        message: &impl Message,
    ) -> Result<Vec<Bytes>, Failure> {
        let message = Bytes::from(message.encode_to_vec());
        let payload = Payload::grpc(&[message], Compression::None).map_err(malformed)?;
        let url = format!("{}{method}", self.origin());
        let answer = self
            .exchange(
                ClientProtocol::Grpc,
                Method::POST,
                &url,
                "application/grpc",
                payload,
            )
            .await?;
        let maps = [answer.trailers.as_ref(), Some(&answer.head.headers)];
        let word = |key: &str| {
            let mut all = maps
                .iter()
                .flatten()
                .filter_map(|map| map.get(key)?.to_str().ok());
            all.next().map(str::to_owned)
        };
        match word("grpc-status").as_deref() {
            Some("0") => Ok(frames(answer.body)),
            Some(code) => Err(Failure {
                kind: match code {
                    // Not found, or unimplemented: it speaks gRPC, but has no such thing.
                    "5" | "12" => FailureKind::Absent,
                    "7" | "16" => FailureKind::Forbidden,
                    _ => FailureKind::Malformed,
                },
                cause: format!(
                    "{} answers {method} with gRPC status {code}: {}",
                    self.origin(),
                    word("grpc-message").unwrap_or_default()
                ),
                remedy: None,
            }),
            None => Err(malformed(format!(
                "{} answers HTTP status {} without a gRPC status: it does not speak gRPC",
                self.origin(),
                answer.head.status.as_u16()
            ))),
        }
    }

    async fn exchange(
        &self,
        protocol: ClientProtocol,
        method: Method,
        url: &str,
        kind: &str,
        payload: Payload,
    ) -> Result<HttpAnswer, Failure> {
        let uri = Uri::try_from(url).map_err(|error| malformed(format!("{url}: {error}")))?;
        let tls = ClientTls {
            insecure_skip_verify: true,
            ..ClientTls::default()
        };
        let settings = ClientSettings::asking(url, tls);
        let mut headers = HeaderMap::new();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        if let Ok(kind) = HeaderValue::try_from(kind) {
            headers.insert(header::CONTENT_TYPE, kind.clone());
            headers.insert(header::ACCEPT, kind);
        }
        let options = ConnectOptions::asking(self.limit);
        let client = HttpClient::build(&uri, &settings, protocol, headers, options);
        let client = client.map_err(malformed)?;
        let mut request = Request::new(payload.body());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        match timeout(self.limit, client.send(request, ANSWER_LIMIT)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(no_answer)) => Err(Failure {
                kind: match no_answer.misconfigured {
                    true => FailureKind::Malformed,
                    false => FailureKind::Unreachable,
                },
                cause: no_answer.cause,
                remedy: None,
            }),
            Err(_) => Err(Failure {
                kind: FailureKind::Unreachable,
                cause: format!(
                    "no answer from {} within {}",
                    client.authority(),
                    humantime::format_duration(self.limit)
                ),
                remedy: None,
            }),
        }
    }
}

fn malformed(cause: impl ToString) -> Failure {
    Failure {
        kind: FailureKind::Malformed,
        cause: cause.to_string(),
        remedy: None,
    }
}

/// Returns the messages of a body; what is cut off is not among them.
fn frames(mut body: Bytes) -> Vec<Bytes> {
    let mut all = Vec::new();
    while body.len() >= 5 {
        let compressed = body.get_u8();
        let length = usize::try_from(body.get_u32()).unwrap_or(usize::MAX);
        if compressed != 0 || length > body.len() {
            break;
        }
        all.push(body.split_to(length));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart_and_rubbish_ends_them() {
        let body = |bytes: &[u8]| frames(Bytes::copy_from_slice(bytes));
        assert_eq!(
            body(&[0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 0]),
            [&[1, 2][..], &[]]
        );
        assert_eq!(body(&[0, 0xff, 0xff, 0xff, 0xff, 1]), Vec::<Bytes>::new());
        assert_eq!(body(&[1, 0, 0, 0, 0]), Vec::<Bytes>::new());
        assert_eq!(body(b""), Vec::<Bytes>::new());
    }
}
