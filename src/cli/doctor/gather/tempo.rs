/*!
The questions to a Tempo, which are those that Kiali asks one (kiali, `tracing/tempo`,
`status/versions.go`): a search over HTTP and, where it searches so, over gRPC, the echo, and
the version.
*/

use super::{
    client::{Asker, Reply},
    jaeger,
};
use crate::cli::doctor::facts::{
    Answer, Failure,
    tempo::{TempoSearch, TempoSeen},
};
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Back from now, so that blocks of the store need not be searched.
const WINDOW: u64 = 15 * 60;

/// The part of `tempopb` that is asked (grafana/tempo, `pkg/tempopb/tempo.proto`).
mod api {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct SearchRequest {
        #[prost(uint32, tag = "4")]
        pub(super) limit: u32,
        #[prost(uint32, tag = "5")]
        pub(super) start: u32,
        #[prost(uint32, tag = "6")]
        pub(super) end: u32,
        #[prost(string, tag = "8")]
        pub(super) query: String,
    }
}

#[derive(Deserialize)]
struct BuildInfo {
    version: String,
}

/// Asks a Tempo; `grpc_url`: where Kiali searches over gRPC.
pub(in crate::cli::doctor) async fn ask(
    url: &str,
    grpc_url: Option<&str>,
    limit: Duration,
) -> TempoSeen {
    let asker = Asker::new(url, limit);
    let mut seen = TempoSeen {
        url: url.to_owned(),
        search: Answer::of(search(&asker).await),
        ..TempoSeen::default()
    };
    if !seen.search.got().is_some_and(|search| search.is_tempos) {
        seen.is_jaeger = jaeger::ask(url, true, limit).await.is_jaeger();
        if let Some(other) = jaeger::with_other_scheme(url).filter(|_| !seen.is_jaeger) {
            let found = search(&Asker::new(&other, limit)).await;
            seen.other_scheme = found.is_ok_and(|found| found.is_tempos).then_some(other);
        }
        return seen;
    }
    seen.echo = Answer::of(asker.get("/api/echo").await.map(|reply| reply.status));
    if let Ok(reply) = asker.get("/api/status/buildinfo").await {
        let info: Option<BuildInfo> = serde_json::from_slice(&reply.body).ok();
        seen.version = info.map(|info| info.version);
    }
    if let Some(grpc_url) = grpc_url {
        grpc_url.clone_into(&mut seen.grpc_url);
        seen.grpc = Answer::of(over_grpc(&Asker::new(grpc_url, limit)).await);
    }
    seen
}

async fn search(asker: &Asker) -> Result<TempoSearch, Failure> {
    let (start, end) = window();
    let path = format!("/api/search?q=%7B%7D&limit=1&start={start}&end={end}");
    Ok(read(&asker.get(&path).await?))
}

fn read(reply: &Reply) -> TempoSearch {
    let answer: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let has = |key| {
        answer
            .as_ref()
            .is_some_and(|answer| answer.get(key).is_some())
    };
    let said = String::from_utf8_lossy(&reply.body);
    TempoSearch {
        status: reply.status,
        is_tempos: reply.status == 200 && (has("traces") || has("metrics")),
        wants_tenant: reply.status == 401 && said.contains("no org id"),
    }
}

async fn over_grpc(asker: &Asker) -> Result<(), Failure> {
    let (start, end) = window();
    let request = api::SearchRequest {
        limit: 1,
        start: u32::try_from(start).unwrap_or(u32::MAX),
        end: u32::try_from(end).unwrap_or(u32::MAX),
        query: "{}".to_owned(),
    };
    asker
        .call("/tempopb.StreamingQuerier/Search", &request)
        .await
        .map(|_| ())
}

fn window() -> (u64, u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    (now.saturating_sub(WINDOW), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_tempo_are_told_from_others() {
        for (status, body, is_tempos, wants_tenant) in [
            (
                200,
                r#"{"traces":[],"metrics":{"inspectedTraces":1}}"#,
                true,
                false,
            ),
            (200, r#"{"metrics":{}}"#, true, false),
            (200, "<!doctype html>", false, false),
            (200, "[]", false, false),
            (401, "no org id\n", false, true),
            (401, "no token", false, false),
            (404, r#"{"traces":[]}"#, false, false),
        ] {
            let reply = Reply {
                status,
                body: body.to_owned().into(),
                ..Reply::default()
            };
            let found = TempoSearch {
                status,
                is_tempos,
                wants_tenant,
            };
            assert_eq!(read(&reply), found, "{status} {body}");
        }
    }
}
