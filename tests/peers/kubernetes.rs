//! A real Kubernetes API server with its etcd, and objects put into it.
//!
//! Idea: no nodes and no controllers; what a test needs of a Pod it writes
//! itself, status included. Two users: an administrator, and the service account
//! `istio-system/wayspan`, which has exactly the rights a test gives it.

use crate::installed::peer;
use http::{Method, Request};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{Process, Setup, free_port, wait_for};
use tokio::runtime::Runtime;

pub struct Cluster {
    dir: PathBuf,
    etcd_port: u16,
    port: u16,
    runtime: Runtime,
    client: Client,
    api_server: Option<Process>,
    _etcd: Process,
}

impl Cluster {
    pub fn start(dir: &Path) -> Self {
        let [etcd_port, peer_port, port] = std::array::from_fn(|_| free_port());
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let etcd = Process::start(
            dir,
            "etcd",
            Command::new(peer("bin/etcd"))
                .arg("--data-dir")
                .arg(dir.join("etcd"))
                .args(["--listen-client-urls", &at(etcd_port)])
                .args(["--advertise-client-urls", &at(etcd_port)])
                .args(["--listen-peer-urls", &at(peer_port)])
                .args(["--initial-advertise-peer-urls", &at(peer_port)])
                .args(["--initial-cluster", &format!("default={}", at(peer_port))]),
        );
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(dir.join("sa.key"), key.serialize_pem()).unwrap();
        std::fs::write(dir.join("sa.pub"), key.public_key_pem()).unwrap();
        let tokens = "admin-token,admin,1,\"system:masters\"\n\
                      wayspan-token,system:serviceaccount:istio-system:wayspan,2\n";
        std::fs::write(dir.join("tokens.csv"), tokens).unwrap();
        std::fs::create_dir(dir.join("certs")).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let api_server = start_api_server(dir, etcd_port, port);
        let mut cluster = Self {
            dir: dir.to_owned(),
            etcd_port,
            port,
            client: client(dir, port, &runtime),
            runtime,
            api_server: Some(api_server),
            _etcd: etcd,
        };
        cluster.wait_ready();
        cluster
    }

    fn wait_ready(&mut self) {
        let (runtime, client) = (&self.runtime, &self.client);
        let ready = || Request::get("/readyz").body(Vec::new()).unwrap();
        let server = self.api_server.as_mut().unwrap();
        server.wait_ready(|| runtime.block_on(client.request_text(ready())).is_ok());
    }

    /// The API server ends; what it held stays in etcd.
    pub fn stop_api_server(&mut self) {
        self.api_server = None;
    }

    pub fn start_api_server(&mut self) {
        self.api_server = Some(start_api_server(&self.dir, self.etcd_port, self.port));
        self.wait_ready();
    }

    /// A kubeconfig for the service account `istio-system/wayspan`.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_of("wayspan")
    }

    /// A kubeconfig for the administrator, who may do everything.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.kubeconfig_of("admin")
    }

    fn kubeconfig_of(&self, user: &str) -> PathBuf {
        let file = self.dir.join(format!("{user}.kubeconfig"));
        let text = kubeconfig(&self.dir, self.port, &format!("{user}-token")).to_string();
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Runs a binary as in a Pod of the service account `istio-system/wayspan`: with
    /// its files where kubelets put them, in a mount namespace of its own, and with
    /// the variables that all containers have. Needs root. `services` are names that
    /// lead to this machine there.
    pub fn as_pod(&self, setup: Setup, services: &[&str]) -> Setup {
        let account = self.dir.join("account");
        std::fs::create_dir_all(&account).unwrap();
        std::fs::copy(self.dir.join("certs/apiserver.crt"), account.join("ca.crt")).unwrap();
        std::fs::write(account.join("token"), "wayspan-token").unwrap();
        std::fs::write(account.join("namespace"), "istio-system").unwrap();
        let hosts = self.dir.join("hosts");
        let known = std::fs::read_to_string("/etc/hosts").unwrap();
        std::fs::write(
            &hosts,
            format!("{known}\n127.0.0.1 localhost {}\n", services.join(" ")),
        )
        .unwrap();
        let script = format!(
            "at=/var/run/secrets/kubernetes.io/serviceaccount; \
             mount -t tmpfs tmpfs $(readlink -f /var/run) && mkdir -p $at && cp {}/* $at && \
             mount --bind {} /etc/hosts && exec \"$@\"",
            account.display(),
            hosts.display()
        );
        let prelude = format!("exec unshare --mount sh -c '{script}' sh \"$@\"");
        let setup = setup.after(&prelude);
        let setup = setup.env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
        setup.env("KUBERNETES_SERVICE_PORT", self.port)
    }

    /// The configuration in `deploy/wayspan.yaml`, in a file.
    pub fn deployed_config(&self) -> PathBuf {
        let is_map = |document: &&Value| document["kind"] == "ConfigMap";
        let documents = manifest("wayspan.yaml");
        let map = documents.iter().find(is_map).unwrap();
        let file = self.dir.join("config.yaml");
        std::fs::write(&file, map["data"]["config.yaml"].as_str().unwrap()).unwrap();
        file
    }

    /// Waits until objects of a kind that was just defined can be listed.
    fn wait_served(&self, path: &str) {
        wait_for(path, || {
            let request = Request::get(path).body(Vec::new()).unwrap();
            let answer = self.runtime.block_on(self.client.request_text(request));
            answer.ok().map(|_| ())
        });
    }

    fn ask(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Value {
        let answer = self.try_ask(&method, path, content_type, body);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn try_ask(
        &self,
        method: &Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Value, kube::Error> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(body)
            .unwrap();
        self.runtime.block_on(self.client.request(request))
    }

    /// An object, if it is there.
    pub fn find(&self, path: &str) -> Option<Value> {
        self.try_ask(&Method::GET, path, "application/json", Vec::new())
            .ok()
    }

    /// Creates an object, and returns it as it is then.
    pub fn create(&self, path: &str, object: &Value) -> Value {
        let body = object.to_string().into_bytes();
        self.ask(Method::POST, path, "application/json", body)
    }

    /// Creates an object, or gives it another content.
    pub fn apply(&self, object: &Value) {
        let path = format!("{}?fieldManager=test&force=true", path(object));
        let body = object.to_string().into_bytes();
        self.ask(Method::PATCH, &path, "application/apply-patch+yaml", body);
    }

    /// What the server says to an object, without keeping it. A field that it does not
    /// know is an error.
    pub fn dry_run(&self, object: &Value) -> Result<Value, kube::Error> {
        let more = "fieldManager=test&force=true&dryRun=All&fieldValidation=Strict";
        let path = format!("{}?{more}", path(object));
        let body = object.to_string().into_bytes();
        self.try_ask(&Method::PATCH, &path, "application/apply-patch+yaml", body)
    }

    /// Defines a kind of namespaced objects with whatever content.
    pub fn define(&self, group: &str, version: &str, kind: &str) {
        let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let singular = kind.to_lowercase();
        let plural = plural(kind);
        let names = json!({
            "kind": kind, "listKind": format!("{kind}List"),
            "plural": plural, "singular": singular,
        });
        // The API server keeps groups under k8s.io for those that were reviewed.
        let approved = json!({"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/1"});
        self.apply(&json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}"), "annotations": approved},
            "spec": {"group": group, "scope": "Namespaced", "names": names,
                "versions": [{"name": version, "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": any}}]},
        }));
        self.wait_served(&format!("/apis/{group}/{version}/{plural}"));
    }

    /// Merges `change` into an object.
    pub fn patch(&self, path: &str, change: &Value) {
        let body = change.to_string().into_bytes();
        self.ask(Method::PATCH, path, "application/merge-patch+json", body);
    }

    /// Applies a JSON patch.
    pub fn json_patch(&self, path: &str, change: &Value) {
        let body = change.to_string().into_bytes();
        self.ask(Method::PATCH, path, "application/json-patch+json", body);
    }

    pub fn delete(&self, path: &str) {
        let at_once = json!({"gracePeriodSeconds": 0}).to_string().into_bytes();
        self.ask(Method::DELETE, path, "application/json", at_once);
    }

    pub fn namespace(&self, name: &str) {
        self.create("/api/v1/namespaces", &json!({"metadata": {"name": name}}));
    }

    pub fn service(&self, namespace: &str, name: &str, selector: Value) {
        let spec = json!({"clusterIP": "None", "selector": selector});
        let object = json!({"metadata": {"name": name}, "spec": spec});
        self.create(&format!("/api/v1/namespaces/{namespace}/services"), &object);
    }

    /// A running Pod of a Deployment.
    pub fn pod(&self, namespace: &str, workload: &str, ip: &str, labels: Value) -> String {
        let own = format!("794db9df8f-{}", ip.replace('.', "x"));
        self.pod_named(namespace, (workload, &own), ip, labels)
    }

    /// The same with what Kubernetes adds to the workload's name: a hash and the Pod's own.
    pub fn pod_named(
        &self,
        namespace: &str,
        (workload, own): (&str, &str),
        ip: &str,
        labels: Value,
    ) -> String {
        let (hash, _) = own.split_once('-').unwrap();
        let name = format!("{workload}-{own}");
        let mut labels = labels;
        labels["pod-template-hash"] = hash.into();
        let pods = format!("/api/v1/namespaces/{namespace}/pods");
        let owner = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{workload}-{hash}"),
            "uid": "8d1c6a5e-0000-4000-8000-000000000000", "controller": true,
        });
        let object = json!({
            "metadata": {
                "name": name, "generateName": format!("{workload}-{hash}-"),
                "labels": labels, "ownerReferences": [owner],
            },
            "spec": {"containers": [{"name": "app", "image": "app"}]},
        });
        self.create(&pods, &object);
        let status = json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]});
        self.patch(&format!("{pods}/{name}/status"), &json!({"status": status}));
        name
    }

    /// Gives the service account the rights that `deploy/wayspan.yaml` gives. The
    /// namespace `istio-system` must be there.
    pub fn permit(&self) {
        let all = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
        assert_eq!(self.permit_only(&all), all.len());
    }

    /// Those of the rights that objects of these kinds give; how many were given.
    pub fn permit_only(&self, kinds: &[&str]) -> usize {
        let documents = manifest("wayspan.yaml");
        let rbac = documents.iter().filter(|document| {
            let is_rbac = document["apiVersion"] == RBAC;
            is_rbac && kinds.contains(&document["kind"].as_str().unwrap())
        });
        rbac.map(|document| self.apply(document)).count()
    }

    /// Gives the service account the further rights in a file of `deploy/`.
    pub fn permit_file(&self, name: &str) {
        for document in manifest(name) {
            self.apply(&document);
        }
    }

    /// Permits the service account to read one object.
    pub fn permit_object(&self, namespace: &str, group: &str, plural: &str, name: &str) {
        let named = format!("wayspan-{plural}-{name}");
        let metadata = json!({"name": named, "namespace": namespace});
        let rule = json!({
            "apiGroups": [group], "resources": [plural], "resourceNames": [name],
            "verbs": ["list", "watch"],
        });
        let account = json!({
            "kind": "ServiceAccount", "name": "wayspan", "namespace": "istio-system",
        });
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": named});
        self.apply(&json!({
            "apiVersion": RBAC, "kind": "Role", "metadata": metadata, "rules": [rule],
        }));
        self.apply(&json!({
            "apiVersion": RBAC, "kind": "RoleBinding", "metadata": metadata,
            "roleRef": role, "subjects": [account],
        }));
    }
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// The documents of a file in `deploy/`.
pub fn manifest(name: &str) -> Vec<Value> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

/// Where an object is, as its kind tells for the kinds that tests use.
pub fn path(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let version = text(&object["apiVersion"]);
    let group = if version.contains('/') { "apis" } else { "api" };
    let namespace = match &object["metadata"]["namespace"] {
        Value::Null => String::new(),
        namespace => format!("/namespaces/{}", text(namespace)),
    };
    let plural = plural(&text(&object["kind"]));
    let name = text(&object["metadata"]["name"]);
    format!("/{group}/{version}{namespace}/{plural}/{name}")
}

/// What a kind's objects are called in paths.
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{kind}s"),
    }
}

fn start_api_server(dir: &Path, etcd_port: u16, port: u16) -> Process {
    Process::start(
        dir,
        "kube-apiserver",
        Command::new(peer("bin/kube-apiserver"))
            .args(["--etcd-servers", &format!("http://127.0.0.1:{etcd_port}")])
            .args(["--secure-port", &port.to_string()])
            .args(["--bind-address", "127.0.0.1"])
            .args(["--advertise-address", "127.0.0.1"])
            .args(["--service-cluster-ip-range", "10.96.0.0/16"])
            .args(["--service-account-issuer", "https://kubernetes.default.svc"])
            .arg("--service-account-key-file")
            .arg(dir.join("sa.pub"))
            .arg("--service-account-signing-key-file")
            .arg(dir.join("sa.key"))
            .arg("--token-auth-file")
            .arg(dir.join("tokens.csv"))
            .arg("--cert-dir")
            .arg(dir.join("certs"))
            .args(["--authorization-mode", "RBAC"])
            // Pods need no service account here, and no node runs them.
            .args(["--disable-admission-plugins", "ServiceAccount"]),
    )
}

/// JSON is YAML.
fn kubeconfig(dir: &Path, port: u16, token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": dir.join("certs/apiserver.crt"),
        }}],
        "users": [{"name": "it", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    })
}

/// The administrator's client. The server writes its certificate when it starts.
fn client(dir: &Path, port: u16, runtime: &Runtime) -> Client {
    let certificate = dir.join("certs/apiserver.crt");
    wait_for("the API server's certificate", || {
        std::fs::read_to_string(&certificate)
            .is_ok_and(|text| text.trim_end().ends_with("-----END CERTIFICATE-----"))
            .then_some(())
    });
    let text = kubeconfig(dir, port, "admin-token").to_string();
    let config = Kubeconfig::from_yaml(&text).unwrap();
    let options = KubeConfigOptions::default();
    runtime.block_on(async {
        let config = kube::Config::from_custom_kubeconfig(config, &options).await;
        Client::try_from(config.unwrap()).unwrap()
    })
}
