//! What the receivers answer, and the table of requests that are asked for
//! their answers alone.

use super::{
    odd,
    side::{Product, Side},
    table,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt};
use tempfile::TempDir;
use testkit::{EXPORT, Grpc, GrpcReply, HttpReply, frames, http};

/// A status with what else a sender acts on.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    protocol: &'static str,
    status: u16,
    /// Of the answer's body, over HTTP.
    kind: String,
    rejected: i64,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol, self.status)?;
        if !self.kind.is_empty() {
            write!(f, " {}", self.kind)?;
        }
        match self.rejected {
            0 => Ok(()),
            rejected => write!(f, " rejects {rejected}"),
        }
    }
}

impl Answer {
    pub fn of_grpc(reply: &GrpcReply) -> Self {
        let message = reply.body.get(frames::PREFIX..).unwrap_or_default();
        Self {
            protocol: "grpc",
            status: reply.grpc_status().unwrap_or(reply.http_status),
            kind: String::new(),
            rejected: rejected(ExportTraceServiceResponse::decode(message).ok()),
        }
    }

    pub fn of_http(reply: &HttpReply) -> Self {
        let kind = reply.headers.get("content-type");
        let kind = kind.map_or("", |kind| kind.split(';').next().unwrap_or_default());
        let message = match kind {
            _ if reply.status != 200 => None,
            "application/json" => serde_json::from_slice(&reply.body).ok(),
            _ => ExportTraceServiceResponse::decode(&*reply.body).ok(),
        };
        Self {
            protocol: "http",
            status: reply.status,
            kind: kind.to_owned(),
            rejected: rejected(message),
        }
    }
}

fn rejected(message: Option<ExportTraceServiceResponse>) -> i64 {
    let partial = message.and_then(|message| message.partial_success);
    partial.map_or(0, |partial| partial.rejected_spans)
}

/// A request as it is on the wire.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    /// `grpc` or an HTTP method.
    #[serde(default = "post")]
    method: String,
    /// That of traces, unless given.
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Body,
    /// Both answers, where they differ.
    collector: Option<String>,
    wayspan: Option<String>,
    /// Why they differ.
    differs: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Body {
    /// One span, in protobuf.
    #[default]
    Span,
    /// The same in JSON.
    Json,
    Text(String),
    Bytes(Vec<u8>),
    /// One span, compressed.
    Gzip,
    Zstd,
    Deflate,
    Snappy,
    SnappyFramed,
    /// A span with so many bytes of text.
    Long(usize),
}

fn post() -> String {
    "POST".to_owned()
}

impl Body {
    fn bytes(&self) -> Vec<u8> {
        let span = odd::one().encode_to_vec();
        match self {
            Self::Span => span,
            Self::Json => serde_json::to_vec(&odd::one()).unwrap(),
            Self::Text(text) => text.clone().into_bytes(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Gzip => frames::gzip(&span),
            Self::Zstd => frames::zstd(&span),
            Self::Deflate => frames::deflate(&span),
            Self::Snappy => frames::snappy(&span),
            Self::SnappyFramed => frames::snappy_framed(&span),
            Self::Long(bytes) => {
                let mut request = odd::one();
                request.resource_spans[0].scope_spans[0].spans[0].name = "x".repeat(*bytes);
                request.encode_to_vec()
            }
        }
    }
}

impl Asked {
    async fn ask(&self, [grpc, http_port]: [u16; 2]) -> String {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let answer = if self.method == "grpc" {
            let path = self.path.as_deref().unwrap_or(EXPORT);
            let flag = u8::from(self.headers.contains_key("grpc-encoding"));
            let body = frames::grpc(flag, &self.body.bytes());
            let mut client = Grpc::connect(grpc).await;
            Answer::of_grpc(&client.send("POST", path, &headers, body).await)
        } else {
            let path = self.path.as_deref().unwrap_or("/v1/traces");
            Answer::of_http(
                &http(http_port, &self.method, path, &headers, &self.body.bytes()).await,
            )
        };
        answer.to_string()
    }

    /// What is wrong with these answers.
    fn verdict(&self, collector: &str, wayspan: &str) -> Option<String> {
        let name = &self.name;
        let said = format!("{name}: the Collector answers {collector}, wayspan {wayspan}");
        match (&self.differs, &self.collector, &self.wayspan) {
            (None, None, None) => (collector != wayspan).then_some(said),
            (Some(_), Some(one), Some(other)) if one != other => {
                let is_so = one == collector && other == wayspan;
                (!is_so).then(|| format!("{said}; the table has {one} and {other}"))
            }
            _ => Some(format!(
                "{name}: a row that differs has both answers and why"
            )),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers() {
    let file = "answers.yaml";
    let rows: Vec<Asked> =
        serde_saphyr::from_str(&table::text(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let dir = TempDir::new().unwrap();
    let case = [table::Case::plain()];
    let sides = Product::BOTH.map(|product| Side::start(product, &case, dir.path()));
    let mut wrong = Vec::new();
    for row in &rows {
        let collector = row.ask(sides[0].ports(0)).await;
        let wayspan = row.ask(sides[1].ports(0)).await;
        wrong.extend(row.verdict(&collector, &wayspan));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
