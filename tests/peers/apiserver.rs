//! A real Kubernetes API server with its etcd: no nodes, but objects, watches
//! and RBAC as in a cluster.

use crate::{
    installed::peer,
    proc::{Proc, free_port},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Who may do everything.
const ADMIN: &str = "admin-token";

pub struct ApiServer {
    dir: PathBuf,
    etcd: u16,
    port: u16,
    server: Option<Proc>,
    _etcd: Proc,
}

impl ApiServer {
    /// Starts both. `accounts`: service accounts, as `namespace:name`, that
    /// [`ApiServer::kubeconfig`] can speak for.
    pub async fn start(dir: &Path, accounts: &[&str]) -> Self {
        let [etcd, raft, port] = std::array::from_fn(|_| free_port());
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(dir.join("sa.key"), key.serialize_pem()).unwrap();
        std::fs::write(dir.join("sa.pub"), key.public_key_pem()).unwrap();
        let mut tokens = format!("{ADMIN},admin,0,\"system:masters\"\n");
        for (n, account) in accounts.iter().enumerate() {
            let line = format!(
                "{},system:serviceaccount:{account},{},\"system:serviceaccounts\"\n",
                token(account),
                n + 1
            );
            tokens.push_str(&line);
        }
        std::fs::write(dir.join("tokens.csv"), tokens).unwrap();
        let mut command = Command::new(peer("bin/etcd"));
        command.arg("--data-dir").arg(dir.join("etcd"));
        for (flag, port) in [
            ("listen-client-urls", etcd),
            ("advertise-client-urls", etcd),
            ("listen-peer-urls", raft),
            ("initial-advertise-peer-urls", raft),
        ] {
            command.arg(format!("--{flag}=http://127.0.0.1:{port}"));
        }
        command.arg(format!("--initial-cluster=default=http://127.0.0.1:{raft}"));
        let mut server = Self {
            dir: dir.to_owned(),
            etcd,
            port,
            server: None,
            _etcd: Proc::start(dir, "etcd", &mut command),
        };
        server.up().await;
        server
    }

    /// Starts the API server, on the same port each time, and waits for it.
    pub async fn up(&mut self) {
        let file = |name: &str| self.dir.join(name).display().to_string();
        let mut command = Command::new(peer("bin/kube-apiserver"));
        for (flag, value) in [
            ("etcd-servers", format!("http://127.0.0.1:{}", self.etcd)),
            ("secure-port", self.port.to_string()),
            ("bind-address", "127.0.0.1".to_owned()),
            ("advertise-address", "127.0.0.1".to_owned()),
            ("service-cluster-ip-range", "10.96.0.0/16".to_owned()),
            (
                "service-account-issuer",
                "https://kubernetes.default.svc".to_owned(),
            ),
            ("service-account-key-file", file("sa.pub")),
            ("service-account-signing-key-file", file("sa.key")),
            ("token-auth-file", file("tokens.csv")),
            ("authorization-mode", "RBAC".to_owned()),
            ("cert-dir", file("certificates")),
            ("disable-admission-plugins", "ServiceAccount".to_owned()),
            ("endpoint-reconciler-type", "none".to_owned()),
        ] {
            command.arg(format!("--{flag}={value}"));
        }
        let mut process = Proc::start(&self.dir, "kube-apiserver", &mut command);
        let client = self.client().await;
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            process.wait_ready(|| {
                let request = http::Request::get("/readyz").body(Vec::new()).unwrap();
                runtime.block_on(client.request_text(request)).is_ok()
            });
        });
        self.server = Some(process);
    }

    /// Takes it away from under its clients.
    pub fn down(&mut self) {
        self.server = None;
    }

    /// A kubeconfig for one of the accounts.
    pub fn kubeconfig(&self, account: &str) -> PathBuf {
        let file = self.dir.join(format!("{}.kubeconfig", token(account)));
        std::fs::write(&file, self.config(&token(account)).to_string()).unwrap();
        file
    }

    fn config(&self, token: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port),
                "insecure-skip-tls-verify": true}}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        })
    }

    /// A client that may do everything.
    pub async fn client(&self) -> Client {
        let file: Kubeconfig = serde_json::from_value(self.config(ADMIN)).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(file, &options).await;
        Client::try_from(config.unwrap()).unwrap()
    }

    pub async fn namespace(&self, name: &str) {
        let object = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        let api: Api<Namespace> = Api::all(self.client().await);
        api.create(&PostParams::default(), &object).await.unwrap();
    }

    /// Access to the objects of `resource`, in `namespace` if it has any.
    pub async fn api(&self, resource: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        let client = self.client().await;
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, resource),
            None => Api::all_with(client, resource),
        }
    }

    /// Creates an object, or gives it another content.
    pub async fn apply(&self, object: &Value) {
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let api = self
            .api(&resource_of(&object), object.metadata.namespace.as_deref())
            .await;
        let name = object.metadata.name.clone().unwrap();
        let Some(now) = api.get_opt(&name).await.unwrap() else {
            api.create(&PostParams::default(), &object).await.unwrap();
            return;
        };
        let mut object = object;
        object.metadata.resource_version = now.metadata.resource_version;
        let replaced = api.replace(&name, &PostParams::default(), &object).await;
        replaced.unwrap();
    }

    /// Applies each document of a manifest under `deploy/`.
    pub async fn apply_shipped(&self, manifest: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("deploy")
            .join(manifest);
        let text = std::fs::read_to_string(file).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert!(!documents.is_empty());
        for document in documents {
            self.apply(&document).await;
        }
    }
}

fn token(account: &str) -> String {
    format!("token-of-{}", account.replace(':', "-"))
}

/// The resource of an object, as its kind tells for the kinds that tests use.
fn resource_of(object: &DynamicObject) -> ApiResource {
    let types = object.types.as_ref().unwrap();
    let (group, version) = types
        .api_version
        .split_once('/')
        .unwrap_or(("", &types.api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: types.api_version.clone(),
        kind: types.kind.clone(),
        plural: format!("{}s", types.kind.to_lowercase()),
    }
}
