//! The few forms of `kubectl` that `wayspan doctor` proposes, so that a fix can be applied
//! as it was printed, on machines that have no kubectl.

use crate::kubernetes::Cluster;
use serde_json::{Value, json};

/// Runs a fix. A form that is not known here fails the test.
pub fn run(cluster: &Cluster, fix: &str) {
    let mut rest = fix.trim();
    while !rest.is_empty() {
        if let Some(body) = rest.strip_prefix("kubectl apply -f - <<'EOF'\n") {
            let (yaml, after) = body.split_once("\nEOF").expect("the here-document ends");
            let object: Value = serde_saphyr::from_str(yaml).unwrap();
            cluster.apply(&object);
            rest = after.trim();
            continue;
        }
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        for command in line.split(" && ") {
            one(cluster, command);
        }
        rest = after.trim();
    }
}

fn one(cluster: &Cluster, command: &str) {
    let words = words(command);
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(words.remove(0), "kubectl", "{command}");
    let mut namespace = None;
    if words[0] == "-n" {
        namespace = Some(words[1]);
        words.drain(..2);
    }
    words.retain(|word| *word != "--overwrite");
    let option = |name: &str| {
        let mut all = words.iter();
        all.find_map(|word| word.strip_prefix(&format!("--{name}=")))
    };
    match words[..] {
        ["patch", resource, name, "--type=json", "-p", change] => {
            let path = format!("{}/{name}", collection(resource, namespace));
            cluster.json_patch(&path, &serde_json::from_str(change).unwrap());
        }
        ["patch", resource, name, "--type=merge", "-p", change] => {
            let path = format!("{}/{name}", collection(resource, namespace));
            cluster.patch(&path, &serde_json::from_str(change).unwrap());
        }
        ["label", resource, ref names @ ..] => {
            let (labels, names): (Vec<&&str>, Vec<&&str>) =
                names.iter().partition(|word| word.contains('='));
            for name in names {
                let pairs = labels.iter().map(|label| label.split_once('=').unwrap());
                let pairs: serde_json::Map<String, Value> = pairs
                    .map(|(key, value)| (key.to_owned(), value.into()))
                    .collect();
                let path = format!("{}/{name}", collection(resource, namespace));
                cluster.patch(&path, &json!({"metadata": {"labels": pairs}}));
            }
        }
        ["create", kind @ ("role" | "clusterrole"), name, ..] => {
            let (plural, group) = option("resource")
                .unwrap()
                .split_once('.')
                .unwrap_or((option("resource").unwrap(), ""));
            let verbs: Vec<&str> = option("verb").unwrap().split(',').collect();
            let rules = json!([{"apiGroups": [group], "resources": [plural], "verbs": verbs}]);
            cluster.apply(&rbac(kind, name, namespace, json!({"rules": rules})));
        }
        [
            "create",
            kind @ ("rolebinding" | "clusterrolebinding"),
            name,
            ..,
        ] => {
            let (of, kind_of) = match option("role") {
                Some(role) => (role, "Role"),
                None => (option("clusterrole").unwrap(), "ClusterRole"),
            };
            let (space, account) = option("serviceaccount").unwrap().split_once(':').unwrap();
            let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": space});
            let role =
                json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind_of, "name": of});
            cluster.apply(&rbac(
                kind,
                name,
                namespace,
                json!({"roleRef": role, "subjects": [subject]}),
            ));
        }
        _ => panic!("no fix that can be applied: {command}"),
    }
}

fn rbac(kind: &str, name: &str, namespace: Option<&str>, rest: Value) -> Value {
    let kind = match kind {
        "role" => "Role",
        "clusterrole" => "ClusterRole",
        "rolebinding" => "RoleBinding",
        _ => "ClusterRoleBinding",
    };
    let mut object = rest;
    object["apiVersion"] = "rbac.authorization.k8s.io/v1".into();
    object["kind"] = kind.into();
    object["metadata"] = json!({"name": name});
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn collection(resource: &str, namespace: Option<&str>) -> String {
    let (api, plural) = match resource {
        "namespace" => return "/api/v1/namespaces".to_owned(),
        "service" => ("/api/v1", "services"),
        "gateway" => ("/apis/gateway.networking.k8s.io/v1", "gateways"),
        "telemetries.telemetry.istio.io" => ("/apis/telemetry.istio.io/v1", "telemetries"),
        "kialis.kiali.io" => ("/apis/kiali.io/v1alpha1", "kialis"),
        other => panic!("no such resource here: {other}"),
    };
    format!(
        "{api}/namespaces/{}/{plural}",
        namespace.unwrap_or("default")
    )
}

/// Splits at spaces, but for what stands in single quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in command.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}
