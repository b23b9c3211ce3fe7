/*!
Searches in Jaeger, as Kiali makes them, over gRPC and over HTTP: the traces of a service
name with tags, or one trace by its id, decoded.
*/

use super::{client::Asker, stored};
use crate::{
    cli::doctor::facts::{Failure, FailureKind, jaeger::JaegerAddress},
    mesh::model::Span,
    pdata::number::ShowHex,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;
use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The questions of `jaeger.api_v2` (jaegertracing/jaeger-idl, `query.proto`).
mod api {
    use super::HashMap;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Instant {
        #[prost(int64, tag = "1")]
        pub(super) seconds: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Query {
        #[prost(string, tag = "1")]
        pub(super) service_name: String,
        #[prost(map = "string, string", tag = "3")]
        pub(super) tags: HashMap<String, String>,
        #[prost(message, optional, tag = "4")]
        pub(super) start_time_min: Option<Instant>,
        #[prost(message, optional, tag = "5")]
        pub(super) start_time_max: Option<Instant>,
        #[prost(int32, tag = "8")]
        pub(super) search_depth: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct FindTraces {
        #[prost(message, optional, tag = "1")]
        pub(super) query: Option<Query>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct GetTrace {
        #[prost(bytes = "vec", tag = "1")]
        pub(super) trace_id: Vec<u8>,
    }
}

/// What is searched for.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Search<'a> {
    /// The service name.
    pub(in crate::cli) name: &'a str,
    /// Tags that one span or its resource has.
    pub(in crate::cli) tags: &'a [(String, String)],
    /// How far back.
    pub(in crate::cli) window: Duration,
    /// The most traces.
    pub(in crate::cli) most: u32,
}

/// A Jaeger, by a way of asking that it answers.
pub(in crate::cli) struct Jaeger {
    asker: Asker,
    speaks_grpc: bool,
}

impl Jaeger {
    /// For an address that was looked at; None where it answers in no way.
    pub(in crate::cli::doctor) fn at(address: &JaegerAddress, limit: Duration) -> Option<Self> {
        address.services()?;
        Some(Self {
            asker: Asker::new(&address.url, limit),
            speaks_grpc: address.grpc.got().is_some(),
        })
    }

    /// Returns the spans of the traces that a search finds.
    pub(in crate::cli) async fn find(&self, search: Search<'_>) -> Result<Vec<Span>, Failure> {
        // Clocks of senders may be fast.
        let end = now() + 60;
        let start = now().saturating_sub(search.window.as_secs());
        if self.speaks_grpc {
            let instant = |seconds: u64| {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                Some(api::Instant { seconds })
            };
            let query = api::Query {
                service_name: search.name.to_owned(),
                tags: search.tags.iter().cloned().collect(),
                start_time_min: instant(start),
                start_time_max: instant(end),
                search_depth: i32::try_from(search.most).unwrap_or(i32::MAX),
            };
            let request = api::FindTraces { query: Some(query) };
            return self.call("FindTraces", &request).await;
        }
        let tags = search.tags.iter();
        let tags: HashMap<&str, &str> = tags.map(|(key, text)| (&**key, &**text)).collect();
        let tags = serde_json::to_string(&tags).unwrap_or_default();
        let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (name, tags) = (escape(search.name), escape(&tags));
        let most = search.most;
        let path = format!(
            "/api/traces?service={name}&tags={tags}&start={start}000000&end={end}000000&limit={most}"
        );
        self.get(&path).await
    }

    /// Returns the spans of a trace; none where it is not there.
    pub(in crate::cli) async fn trace(&self, id: &[u8]) -> Result<Vec<Span>, Failure> {
        if self.speaks_grpc {
            let request = api::GetTrace {
                trace_id: id.to_vec(),
            };
            return self.call("GetTrace", &request).await;
        }
        self.get(&format!("/api/traces/{}", ShowHex(id))).await
    }

    async fn call(&self, method: &str, request: &impl Message) -> Result<Vec<Span>, Failure> {
        let method = format!("/jaeger.api_v2.QueryService/{method}");
        let messages = self.asker.call(&method, request).await?;
        let mut all = Vec::new();
        for message in messages {
            let chunk = stored::api::Chunk::decode(message).map_err(|_| self.rubbish())?;
            all.extend(chunk.spans.into_iter().map(Span::from));
        }
        Ok(all)
    }

    async fn get(&self, path: &str) -> Result<Vec<Span>, Failure> {
        let reply = self.asker.get(path).await?;
        match reply.status {
            200 => stored::read(&reply.body).ok_or_else(|| self.rubbish()),
            // It says so of a trace that it does not have.
            404 if reply.is_json => Ok(Vec::new()),
            status => Err(Failure {
                cause: format!("{} answers HTTP status {status}", self.asker.origin()),
                ..self.rubbish()
            }),
        }
    }

    fn rubbish(&self) -> Failure {
        Failure {
            kind: FailureKind::Malformed,
            cause: format!("{} does not answer as Jaeger does", self.asker.origin()),
            remedy: None,
        }
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
