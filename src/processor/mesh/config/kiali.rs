/*! The keys of `mesh.kiali`: what the file says of a Kiali, and where that Kiali
says it itself. */

use super::Toggle;
use crate::{
    config::{Field, KeyReader, Pairs, Reading, Secret, Spot},
    http::config::url,
    mesh::{
        Described, Follow, KialiEndpoint, KialiSource, ObjectName, Tls, Token, Version,
        VersionError,
    },
};
use std::{path::PathBuf, time::Duration};

/// More often would keep Kiali busy: each read makes it ask others.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);
const EXAMPLE: &str = "http://kiali.istio-system:20001/kiali";

/// What the keys say.
pub(super) struct KialiKeys {
    /// How the Kiali is described.
    pub(super) described: Described,
    /// The tags that its questions carry, as written.
    pub(super) query_scope: Field<Pairs>,
    /// Where its own configuration is read from, and Istio's ConfigMap if that is
    /// read too.
    pub(super) source: Option<(KialiSource, Option<ObjectName>)>,
}

pub(super) fn read(keys: &mut KeyReader<'_>) -> KialiKeys {
    let description = Description::read(keys);
    let query_scope = keys.get(
        "query_scope",
        "none",
        "its `external_services.tracing.query_scope`: tags that its questions carry; they are added as `tags` are, but for those that say what a span is",
    );
    let sources = Sources::read(keys);
    let cx = keys.reading();
    KialiKeys {
        described: description.check(cx),
        query_scope,
        source: sources.check(cx),
    }
}

/// The keys that describe a Kiali. An empty text is no description, so that a
/// variable that is not set may stand there.
struct Description {
    version: Field<String>,
    namespace_selector: Field<bool>,
    use_waypoint_name: Field<bool>,
    istio_identity_domain: Field<String>,
    trust_domain: Field<String>,
    app_label_name: Field<String>,
}

impl Description {
    fn read(keys: &mut KeyReader<'_>) -> Self {
        Self {
            version: keys.get(
                "version",
                "`newest`",
                "the Kiali that asks: `2.7`, `v2.30.1`",
            ),
            namespace_selector: keys.get(
                "namespace_selector",
                "`true`",
                "its `external_services.tracing.namespace_selector`",
            ),
            use_waypoint_name: keys.get(
                "use_waypoint_name",
                "`false`",
                "its `external_services.tracing.use_waypoint_name`",
            ),
            istio_identity_domain: keys.get(
                "istio_identity_domain",
                "what that Kiali defaults to",
                "its `external_services.istio.istio_identity_domain`",
            ),
            trust_domain: keys.get("trust_domain", "`cluster.local`", "the mesh's trust domain"),
            app_label_name: keys.get(
                "app_label_name",
                "that Kiali's own order of labels",
                "its `istio_labels.app_label_name`, which Kiali 2.6+ heeds only together with `version_label_name`",
            ),
        }
    }

    fn check(&self, cx: &Reading<'_>) -> Described {
        let version = self.version.trimmed().and_then(|text| match text {
            "newest" | "latest" => Some(Version::NEWEST),
            text => {
                let report = |error: VersionError| cx.error(self.version.spot, &error.to_string());
                text.parse().map_err(report).ok()
            }
        });
        let name = |field: &Field<String>| {
            let text = field.trimmed()?;
            if text.contains(char::is_whitespace) {
                let message = format!("\"{text}\" is not a name: it has spaces in it");
                cx.error(field.spot, &message);
            }
            Some(text.to_owned())
        };
        Described {
            version,
            namespace_selector: self.namespace_selector.value,
            use_waypoint_name: self.use_waypoint_name.value,
            istio_identity_domain: name(&self.istio_identity_domain),
            trust_domain: name(&self.trust_domain),
            app_label_name: name(&self.app_label_name),
            cluster_id: None,
            query_scope: None,
        }
    }
}

/// The keys that say where a Kiali's own configuration is.
struct Sources {
    discovery: Field<Toggle>,
    config_map: Field<String>,
    custom_resource: Field<String>,
    istio_config_map: Field<String>,
    url: Field<String>,
    token: Field<String>,
    token_file: Field<String>,
    poll_interval: Field<Duration>,
    insecure_skip_verify: Field<bool>,
    ca_file: Field<String>,
    server_name_override: Field<String>,
}

impl Sources {
    fn read(keys: &mut KeyReader<'_>) -> Self {
        let discovery = keys.get(
            "discovery",
            "`on`",
            "where Kubernetes is watched and none of `config_map`, `custom_resource` and `url` is set: find Kiali by its Pods' labels, and follow its ConfigMap, else its custom resource, else ask it itself",
        );
        let config_map = keys.get(
            "config_map",
            "none",
            "follow the ConfigMap `NAMESPACE/NAME` that holds Kiali's `config.yaml`",
        );
        let custom_resource = keys.get(
            "custom_resource",
            "none",
            "follow the operator's `Kiali` resource `NAMESPACE/NAME`",
        );
        let istio_config_map = keys.get(
            "istio_config_map",
            "`istio-system/istio`",
            "Istio's ConfigMap, read for the trust domain, unless `url` is set; `\"\"`: not. The Kiali in its namespace is found first",
        );
        let url = keys.get(
            "url",
            "none",
            "ask Kiali itself: its URL with its web root, `http://kiali.istio-system:20001/kiali`",
        );
        let token = keys.get(
            "token",
            "anonymous",
            "with `url`: a token that Kiali accepts",
        );
        let token_file = keys.get(
            "token_file",
            "anonymous",
            "a file with it, which is read each time",
        );
        let poll_interval = keys.get(
            "poll_interval",
            "`30s`",
            "with `url`: time between two reads, at least `100ms`",
        );
        keys.section("tls", |keys| Self {
            insecure_skip_verify: keys.get(
                "insecure_skip_verify",
                "`false`",
                "with `https://`: Kiali is not verified",
            ),
            ca_file: keys.get(
                "ca_file",
                "the system's CAs",
                "with `https://`: whom to trust instead",
            ),
            server_name_override: keys.get(
                "server_name_override",
                "the host",
                "with `https://`: the name to verify",
            ),
            discovery,
            config_map,
            custom_resource,
            istio_config_map,
            url,
            token,
            token_file,
            poll_interval,
        })
    }

    fn check(&self, cx: &Reading<'_>) -> Option<(KialiSource, Option<ObjectName>)> {
        let sources = [
            ("config_map", &self.config_map),
            ("custom_resource", &self.custom_resource),
            ("url", &self.url),
        ];
        let is_set = |(_, field): &(_, &Field<String>)| field.trimmed().is_some();
        let mut named = sources.into_iter().filter(is_set);
        let (key, field) = named.next().unwrap_or(("", &self.url));
        for (second, field) in named {
            let message = format!(
                "kiali.{second} beside kiali.{key}: Kiali's configuration is read from one place; \
                 remove one of the two"
            );
            cx.error(field.spot, &message);
        }
        self.refuse_idle(key, cx);
        let source = match key {
            "config_map" => KialiSource::ConfigMap(object(field, cx)?),
            "custom_resource" => KialiSource::CustomResource(object(field, cx)?),
            "url" => KialiSource::Url(self.endpoint(cx)?),
            _ if self.discovery.value == Some(Toggle::Off) => return None,
            _ => KialiSource::Discovery,
        };
        let istio = match (&source, &self.istio_config_map.value) {
            (KialiSource::Url(_), _) => None,
            (_, Some(text)) if text.trim().is_empty() => None,
            (_, Some(_)) => Some(object(&self.istio_config_map, cx)?),
            (_, None) => Follow::default().istio_config_map,
        };
        Some((source, istio))
    }

    /// Reports the keys that would have no effect beside `source`.
    fn refuse_idle(&self, source: &str, cx: &Reading<'_>) {
        let text = |field: &Field<String>| field.spot.filter(|_| field.trimmed().is_some());
        let with_url = [
            ("token", text(&self.token)),
            ("token_file", text(&self.token_file)),
            (
                "poll_interval",
                self.poll_interval.value.and(self.poll_interval.spot),
            ),
            ("tls.ca_file", text(&self.ca_file)),
            (
                "tls.insecure_skip_verify",
                (self.insecure_skip_verify.spot)
                    .filter(|_| self.insecure_skip_verify.value == Some(true)),
            ),
            ("tls.server_name_override", text(&self.server_name_override)),
        ];
        for (key, spot) in with_url.into_iter().filter(|_| source != "url") {
            let message = format!("kiali.{key} is for kiali.url, which is not set: remove it");
            cx.error(spot, &message);
        }
        let found = self.discovery.value != Some(Toggle::Off);
        if source == "url" || (source.is_empty() && !found) {
            let message = "kiali.istio_config_map is for a Kiali that is found, or whose ConfigMap or custom resource is followed: remove it";
            cx.error(text(&self.istio_config_map), message);
        }
        if !source.is_empty() && self.discovery.value == Some(Toggle::On) {
            let message = format!(
                "kiali.discovery beside kiali.{source}: Kiali's configuration is read from one place; \
                 remove one of the two"
            );
            cx.error(self.discovery.spot, &message);
        }
    }

    fn endpoint(&self, cx: &Reading<'_>) -> Option<KialiEndpoint> {
        let at = self.url.spot;
        let given = self.url.trimmed()?;
        if given.contains('@') {
            let help = "use kiali.token_file, or kiali.token";
            cx.error_with_help(at, "credentials do not belong into the URL", help);
            return None;
        }
        let url = match url(given) {
            Ok(url) if url.contains(['?', '#']) => {
                let message = "Kiali's URL ends with its web root: remove ? and #";
                cx.error(at, message);
                return None;
            }
            Ok(url) => url.trim_end_matches('/').to_owned(),
            Err(message) => {
                cx.error(at, &message.replace("http://jaeger:4318", EXAMPLE));
                return None;
            }
        };
        let poll_interval = self
            .poll_interval
            .value
            .unwrap_or(KialiEndpoint::POLL_INTERVAL);
        if poll_interval < LEAST_INTERVAL {
            let message = "at least 100ms, or Kiali is kept busy";
            cx.error(self.poll_interval.spot, message);
        }
        Some(KialiEndpoint {
            url,
            token: self.token(cx),
            poll_interval: poll_interval.max(LEAST_INTERVAL),
            tls: Tls {
                insecure_skip_verify: self.insecure_skip_verify.value.unwrap_or(false),
                ca_file: self.ca_file.trimmed().map(PathBuf::from),
                server_name_override: self.server_name_override.trimmed().map(str::to_owned),
            },
        })
    }

    fn token(&self, cx: &Reading<'_>) -> Option<Token> {
        let wrong = |spot: Option<Spot>, message| {
            cx.error(spot, message);
            None
        };
        match (self.token.trimmed(), self.token_file.trimmed()) {
            (Some(_), Some(_)) => wrong(
                self.token_file.spot,
                "kiali.token_file beside kiali.token: remove one of the two",
            ),
            // A header must be able to carry it; it is not shown.
            (Some(token), None) if !token.chars().all(|c| c.is_ascii_graphic()) => wrong(
                self.token.spot,
                "not a token: it has characters that none can have",
            ),
            (Some(token), None) => Some(Token::Text(Secret::new(token))),
            (None, Some(path)) => Some(Token::File(PathBuf::from(path))),
            (None, None) => None,
        }
    }
}

fn object(field: &Field<String>, cx: &Reading<'_>) -> Option<ObjectName> {
    match field.trimmed()?.parse::<ObjectName>() {
        Ok(name) => Some(name),
        Err(error) => {
            cx.error(field.spot, &error.to_string());
            None
        }
    }
}
