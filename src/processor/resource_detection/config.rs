/*! The keys of `resource_detection`. */

use super::{
    environment,
    settings::{DetectionSettings, Detector, NodeDetector},
    system::{HostnameSource, SystemAttribute},
};
use crate::{
    config::{Field, Id, KeyReader, Spot, Word, did_you_mean},
    processor::{ProcessorRole, kubernetes::access},
};
use std::{sync::Arc, time::Duration};

/// The detectors that are run, by all their names.
const NODE: [&str; 3] = ["k8s_api", "k8snode", "k8s_node"];
const SERVED: [&str; 5] = ["env", "system", NODE[0], NODE[1], NODE[2]];

/// Those of the Collector's that ask a cloud or a daemon.
const OTHERS: &[&str] = &[
    "akamai",
    "aks",
    "alibaba_ecs",
    "azure",
    "azurecontainerapps",
    "consul",
    "digitalocean",
    "docker",
    "dynatrace",
    "ec2",
    "ecs",
    "eks",
    "elasticbeanstalk",
    "gce",
    "gcp",
    "gke",
    "heroku",
    "hetzner",
    "ibmcloud_classic",
    "ibmcloud_vpc",
    "kubeadm",
    "lambda",
    "nova",
    "openshift",
    "oraclecloud",
    "scaleway",
    "tencent_cvm",
    "upcloud",
    "vultr",
];

impl Word for HostnameSource {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("os", Self::Os),
        ("dns", Self::Dns),
        ("cname", Self::Other),
        ("lookup", Self::Other),
    ];
}

/// The section of a detector of the Node, whose name is not known yet.
struct NodeKeys {
    variable: String,
    detector: NodeDetector,
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let detectors: Field<Vec<Field<String>>> = keys.get(
        "detectors",
        "`env`",
        "of `env`, `system` and `k8s_api` (also called `k8snode`), in their order: what an earlier one tells, a later one does not change; others are left out with a warning",
    );
    let overrides = keys.or(
        "override",
        true,
        "replace what resources have; `false`: only what they lack is added",
    );
    let timeout = keys.or(
        "timeout",
        Duration::from_secs(5),
        "how long the start waits for each answer of the Kubernetes API",
    );
    let system = keys.section("system", system);
    let nodes = NODE.map(|name| keys.section(name, node));
    keys.ignored(OTHERS);
    keys.ignored(&["refresh_interval", "fail_on_missing_metadata"]);
    let given = detectors.value.unwrap_or_else(|| {
        vec![Field {
            spot: None,
            value: Some("env".to_owned()),
        }]
    });
    let mut all = Vec::new();
    for detector in given {
        let Some(name) = detector.value.as_deref().map(str::trim) else {
            continue;
        };
        let at_node = NODE.iter().position(|node| *node == name);
        match name {
            "env" => all.extend(environment(keys, detector.spot)),
            "system" => all.push(system.clone()),
            _ if OTHERS.contains(&name) => {
                // Where its section is written, that is said there.
                if keys.is_used() && keys.spot_of(name).is_none() {
                    let message = format!("wayspan has no detector \"{name}\"; it adds nothing");
                    keys.reading().warn(detector.spot, &message);
                }
            }
            _ => match at_node.and_then(|at| nodes.get(at)) {
                Some(node) => all.extend(named(node, keys, detector.spot)),
                None => {
                    let valid: Vec<&str> = SERVED.iter().chain(OTHERS).copied().collect();
                    let hint = did_you_mean(name, &valid);
                    let message = format!("there is no detector \"{name}\"{hint}");
                    keys.reading().error(detector.spot, &message);
                }
            },
        }
    }
    Some(ProcessorRole::Item(Arc::new(Arc::new(DetectionSettings {
        detectors: all,
        overrides: overrides.value,
        timeout: timeout.value,
    }))))
}

/// Reads the environment now: a value that is wrong must stop the start.
fn environment(keys: &KeyReader<'_>, spot: Option<Spot>) -> Option<Detector> {
    if !keys.is_used() {
        return None;
    }
    let cx = keys.reading();
    let variables = environment::VARIABLES.into_iter();
    let mut set = variables.filter_map(|name| {
        let text = cx.variable(name)?;
        Some((name, text.trim().to_owned())).filter(|(_, text)| !text.is_empty())
    });
    let Some((name, text)) = set.next() else {
        return Some(Detector::Environment(Vec::new()));
    };
    match environment::parse(&text) {
        Ok(attributes) => Some(Detector::Environment(attributes)),
        Err(why) => {
            cx.error(spot.or(keys.spot()), &format!("{name}: {why}"));
            None
        }
    }
}

fn system(keys: &mut KeyReader<'_>) -> Detector {
    let sources: Field<Vec<Field<HostnameSource>>> = keys.get(
        "hostname_sources",
        "`dns`, `os`",
        "the first that tells `host.name`: `os`, or `dns`, the whole name in `/etc/hosts`; `cname` and `lookup` would ask a server and tell nothing",
    );
    let cx = keys.reading();
    let sources = match sources.value {
        Some(list) if !list.is_empty() => {
            for source in &list {
                if source.value == Some(HostnameSource::Other) && keys.is_used() {
                    let message = "wayspan asks no server for its name; this source tells nothing";
                    cx.warn(source.spot, message);
                }
            }
            list.into_iter().filter_map(|source| source.value).collect()
        }
        _ => vec![HostnameSource::Dns, HostnameSource::Os],
    };
    let attributes = keys.section("resource_attributes", |keys| {
        let mut told = Vec::new();
        for (name, attribute, by_default) in SystemAttribute::ALL {
            if is_enabled(keys, name, by_default) {
                told.push((name, attribute));
            }
        }
        keys.ignored(&[
            "host.cpu.cache.l2.size",
            "host.cpu.family",
            "host.cpu.model.id",
            "host.cpu.model.name",
            "host.cpu.stepping",
            "host.cpu.vendor.id",
            "host.interface",
            "host.ip",
            "host.mac",
            "os.build.id",
            "os.description",
        ]);
        told
    });
    Detector::System {
        attributes,
        sources,
    }
}

fn is_enabled(keys: &mut KeyReader<'_>, name: &'static str, by_default: bool) -> bool {
    keys.section(name, |keys| {
        keys.or("enabled", by_default, "it is told").value
    })
}

fn node(keys: &mut KeyReader<'_>) -> NodeKeys {
    let access = access::read(keys);
    let variable = keys.or(
        "node_from_env_var",
        "K8S_NODE_NAME".to_owned(),
        "the variable of the environment that has the Node's name",
    );
    let tells = keys.section("resource_attributes", |keys| {
        ["k8s.node.name", "k8s.node.uid", "k8s.cluster.uid"]
            .map(|name| is_enabled(keys, name, true))
    });
    let [tells_name, tells_uid, tells_cluster] = tells;
    NodeKeys {
        variable: match variable.value.trim() {
            "" => "K8S_NODE_NAME".to_owned(),
            name => name.to_owned(),
        },
        detector: NodeDetector {
            access,
            name: String::new(),
            tells_name,
            tells_uid,
            tells_cluster,
        },
    }
}

/// The detector of the Node whose name the environment has.
fn named(node: &NodeKeys, keys: &KeyReader<'_>, spot: Option<Spot>) -> Option<Detector> {
    let cx = keys.reading();
    let name = cx.variable(&node.variable).filter(|name| !name.is_empty());
    let is_name = |name: &String| {
        let tame = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        name.chars().all(tame)
    };
    match name.filter(is_name) {
        Some(name) => Some(Detector::Node(NodeDetector {
            name,
            ..node.detector.clone()
        })),
        None => {
            if keys.is_used() {
                let variable = &node.variable;
                let message = format!(
                    "{variable} is not set to the name of a node, so this detector tells nothing: \
                     set it from spec.nodeName by a fieldRef"
                );
                cx.warn(spot, &message);
            }
            None
        }
    }
}
