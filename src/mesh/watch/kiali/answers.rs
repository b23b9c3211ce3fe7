/*!
What Kiali's own answers say of it. Pure.

| asked | says | since |
|---|---|---|
| `/api/tracing` | `namespaceSelector`; `useWaypointName` | ever; 2.22 |
| `/api/config` | `istioIdentityDomain`, since 2.26 as it is in force; `istioLabels`; `clusters` | ever |
| `/api/status` | `Kiali version` | ever |

(Kiali `handlers/tracing.go`, `handlers/config.go`, `status/status.go`, from
2.5 to 2.30.) With tracing off, `/api/tracing` holds zero values that mean
nothing.
*/

use super::documents::{ReadDocument, app_label, tracing_is_off, version};
use crate::mesh::{Described, Version};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The three answers; an answer that did not come leaves the one before.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    pub(super) tracing: Option<Tracing>,
    pub(super) config: Option<Config>,
    pub(super) status: Option<Status>,
}

/// `/api/tracing`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tracing {
    enabled: bool,
    #[serde(default)]
    namespace_selector: Option<bool>,
    #[serde(default)]
    use_waypoint_name: Option<bool>,
}

/// `/api/config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(default)]
    istio_identity_domain: Option<String>,
    #[serde(default)]
    istio_labels: Option<Labels>,
    #[serde(default)]
    clusters: Option<BTreeMap<String, Cluster>>,
    // Present in every version: tells Kiali's answer from another's.
    #[serde(rename = "kialiFeatureFlags")]
    _kiali: serde::de::IgnoredAny,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Labels {
    app_label_name: String,
    version_label_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Cluster {
    is_kiali_home: bool,
    name: String,
}

/// `/api/status`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Status {
    status: BTreeMap<String, String>,
}

/// Reads an answer; the error says what to look at.
pub(super) fn read<'b, T: Deserialize<'b>>(path: &str, body: &'b [u8]) -> Result<T, String> {
    // serde_json's message names what is missing and quotes nothing.
    serde_json::from_slice(body).map_err(|error| {
        format!(
            "{path} is not what Kiali answers ({error}): is the path in kiali.url Kiali's web root, \
             which is /kiali unless it was changed?"
        )
    })
}

/// Reads what `/api/tracing`, `/api/config` and `/api/status` answer, in this order.
///
/// # Errors
///
/// When one of them is not what Kiali answers.
pub(crate) fn read_all([tracing, config, status]: [&[u8]; 3]) -> Result<ReadDocument, String> {
    let answers = Answers {
        tracing: Some(read("/api/tracing", tracing)?),
        config: Some(read("/api/config", config)?),
        status: Some(read("/api/status", status)?),
    };
    Ok(answers.reading())
}

impl Answers {
    /// Returns what they say together.
    pub(super) fn reading(&self) -> ReadDocument {
        let mut notes = Vec::new();
        let mut said = Described::default();
        if let Some(Status { status }) = &self.status {
            let named = |key: &str| status.get(key).map(String::as_str);
            let places = [named("Kiali version"), named("Kiali container version")];
            said.version = version(&places, &mut notes);
        }
        match &self.tracing {
            Some(tracing) if tracing.enabled => {
                said.namespace_selector = tracing.namespace_selector;
                said.use_waypoint_name = tracing.use_waypoint_name;
                // Later versions always have the key.
                if said.version.is_none() && tracing.use_waypoint_name.is_none() {
                    said.version = Some(Version::new(2, 21));
                }
            }
            Some(_) => notes.push(tracing_is_off()),
            None => {}
        }
        if let Some(config) = &self.config {
            said.istio_identity_domain =
                Some(config.istio_identity_domain.clone().unwrap_or_default());
            let labels = config.istio_labels.clone().unwrap_or_default();
            said.app_label_name = Some(app_label(
                said.version.unwrap_or(Version::NEWEST),
                Some(&labels.app_label_name),
                Some(&labels.version_label_name),
            ));
            let mut clusters = config.clusters.iter().flatten().map(|(_, cluster)| cluster);
            let home = clusters.find(|cluster| cluster.is_kiali_home && !cluster.name.is_empty());
            said.cluster_id = home.map(|cluster| cluster.name.clone());
        }
        ReadDocument::checked(said, notes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The fields that Kiali 2.30 writes, as its handlers encode them.
    const TRACING_2_30: &str = r#"{"enabled":true,"integration":true,
        "internalURL":"http://tracing.istio-system:16685/jaeger","provider":"jaeger",
        "tempoConfig":{"urlFormat":"grafana"},"url":"http://jaeger.example",
        "namespaceSelector":false,"useWaypointName":true,"whiteListIstioSystem":["jaeger-query"]}"#;
    const TRACING_2_7: &str = r#"{"enabled":true,"integration":true,"provider":"jaeger",
        "tempoConfig":{},"url":"","namespaceSelector":true,"whiteListIstioSystem":null}"#;
    const TRACING_OFF: &str = r#"{"enabled":false,"integration":false,"internalURL":"","provider":"",
        "tempoConfig":{},"url":"","namespaceSelector":false,"useWaypointName":false,
        "whiteListIstioSystem":null}"#;
    const CONFIG_2_30: &str = r#"{"authStrategy":"anonymous","ambientEnabled":true,
        "clusters":{"west":{"accessible":true,"apiEndpoint":"","isKialiHome":false,
        "kialiInstances":null,"name":"west","secretName":"s"},"east":{"accessible":true,
        "apiEndpoint":"https://10.96.0.1:443","isKialiHome":true,"kialiInstances":[],"name":"east",
        "secretName":""}},"istioIdentityDomain":"svc.td.example",
        "istioLabels":{"appLabelName":"","versionLabelName":""},"kialiFeatureFlags":{},
        "prometheus":{"enabled":true}}"#;
    const CONFIG_2_5: &str = r#"{"authStrategy":"token","clusters":{},
        "istioIdentityDomain":"svc.cluster.local","istioConfigMap":"istio",
        "istioLabels":{"ambientNamespaceLabel":"istio.io/dataplane-mode","appLabelName":"app",
        "injectionLabelName":"istio-injection","versionLabelName":"version"},
        "kialiFeatureFlags":{"disabledFeatures":[]}}"#;

    fn status(version: &str) -> String {
        format!(
            r#"{{"status":{{"Disabled features":"","Kiali commit hash":"a1b2","Kiali container version":"{version}",
            "Kiali state":"running","Kiali version":"{version}"}},"externalServices":[],
            "warningMessages":[],"istioEnvironment":{{"istioAPIEnabled":true}}}}"#
        )
    }

    fn reading(tracing: &str, config: &str, status: &str) -> ReadDocument {
        let some = |text: &str| !text.is_empty();
        let answers = Answers {
            tracing: some(tracing).then(|| read("/api/tracing", tracing.as_bytes()).unwrap()),
            config: some(config).then(|| read("/api/config", config.as_bytes()).unwrap()),
            status: some(status).then(|| read("/api/status", status.as_bytes()).unwrap()),
        };
        answers.reading()
    }

    #[test]
    fn the_newest_kiali_says_everything() {
        let read = reading(TRACING_2_30, CONFIG_2_30, &status("v2.30.0"));
        assert_eq!(read.notes, Vec::<String>::new());
        assert_eq!(
            read.said,
            Described {
                version: Some(Version::new(2, 30)),
                namespace_selector: Some(false),
                use_waypoint_name: Some(true),
                istio_identity_domain: Some("svc.td.example".to_owned()),
                trust_domain: None,
                app_label_name: Some(String::new()),
                cluster_id: Some("east".to_owned()),
                query_scope: None,
            }
        );
    }

    #[test]
    fn older_ones_say_less() {
        let said = reading(TRACING_2_7, CONFIG_2_5, &status("v2.5.0")).said;
        assert_eq!(said.version, Some(Version::new(2, 5)));
        assert_eq!(
            (said.namespace_selector, said.use_waypoint_name),
            (Some(true), None)
        );
        assert_eq!(said.app_label_name.as_deref(), Some("app"));
        assert_eq!(said.cluster_id, None);
        // Without a version, a missing key still tells.
        assert_eq!(
            reading(TRACING_2_7, "", "").said.version,
            Some(Version::new(2, 21))
        );
        assert_eq!(reading(TRACING_2_30, "", "").said.version, None);
        let built = reading(TRACING_2_30, "", &status("v2.31.0-SNAPSHOT"));
        assert_eq!(built.said.version, Some(Version::new(2, 31)));
        assert!(built.notes[0].contains("names are as for 2.30"));
    }

    #[test]
    fn zero_values_of_disabled_tracing_are_not_believed() {
        let read = reading(TRACING_OFF, CONFIG_2_30, &status("v2.30.0"));
        assert_eq!(read.said.namespace_selector, None);
        assert_eq!(read.said.use_waypoint_name, None);
        assert_eq!(read.notes.len(), 1, "{:?}", read.notes);
    }

    #[test]
    fn what_cannot_be_a_name_is_not_taken_over() {
        let domain = CONFIG_2_30.replace("svc.td.example", "svc\\n.td");
        let cluster = CONFIG_2_30.replace(r#""name":"east""#, r#""name":"e ast""#);
        for (config, lost) in [
            (domain, "istio_identity_domain"),
            (cluster, "the cluster's name"),
        ] {
            let read = reading(TRACING_2_30, &config, &status("v2.30.0"));
            assert_eq!(read.notes.len(), 1);
            assert!(read.notes[0].starts_with(lost), "{:?}", read.notes);
            let (domain, cluster) = (&read.said.istio_identity_domain, &read.said.cluster_id);
            assert!(domain.is_none() != cluster.is_none(), "{:?}", read.said);
        }
    }

    #[test]
    fn what_is_not_kialis_is_refused() {
        for (path, body) in [
            ("/api/tracing", "<html><title>Kiali</title>"),
            ("/api/tracing", "{}"),
            ("/api/tracing", "[1]"),
            ("/api/config", "{\"a\":1}"),
            ("/api/status", "{\"status\":\"ok\"}"),
            ("/api/status", ""),
        ] {
            let error = match path {
                "/api/tracing" => read::<Tracing>(path, body.as_bytes()).err(),
                "/api/config" => read::<Config>(path, body.as_bytes()).err(),
                _ => read::<Status>(path, body.as_bytes()).err(),
            };
            assert!(error.unwrap().contains("web root"), "{path} {body}");
        }
    }
}
