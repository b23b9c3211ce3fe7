/*!
The questions to Jaeger, those of Kiali's among them: by each address, over HTTP
and over gRPC, whatever it should speak.
*/

use super::{
    client::{Asker, Reply},
    search::Jaeger,
};
use crate::cli::doctor::{
    facts::{
        Answer, Failure, FailureKind,
        jaeger::{HttpSeen, JaegerAddress},
    },
    url::parts,
};
use prost::Message as _;
use serde::Deserialize;
use std::time::Duration;

/// The part of `jaeger.api_v2` that is asked (jaegertracing/jaeger-idl, `query.proto`).
mod api {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Services {
        #[prost(string, repeated, tag = "1")]
        pub(super) services: Vec<String>,
    }
}

#[derive(Deserialize)]
struct ServiceList {
    data: Option<Vec<String>>,
}

/// Finds out what is spoken at an address, and which services are held there.
pub(in crate::cli::doctor) async fn ask(
    url: &str,
    is_kialis: bool,
    limit: Duration,
) -> JaegerAddress {
    let mut seen = ask_once(url, limit).await;
    seen.is_kialis = is_kialis;
    let is_closed = seen.http.got().is_some_and(HttpSeen::is_closed);
    if let Some(other) = with_other_scheme(url).filter(|_| !seen.is_jaeger() && !is_closed) {
        let found = ask_once(&other, limit).await;
        seen.other_scheme = found.is_jaeger().then_some(other);
    }
    seen
}

async fn ask_once(url: &str, limit: Duration) -> JaegerAddress {
    let asker = Asker::new(url, limit);
    let (http, grpc) = futures_util::future::join(over_http(&asker, url), over_grpc(&asker)).await;
    JaegerAddress {
        url: url.to_owned(),
        http: Answer::of(http),
        grpc: Answer::of(grpc),
        ..JaegerAddress::default()
    }
}

/// Returns a URL with `https` for `http`, and the reverse; none where it names neither.
pub(super) fn with_other_scheme(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let other = match scheme {
        "http" => "https",
        "https" => "http",
        _ => return None,
    };
    Some(format!("{other}://{rest}"))
}

async fn over_grpc(asker: &Asker) -> Result<Vec<String>, Failure> {
    let messages = asker
        .call("/jaeger.api_v2.QueryService/GetServices", &())
        .await?;
    let first = messages.into_iter().next().unwrap_or_default();
    match api::Services::decode(first) {
        Ok(list) => Ok(list.services),
        Err(_) => Err(Failure {
            kind: FailureKind::Malformed,
            cause: format!("{} does not answer as Jaeger does", asker.origin()),
            remedy: None,
        }),
    }
}

fn services(reply: &Reply) -> Option<Vec<String>> {
    let list: ServiceList = serde_json::from_slice(&reply.body).ok()?;
    (reply.status == 200).then(|| list.data.unwrap_or_default())
}

async fn over_http(asker: &Asker, url: &str) -> Result<HttpSeen, Failure> {
    let first = asker.get("/api/services").await?;
    let mut seen = HttpSeen {
        status: first.status,
        services: services(&first),
        ..HttpSeen::default()
    };
    let own = parts(url).path.trim_end_matches('/').to_owned();
    if seen.services.is_some() {
        seen.base = Some(own.clone());
    }
    // Where it is not to be had below the URL, it may be below the usual paths.
    for base in ["", "/jaeger"].into_iter().filter(|base| *base != own) {
        if seen.base.is_some() {
            break;
        }
        let reply = asker.get_of_host(&format!("{base}/api/services")).await;
        if reply.is_ok_and(|reply| services(&reply).is_some()) {
            seen.base = Some(base.to_owned());
        }
    }
    if seen.base.is_none() {
        let reply = asker.get("/api/v3/services").await;
        seen.has_v3 = reply.is_ok_and(|reply| reply.status == 200 && reply.is_json);
    }
    if let Ok(page) = asker.get("/").await {
        seen.version = version(&String::from_utf8_lossy(&page.body));
    }
    Ok(seen)
}

/// Returns the version in the page of the user interface, as Kiali reads it
/// (`status/versions.go`).
fn version(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("JAEGER_VERSION = ")?;
    let rest = rest.get(..rest.find('}')?)?;
    let (_, rest) = rest.split_once("gitVersion\":")?;
    let mut quoted = rest.split('"').skip(1);
    let version: String = quoted.next()?.chars().take(40).collect();
    (!version.is_empty()).then_some(version)
}

/// Returns a Jaeger that answers at an address in some way.
pub(in crate::cli) async fn connect(url: &str, limit: Duration) -> Result<Jaeger, Failure> {
    let address = ask(url, false, limit).await;
    Jaeger::at(&address, limit).ok_or_else(|| {
        let failures = [address.http.failure(), address.grpc.failure()];
        let why = failures.into_iter().flatten().map(ToString::to_string);
        let why: Vec<_> = why.collect();
        Failure {
            kind: FailureKind::Unreachable,
            cause: format!("{url} does not answer as Jaeger does: {}", why.join("; ")),
            remedy: None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_the_version() {
        let page = |text: &str| version(text);
        let real = "<script>const JAEGER_VERSION = {\"gitCommit\":\"a\",\"gitVersion\":\"v1.53.0\",\"buildDate\":\"\"};";
        assert_eq!(page(real).as_deref(), Some("v1.53.0"));
        for none in [
            "",
            "JAEGER_VERSION = ",
            "JAEGER_VERSION = {\"gitVersion\":\"\"}",
            "JAEGER_VERSION = {gitVersion\":}",
        ] {
            assert_eq!(page(none), None, "{none}");
        }
    }

    #[test]
    fn paths_of_urls() {
        for (url, want) in [
            ("http://jaeger:16686/jaeger/", "/jaeger"),
            ("http://jaeger:16686", ""),
            ("jaeger", ""),
            ("http://jaeger/", ""),
        ] {
            assert_eq!(parts(url).path.trim_end_matches('/'), want, "{url}");
        }
    }
}
