/*!
What Kubernetes objects say of a Kiali. Pure.

Helm's chart and the operator both write all that Kiali reads into one
ConfigMap, as `config.yaml`, and label it with Kiali's version. The operator's
input, the custom resource, has the same shape below `spec`. A key that is
absent there means Kiali's default (Kiali `config/config.go`, `NewConfig`).

These documents may hold passwords: only the keys below are read, and no
message quotes anything else.
*/

use crate::mesh::{Described, Version, is_telling};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a document says, and what an operator should know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadDocument {
    /// The keys it has something to say about.
    pub(crate) said: Described,
    /// Things in it that keep traces from being found, and their remedies.
    pub(crate) notes: Vec<String>,
}

impl ReadDocument {
    /// Without what cannot be a name: it would end up in spans and in lines of
    /// the log.
    pub(super) fn checked(mut said: Described, mut notes: Vec<String>) -> Self {
        for (what, name) in [
            ("istio_identity_domain", &mut said.istio_identity_domain),
            ("app_label_name", &mut said.app_label_name),
            ("the cluster's name", &mut said.cluster_id),
        ] {
            if name.take_if(|name| !may_be_name(name)).is_some() {
                notes.push(no_name(what));
            }
        }
        Self { said, notes }
    }
}

/// Names of labels are the longest: a domain, a slash and 63 characters.
pub(super) fn may_be_name(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    text.len() <= 320 && !text.contains(odd)
}

fn no_name(what: &str) -> String {
    format!("{what} is too long or has spaces or control characters, and is not taken over")
}

/// Reads a ConfigMap that holds Kiali's `config.yaml`.
///
/// # Errors
///
/// When it holds none, or none that can be read.
pub(crate) fn config_map(object: &Value) -> Result<ReadDocument, String> {
    let config = yaml_of(object, "config.yaml", "Kiali's")?;
    let labels = [
        text(object, &["metadata", "labels", "app.kubernetes.io/version"]),
        text(object, &["metadata", "labels", "version"]),
        text(&config, &["deployment", "version_label"]),
        text(&config, &["deployment", "image_version"]),
    ];
    Ok(reading(&config, &labels))
}

/// Reads a custom resource `kiali.io/v1alpha1 Kiali`.
///
/// # Errors
///
/// When it has no `spec`.
pub(crate) fn custom_resource(object: &Value) -> Result<ReadDocument, String> {
    // An operator takes a resource without a spec for one that sets nothing.
    let empty = Value::Object(serde_json::Map::new());
    let spec = match object.get("spec") {
        None | Some(Value::Null) => &empty,
        Some(spec) if spec.is_object() => spec,
        Some(_) => return Err("its spec is not an object".to_owned()),
    };
    let versions = [
        text(spec, &["deployment", "image_version"]),
        text(spec, &["version"]),
        // What `version: default` installs: the operator's own version.
        text(object, &["status", "environment", "operatorVersion"]),
    ];
    Ok(reading(spec, &versions))
}

/// Returns the trust domain in Istio's ConfigMap; the default where it sets
/// none.
///
/// # Errors
///
/// When it is not Istio's, or cannot be read.
pub(crate) fn mesh_config(object: &Value) -> Result<String, String> {
    let config = yaml_of(object, "mesh", "Istio's")?;
    let domain = text(&config, &["trustDomain"]).filter(|domain| !domain.is_empty());
    let domain = domain.unwrap_or("cluster.local").to_owned();
    match may_be_name(&domain) {
        true => Ok(domain),
        false => Err(no_name("trustDomain")),
    }
}

/// Reads the YAML under a key of a ConfigMap.
fn yaml_of(object: &Value, key: &str, whose: &str) -> Result<Value, String> {
    let yaml = text(object, &["data", key])
        .ok_or_else(|| format!("it has no {key}: is it {whose} ConfigMap?"))?;
    // The error's own text may quote the document.
    serde_saphyr::from_str(yaml).map_err(|error| match error.location() {
        Some(at) => format!(
            "{key} is no YAML at line {}, column {}",
            at.line(),
            at.column()
        ),
        None => format!("{key} is no YAML"),
    })
}

/// Kiali's configuration; `versions` are the places that may name its version,
/// the best first.
fn reading(config: &Value, versions: &[Option<&str>]) -> ReadDocument {
    let mut notes = Vec::new();
    let version = version(versions, &mut notes);
    let known = version.unwrap_or(Version::NEWEST);
    let tracing = ["external_services", "tracing"];
    let mut flag = |key: &str, default: bool| {
        flag(config, &[tracing[0], tracing[1], key]).unwrap_or_else(|found| {
            if let Some(found) = found {
                notes.push(format!(
                    "external_services.tracing.{key} is {found}, not true or false: {default} is assumed"
                ));
            }
            default
        })
    };
    let enabled = flag("enabled", false);
    let namespace_selector = flag("namespace_selector", true);
    let use_waypoint_name = flag("use_waypoint_name", false);
    if !enabled {
        notes.push(tracing_is_off());
    }
    let domain = text(
        config,
        &["external_services", "istio", "istio_identity_domain"],
    );
    if domain == Some("") && (Version::new(2, 22)..Version::new(2, 26)).contains(&known) {
        notes.push(format!(
            "external_services.istio.istio_identity_domain is empty, with which Kiali {known} asks \
             for names that end in a dot: set it to svc.cluster.local there"
        ));
    }
    let scope = config.pointer("/external_services/tracing/query_scope");
    let scope = scope
        .and_then(Value::as_object)
        .map(|scope| query_scope(scope, &mut notes));
    let cluster = text(config, &["kubernetes_config", "cluster_name"]);
    let said = Described {
        version,
        namespace_selector: Some(namespace_selector),
        use_waypoint_name: Some(use_waypoint_name),
        istio_identity_domain: Some(domain.unwrap_or_default().to_owned()),
        trust_domain: None,
        app_label_name: Some(app_label(
            known,
            text(config, &["istio_labels", "app_label_name"]),
            text(config, &["istio_labels", "version_label_name"]),
        )),
        cluster_id: cluster.filter(|name| !name.is_empty()).map(str::to_owned),
        query_scope: scope,
    };
    ReadDocument::checked(said, notes)
}

/// Returns the app label in force, empty for Kiali's own order. Since 2.6 Kiali
/// honours the key only together with `version_label_name` (`config/config.go`,
/// `Set`); before, absent means `app`.
pub(super) fn app_label(
    version: Version,
    app: Option<&str>,
    version_label: Option<&str>,
) -> String {
    let set = |label: Option<&str>| label.filter(|label| !label.is_empty()).map(str::to_owned);
    match version >= Version::new(2, 6) {
        true => set(version_label).and(set(app)).unwrap_or_default(),
        false => set(app).unwrap_or_default(),
    }
}

/// Returns the first of `places` that is a version.
pub(super) fn version(places: &[Option<&str>], notes: &mut Vec<String>) -> Option<Version> {
    let named: Vec<&str> = places.iter().flatten().copied().collect();
    for text in &named {
        match text.parse() {
            Ok(version) => {
                if version > Version::NEWEST {
                    notes.push(format!(
                        "Kiali {version} is newer than those known here: names are as for {}",
                        Version::NEWEST
                    ));
                }
                return Some(version);
            }
            // What is built from the main branch is the newest there is.
            Err(_) if matches!(*text, "master" | "latest" | "main" | "dev") => {
                return Some(Version::NEWEST);
            }
            Err(_) => {}
        }
    }
    notes.push(match named.iter().find(|text| !text.is_empty()) {
        Some(text) => format!(
            "its version is given as \"{}\", which is no release: set kiali.version",
            text.chars().take(60).collect::<String>()
        ),
        None => "it does not say Kiali's version: set kiali.version".to_owned(),
    });
    None
}

/// The most tags of a `query_scope` that are taken over.
const MOST_TAGS: usize = 16;

/// Returns the tags that Kiali's questions carry, but for those that say what a span
/// is: each span has its own.
fn query_scope(
    scope: &serde_json::Map<String, Value>,
    notes: &mut Vec<String>,
) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (key, value) in scope.iter().filter(|(key, _)| !is_telling(key)) {
        match value.as_str() {
            Some(text) if !text.is_empty() && may_be_name(key) && may_be_name(text) => {
                if tags.len() < MOST_TAGS {
                    tags.insert(key.clone(), text.to_owned());
                    continue;
                }
                notes.push(format!(
                    "external_services.tracing.query_scope has more than {MOST_TAGS} tags: spans lack \
                     the others, and Kiali finds none"
                ));
                break;
            }
            _ => notes.push(
                "external_services.tracing.query_scope has a tag that is no text, too long or has \
                 spaces in it: spans lack it, and Kiali finds none"
                    .to_owned(),
            ),
        }
    }
    tags
}

pub(super) fn tracing_is_off() -> String {
    "external_services.tracing.enabled is not true in Kiali: it shows no traces at all".to_owned()
}

fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path)?.as_str()
}

fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// Reads a boolean as Kiali's YAML reader takes it; Err with what else is
/// there.
fn flag(config: &Value, path: &[&str]) -> Result<bool, Option<String>> {
    match at(config, path) {
        None | Some(Value::Null) => Err(None),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Ok(true),
            "false" | "no" | "off" | "n" => Ok(false),
            _ => Err(Some("a text".to_owned())),
        },
        Some(Value::Number(_)) => Err(Some("a number".to_owned())),
        Some(_) => Err(Some("a map or list".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// As Helm's chart 2.30 writes it (kiali/helm-charts,
    /// kiali-server/templates/configmap.yaml): values as they are, the version
    /// in the labels.
    const HELM: &str = "\
auth:
  openid: {}
  openshift:
    client_id_prefix: kiali
  strategy: anonymous
deployment:
  image_name: quay.io/kiali/kiali
  image_version: v2.30.0
  version_label: v2.30.0
  instance_name: kiali
external_services:
  custom_dashboards:
    enabled: true
  istio:
    root_namespace: istio-system
  tracing:
    enabled: true
    auth: {type: basic, username: u, password: hunter2}
    internal_url: http://tracing.istio-system:16685/jaeger
    use_waypoint_name: true
kubernetes_config:
  cluster_name: east
login_token:
  signing_key: hunter2hunter2ab
server:
  port: 20001
  web_root: /kiali
";

    fn map(labels: Value, config: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "kiali", "namespace": "istio-system", "labels": labels},
            "data": {"config.yaml": config}
        })
    }

    #[test]
    fn helms_config_map() {
        let labels = json!({"app.kubernetes.io/version": "v2.30.1", "version": "v2.30.0"});
        let read = config_map(&map(labels, HELM)).unwrap();
        assert_eq!(
            read,
            ReadDocument {
                said: Described {
                    version: Some(Version::new(2, 30)),
                    namespace_selector: Some(true),
                    use_waypoint_name: Some(true),
                    istio_identity_domain: Some(String::new()),
                    trust_domain: None,
                    app_label_name: Some(String::new()),
                    cluster_id: Some("east".to_owned()),
                    query_scope: None,
                },
                notes: vec![],
            }
        );
        assert!(!format!("{read:?}").contains("hunter2"));
    }

    #[test]
    fn the_operators_config_map() {
        // kiali/kiali-operator, roles/v2.22/kiali-deploy/defaults/main.yml:
        // every key with its default.
        let config = "\
deployment: {image_name: quay.io/kiali/kiali, image_version: v2.22, version_label: v2.22}
external_services:
  istio: {istio_api_enabled: true, istio_identity_domain: svc.cluster.local}
  tracing:
    enabled: true
    namespace_selector: false
    provider: jaeger
    query_scope: {mesh_id: one}
    use_grpc: true
    use_waypoint_name: false
istio_labels: {app_label_name: '', version_label_name: ''}
kubernetes_config: {cluster_name: ''}
version: v2.22
";
        let read = config_map(&map(json!({"version": "v2.22"}), config)).unwrap();
        assert_eq!(read.said.version, Some(Version::new(2, 22)));
        assert_eq!(read.said.namespace_selector, Some(false));
        assert_eq!(
            read.said.istio_identity_domain.as_deref(),
            Some("svc.cluster.local")
        );
        assert_eq!(read.said.cluster_id, None);
        let scope = [("mesh_id".to_owned(), "one".to_owned())].into();
        assert_eq!(read.said.query_scope, Some(scope));
        assert_eq!(read.notes, Vec::<String>::new());
    }

    #[test]
    fn versions_from_the_best_place() {
        let read = |labels: Value, deployment: &str| {
            let config = format!(
                "external_services: {{tracing: {{enabled: true}}}}\ndeployment: {deployment}\n"
            );
            config_map(&map(labels, &config)).unwrap()
        };
        for (labels, deployment, want) in [
            (
                json!({"app.kubernetes.io/version": "v2.7.1"}),
                "{}",
                Some((2, 7)),
            ),
            (
                json!({"version": "2.21.0"}),
                "{image_version: v2.30.0}",
                Some((2, 21)),
            ),
            (json!(null), "{version_label: v2.26.1}", Some((2, 26))),
            (json!(null), "{image_version: v2.5.0}", Some((2, 5))),
            (json!({"version": "v2.22.9-ossm"}), "{}", Some((2, 22))),
            // A digest in place of a tag; the image's label may still tell.
            (
                json!({"version": "0123abcd"}),
                "{image_version: v2.6.0}",
                Some((2, 6)),
            ),
            (
                json!({"version": "master"}),
                "{image_version: latest}",
                Some((2, 30)),
            ),
            (
                json!({"version": "0123abcd"}),
                "{image_digest: sha256}",
                None,
            ),
            (json!({}), "{}", None),
        ] {
            let read = read(labels.clone(), deployment);
            let want = want.map(|(major, minor)| Version::new(major, minor));
            assert_eq!(read.said.version, want, "{labels} {deployment}");
            let told = read
                .notes
                .iter()
                .any(|note| note.contains("set kiali.version"));
            assert_eq!(told, want.is_none(), "{:?}", read.notes);
        }
    }

    #[test]
    fn app_labels_count_as_kiali_counts_them() {
        let read = |version: &str, labels: &str| {
            let config = format!("istio_labels: {labels}\n");
            let map = map(json!({"version": version}), &config);
            config_map(&map).unwrap().said.app_label_name.unwrap()
        };
        for (version, labels, want) in [
            (
                "v2.30.0",
                "{app_label_name: my/app, version_label_name: my/version}",
                "my/app",
            ),
            // Kiali config/config.go at 2.30, line 1614: both or none.
            ("v2.30.0", "{app_label_name: my/app}", ""),
            (
                "v2.30.0",
                "{app_label_name: my/app, version_label_name: ''}",
                "",
            ),
            ("v2.6.0", "{version_label_name: my/version}", ""),
            ("v2.5.0", "{app_label_name: my/app}", "my/app"),
            ("v2.5.0", "{}", ""),
        ] {
            assert_eq!(read(version, labels), want, "{version} {labels}");
        }
    }

    #[test]
    fn what_keeps_traces_from_being_found_is_told() {
        let notes = |version: &str, config: &str| {
            config_map(&map(json!({"version": version}), config))
                .unwrap()
                .notes
                .join("\n")
        };
        assert!(notes("v2.30.0", "{}").contains("tracing.enabled is not true"));
        let empty =
            "external_services: {tracing: {enabled: yes}, istio: {istio_identity_domain: ''}}";
        assert!(notes("v2.25.0", empty).contains("istio_identity_domain is empty"));
        assert_eq!(notes("v2.26.0", empty), "");
        assert_eq!(notes("v2.21.0", empty), "");
        let odd = "external_services: {tracing: {enabled: true, namespace_selector: 3}}";
        assert!(notes("v2.30.0", odd).contains("namespace_selector is a number"));
    }

    #[test]
    fn what_is_not_kialis_is_refused_without_quoting_it() {
        let bad = "password: hunter2\n\tx: [";
        let error = config_map(&map(json!({}), bad)).unwrap_err();
        assert!(
            error.contains("no YAML") && !error.contains("hunter2"),
            "{error}"
        );
        let none = json!({"data": {"mesh": "trustDomain: x"}});
        assert!(config_map(&none).unwrap_err().contains("no config.yaml"));
        // Any YAML is a configuration to Kiali, an empty one too.
        for odd in ["", "~", "[]", "3"] {
            let read = config_map(&map(json!({"version": "v2.30.0"}), odd)).unwrap();
            assert_eq!(read.said.namespace_selector, Some(true), "{odd:?}");
        }
    }

    #[test]
    fn custom_resources() {
        for (object, want) in [
            (
                json!({"spec": {"version": "v2.22", "external_services": {"tracing":
                    {"enabled": true, "use_waypoint_name": true}}},
                    "status": {"environment": {"operatorVersion": "v2.30.0"}}}),
                (Some((2, 22)), true),
            ),
            (
                json!({"spec": {"version": "default", "deployment": {"image_version": ""}},
                    "status": {"specVersion": "default", "environment":
                    {"isKubernetes": true, "operatorVersion": "v2.27.2"}}}),
                (Some((2, 27)), false),
            ),
            (
                json!({"spec": {"deployment": {"image_version": "v2.29.0"}}}),
                (Some((2, 29)), false),
            ),
            (json!({"metadata": {"name": "kiali"}}), (None, false)),
        ] {
            let said = custom_resource(&object).unwrap().said;
            let version = want.0.map(|(major, minor)| Version::new(major, minor));
            assert_eq!(
                (said.version, said.use_waypoint_name),
                (version, Some(want.1)),
                "{object}"
            );
        }
        assert!(custom_resource(&json!({"spec": "x"})).is_err());
    }

    #[test]
    fn trust_domains() {
        let mesh = |yaml: &str| mesh_config(&json!({"data": {"mesh": yaml}}));
        // As istioctl 1.30 installs it.
        let usual = "defaultConfig:\n  discoveryAddress: istiod.istio-system.svc:15012\n\
                     enablePrometheusMerge: true\nrootNamespace: null\ntrustDomain: td.example\n";
        assert_eq!(mesh(usual).unwrap(), "td.example");
        assert_eq!(
            mesh("enablePrometheusMerge: true\n").unwrap(),
            "cluster.local"
        );
        assert_eq!(mesh("").unwrap(), "cluster.local");
        assert!(
            mesh_config(&json!({"data": {}}))
                .unwrap_err()
                .contains("Istio's")
        );
    }
}
