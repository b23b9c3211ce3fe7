/*!
How the Pods of a control plane are known, and what their specs say. Pure.

Kiali: Helm's chart and the operator write the same (kiali/helm-charts,
`kiali-server/templates`; kiali/kiali-operator, `kiali-deploy/templates`): the
labels `app.kubernetes.io/name` and `app` are `kiali`, the ConfigMap is mounted
at `/kiali-configuration`, the port is called `api-port`, and the probes ask for
`<web root>/healthz`. Names of objects may be any.

istiod: the label `app` is `istiod`, and `CLUSTER_ID` is where Kiali, too, reads the
cluster's id unless it is told another (kiali/kiali, `kubernetes/istio.go`,
`ClusterNameFromIstiod`).
*/

use super::pod_spec::{Container, PodSpec, Port};
use crate::mesh::directory::{ControlPlanePod, KialiAddress, KialiPod, Labels};

const KIALI: &str = "kiali";
const ISTIOD: &str = "istiod";
const CONFIGURATION: &str = "/kiali-configuration";
const API_PORT: &str = "api-port";
const PROBED: &str = "/healthz";

/// Returns what of the control plane runs in a Pod.
pub(super) fn read(labels: &Labels, spec: &PodSpec) -> Option<Box<ControlPlanePod>> {
    if is_kiali(labels) {
        return kiali(spec).map(ControlPlanePod::Kiali).map(Box::new);
    }
    labels.get("app").filter(|app| *app == ISTIOD)?;
    let mut ids = spec.containers().filter_map(Container::cluster_id);
    let id = ids.find(|id| !id.is_empty())?;
    Some(Box::new(ControlPlanePod::Istiod(id.to_owned())))
}

/// Returns true if a Pod with these labels is said to be Kiali's. The operator's
/// own Pod and those of plugins have other names.
fn is_kiali(labels: &Labels) -> bool {
    let named = labels.get("app.kubernetes.io/name");
    named
        .or_else(|| labels.get("app"))
        .is_some_and(|name| name == KIALI)
}

/// Reads the spec of a Pod that is said to be Kiali's; None where no container
/// is one.
fn kiali(spec: &PodSpec) -> Option<KialiPod> {
    let container = spec
        .containers()
        .find(|container| configuration(container).is_some())
        .or_else(|| spec.containers().find(|container| container.name == KIALI))?;
    let mounted = configuration(container);
    let mut volumes = spec.volumes.iter().flatten();
    let volume = volumes.find(|volume| Some(&volume.name) == mounted);
    let config_map = volume.and_then(|volume| volume.config_map.as_ref());
    Some(KialiPod {
        config_map: config_map
            .map(|map| map.name.clone())
            .filter(|name| !name.is_empty()),
        image_tag: tag(&container.image).map(str::to_owned),
        address: address(container),
    })
}

/// Returns the volume that holds Kiali's configuration.
fn configuration(container: &Container) -> Option<&String> {
    let mut mounts = container.volume_mounts.iter().flatten();
    let mount = mounts.find(|mount| mount.mount_path.trim_end_matches('/') == CONFIGURATION);
    mount.map(|mount| &mount.name)
}

/// Returns where Kiali serves, as it lets itself be probed.
fn address(container: &Container) -> Option<KialiAddress> {
    let probe = container.readiness_probe.as_ref()?.http_get.as_ref()?;
    let web_root = probe.path.strip_suffix(PROBED)?.trim_end_matches('/');
    let tame = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if !(web_root.is_empty() || web_root.starts_with('/')) || !web_root.chars().all(tame) {
        return None;
    }
    let named = |name: &str| {
        let mut ports = container.ports.iter().flatten();
        let port = ports.find(|port| port.name == name);
        port.map(|port| port.container_port)
    };
    let port = match &probe.port {
        Some(Port::Number(port)) => Some(*port),
        Some(Port::Name(name)) => named(name),
        None => named(API_PORT),
    };
    Some(KialiAddress {
        tls: probe.scheme.eq_ignore_ascii_case("https"),
        port: u16::try_from(port?).ok().filter(|port| *port > 0)?,
        web_root: web_root.to_owned(),
    })
}

/// Returns the tag of an image; none where it is named by digest.
fn tag(image: &str) -> Option<&str> {
    let last = image.rsplit('/').next()?;
    let (_, tag) = last.split_once(':').filter(|_| !last.contains('@'))?;
    Some(tag)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    fn read_spec(spec: &Value) -> Option<KialiPod> {
        kiali(&serde_json::from_value(spec.clone()).unwrap())
    }

    #[test]
    fn labels_of_kiali_and_of_others() {
        const NAME: &str = "app.kubernetes.io/name";
        for (pairs, want) in [
            (&[(NAME, "kiali"), ("app", "kiali")][..], true),
            (&[("app", "kiali")], true),
            (&[(NAME, "kiali")], true),
            (
                &[("app", "kiali-operator"), (NAME, "kiali-operator")],
                false,
            ),
            (&[("app", "kiali"), (NAME, "oauth2-proxy")], false),
            (&[("app.kubernetes.io/part-of", "kiali")], false),
            (&[], false),
        ] {
            assert_eq!(is_kiali(&labels(pairs)), want, "{pairs:?}");
        }
    }

    /// As Helm's chart 2.30 writes it, with a sidecar of the user's before it.
    fn helm(root: &str, scheme: &str) -> Value {
        json!({
            "containers": [{"name": "proxy", "image": "proxy:1"}, {
                "name": "kiali", "image": "quay.io/kiali/kiali:v2.30.0",
                "command": ["/opt/kiali/kiali", "-config", "/kiali-configuration/config.yaml"],
                "ports": [{"name": "api-port", "containerPort": 20001},
                    {"name": "http-metrics", "containerPort": 9090}],
                "readinessProbe": {"httpGet":
                    {"path": format!("{root}/healthz"), "port": "api-port", "scheme": scheme}},
                "volumeMounts": [{"name": "mesh-cabundle", "mountPath": "/kiali-cabundle"},
                    {"name": "mesh-configuration", "mountPath": "/kiali-configuration"}],
            }],
            "volumes": [
                {"name": "mesh-cabundle", "configMap": {"name": "mesh-cabundle", "optional": true}},
                {"name": "mesh-configuration", "configMap": {"name": "mesh"}},
            ],
        })
    }

    #[test]
    fn the_spec_tells_configuration_image_and_address() {
        let kiali = read_spec(&helm("/kiali", "HTTP")).unwrap();
        assert_eq!(kiali.config_map.as_deref(), Some("mesh"));
        assert_eq!(kiali.image_tag.as_deref(), Some("v2.30.0"));
        let at = |tls, port, root: &str| KialiAddress {
            tls,
            port,
            web_root: root.to_owned(),
        };
        assert_eq!(kiali.address, Some(at(false, 20001, "/kiali")));
        let rooted = read_spec(&helm("", "HTTPS")).unwrap();
        assert_eq!(rooted.address, Some(at(true, 20001, "")));
        for odd in ["kiali", "/ki ali", "//evil.example@x", "/a?b=", "/\u{e9}"] {
            let kiali = read_spec(&helm(odd, "HTTP")).unwrap();
            assert_eq!(kiali.address, None, "{odd}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_guessed() {
        let bare = json!({"containers": [{"name": "kiali"}]});
        assert_eq!(read_spec(&bare), Some(KialiPod::default()));
        let other = json!({"containers": [{"name": "web", "image": "web:1"}]});
        assert_eq!(read_spec(&other), None);
        assert_eq!(read_spec(&json!({})), None);
        let mut secret = helm("/kiali", "HTTP");
        secret["volumes"][1] = json!({"name": "mesh-configuration", "secret": {"secretName": "s"}});
        assert_eq!(read_spec(&secret).unwrap().config_map, None);
    }

    #[test]
    fn istiod_says_its_cluster() {
        let id = |app: &str, env: Value| {
            let container = json!({"name": "discovery", "env": env});
            let sidecar = json!({"name": "other"});
            let spec = serde_json::from_value(json!({"containers": [sidecar, container]})).unwrap();
            match read(&labels(&[("app", app)]), &spec).map(|runs| *runs) {
                Some(ControlPlanePod::Istiod(id)) => Some(id),
                other => {
                    assert_eq!(other, None);
                    None
                }
            }
        };
        // As istio/istio, manifests/charts/istio-control/istio-discovery, writes it.
        let env = json!([
            {"name": "REVISION", "value": "default"},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "CLUSTER_ID", "value": "east"},
            {"name": "PLATFORM", "value": ""},
        ]);
        assert_eq!(id("istiod", env.clone()).as_deref(), Some("east"));
        assert_eq!(id("ratings", env), None);
        for none in [
            json!([]),
            json!(null),
            json!([{"name": "CLUSTER_ID"}]),
            json!([{"name": "CLUSTER_ID", "value": ""}]),
            json!([{"name": "ID", "value": "CLUSTER_ID"}]),
        ] {
            assert_eq!(id("istiod", none.clone()), None, "{none}");
        }
    }

    #[test]
    fn tags_of_images() {
        for (image, want) in [
            ("quay.io/kiali/kiali:v2.7.1", Some("v2.7.1")),
            ("registry:5000/kiali:v2.5", Some("v2.5")),
            ("registry:5000/kiali", None),
            ("quay.io/kiali/kiali@sha256:0123", None),
            ("kiali", None),
            ("", None),
        ] {
            assert_eq!(tag(image), want, "{image}");
        }
    }
}
