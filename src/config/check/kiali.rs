//! `mesh.kiali`: what the file says of a Kiali, and where that Kiali says it itself.

use super::{Context, exporters::http_url, processors::text};
use crate::{
    config::{de::Field, raw::processors as raw, scalar::GoDuration},
    mesh::{self, Endpoint, ObjectName, Secret, Source, Tls, Token},
};
use std::{path::PathBuf, time::Duration};

/// More often would keep Kiali busy: each read makes it ask others.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);
/// With the time of a read, a change is followed within a minute.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_ISTIO: &str = "istio-system/istio";

/// The keys that describe a Kiali. An empty text is no description, so that a
/// variable that is not set may stand there.
pub(super) fn described(raw: &raw::Kiali, cx: &Context<'_>) -> mesh::Described {
    let version = given(&raw.version).and_then(|text| match text {
        "newest" | "latest" => Some(mesh::Version::NEWEST),
        text => match text.parse() {
            Ok(version) => Some(version),
            Err(error) => {
                let error: mesh::VersionError = error;
                complain(&raw.version, &error.to_string(), cx);
                None
            }
        },
    });
    let name = |field: &Field<String>| {
        let copy = Field {
            spot: field.spot,
            value: field.value.clone(),
        };
        text(copy, cx).filter(|text| !text.is_empty())
    };
    mesh::Described {
        version,
        namespace_selector: raw.namespace_selector.value,
        use_waypoint_name: raw.use_waypoint_name.value,
        istio_identity_domain: name(&raw.istio_identity_domain),
        trust_domain: name(&raw.trust_domain),
        app_label_name: name(&raw.app_label_name),
        cluster_id: None,
    }
}

/// Where that Kiali's own configuration is read from, and Istio's ConfigMap if
/// that is read too.
pub(super) fn source(raw: raw::Kiali, cx: &Context<'_>) -> Option<(Source, Option<ObjectName>)> {
    let sources = [
        ("config_map", &raw.config_map),
        ("custom_resource", &raw.custom_resource),
        ("url", &raw.url),
    ];
    let mut named = sources
        .into_iter()
        .filter(|(_, field)| given(field).is_some());
    let (key, field) = named.next().unwrap_or(("", &raw.url));
    for (second, field) in named {
        complain(
            field,
            &format!(
                "kiali.{second} beside kiali.{key}: Kiali's configuration is read from one place; \
                 remove one of the two"
            ),
            cx,
        );
    }
    belongs(&raw, key, cx);
    let source = match key {
        "config_map" => Source::ConfigMap(object(field, cx)?),
        "custom_resource" => Source::CustomResource(object(field, cx)?),
        "url" => Source::Url(endpoint(&raw, cx)?),
        _ => return None,
    };
    let istio = match (&source, &raw.istio_config_map.value) {
        (Source::Url(_), _) => None,
        (_, Some(text)) if text.trim().is_empty() => None,
        (_, Some(_)) => Some(object(&raw.istio_config_map, cx)?),
        (_, None) => DEFAULT_ISTIO.parse().ok(),
    };
    Some((source, istio))
}

/// Keys that would have no effect are mistakes.
fn belongs(raw: &raw::Kiali, source: &str, cx: &Context<'_>) {
    let tls = &raw.tls;
    let spots = [
        ("token", raw.token.spot, given(&raw.token).is_some()),
        (
            "token_file",
            raw.token_file.spot,
            given(&raw.token_file).is_some(),
        ),
        (
            "poll_interval",
            raw.poll_interval.spot,
            raw.poll_interval.value.is_some(),
        ),
        (
            "tls.ca_file",
            tls.ca_file.spot,
            given(&tls.ca_file).is_some(),
        ),
        (
            "tls.insecure_skip_verify",
            tls.insecure_skip_verify.spot,
            tls.insecure_skip_verify.value == Some(true),
        ),
        (
            "tls.server_name_override",
            tls.server_name_override.spot,
            given(&tls.server_name_override).is_some(),
        ),
    ];
    for (key, spot, set) in spots {
        if let (true, Some(spot), true) = (set, spot, source != "url") {
            let message = format!("kiali.{key} is for kiali.url, which is not set: remove it");
            cx.report.error_at(spot, &message);
        }
    }
    let field = &raw.istio_config_map;
    if given(field).is_some() && matches!(source, "" | "url") {
        complain(
            field,
            "kiali.istio_config_map is for kiali.config_map and kiali.custom_resource: remove it",
            cx,
        );
    }
}

fn object(field: &Field<String>, cx: &Context<'_>) -> Option<ObjectName> {
    match given(field)?.parse::<ObjectName>() {
        Ok(name) => Some(name),
        Err(error) => {
            complain(field, &error.to_string(), cx);
            None
        }
    }
}

fn endpoint(raw: &raw::Kiali, cx: &Context<'_>) -> Option<Endpoint> {
    let given_url = given(&raw.url)?;
    if given_url.contains('@') {
        let help = "use kiali.token_file, or kiali.token";
        if let Some(spot) = raw.url.spot {
            let message = "credentials do not belong into the URL";
            cx.report.error_at_help(spot, message, help);
        }
        return None;
    }
    let url = match http_url(given_url) {
        Ok(url) if url.contains(['?', '#']) => {
            complain(
                &raw.url,
                "Kiali's URL ends with its web root: remove ? and #",
                cx,
            );
            return None;
        }
        Ok(url) => url.trim_end_matches('/').to_owned(),
        Err(message) => {
            complain(
                &raw.url,
                &message.replace("http://jaeger:4318", EXAMPLE),
                cx,
            );
            return None;
        }
    };
    let token = match (given(&raw.token), given(&raw.token_file)) {
        (Some(_), Some(_)) => {
            complain(
                &raw.token_file,
                "kiali.token_file beside kiali.token: remove one of the two",
                cx,
            );
            None
        }
        // A header must be able to carry it; it is not shown.
        (Some(token), None) if !token.chars().all(|c| c.is_ascii_graphic()) => {
            complain(
                &raw.token,
                "not a token: it has characters that none can have",
                cx,
            );
            None
        }
        (Some(token), None) => Some(Token::Text(Secret::new(token))),
        (None, Some(path)) => Some(Token::File(PathBuf::from(path))),
        (None, None) => None,
    };
    let poll_interval = match raw.poll_interval.value {
        None => DEFAULT_INTERVAL,
        Some(GoDuration(given)) => {
            if let Some(spot) = raw.poll_interval.spot.filter(|_| given < LEAST_INTERVAL) {
                cx.report
                    .error_at(spot, "at least 100ms, or Kiali is kept busy");
            }
            given.max(LEAST_INTERVAL)
        }
    };
    let tls = &raw.tls;
    Some(Endpoint {
        url,
        token,
        poll_interval,
        tls: Tls {
            insecure_skip_verify: tls.insecure_skip_verify.value.unwrap_or(false),
            ca_file: given(&tls.ca_file).map(PathBuf::from),
            server_name_override: given(&tls.server_name_override).map(str::to_owned),
        },
    })
}

const EXAMPLE: &str = "http://kiali.istio-system:20001/kiali";

/// The text of a field, where there is one.
fn given(field: &Field<String>) -> Option<&str> {
    field
        .as_ref()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
}

fn complain(field: &Field<String>, message: &str, cx: &Context<'_>) {
    if let Some(spot) = field.spot {
        cx.report.error_at(spot, message);
    }
}
