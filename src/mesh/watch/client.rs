//! How the API server is reached: as the pod that this is, or by a kubeconfig.

use crate::mesh::KubernetesSettings;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{env, path::Path, time::Duration};

/// Where a pod finds the token of its service account.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// Set in every pod.
const HOST: &str = "KUBERNETES_SERVICE_HOST";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no client can be made, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("no way to the Kubernetes API: {why} ({remedy})")]
pub(crate) struct ClientError {
    /// What happened.
    pub(crate) why: String,
    remedy: String,
}

/// Returns true if this process runs in a pod with a service account.
pub(crate) fn in_cluster() -> bool {
    env::var_os(HOST).is_some_and(|host| !host.is_empty()) && Path::new(TOKEN).exists()
}

/// Finds the API server and who we are to it. Nothing is asked of it yet.
pub(crate) async fn config(settings: &KubernetesSettings) -> Result<Config, ClientError> {
    let mut config = match &settings.kubeconfig {
        Some(path) => {
            let failed = |error: kube::config::KubeconfigError| ClientError {
                why: error.to_string(),
                remedy: format!(
                    "kubernetes.kubeconfig is {}: make it a readable kubeconfig with a \
                     current-context",
                    path.display()
                ),
            };
            let file = Kubeconfig::read_from(path).map_err(failed)?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(failed)?
        }
        None if in_cluster() => Config::incluster().map_err(|error| ClientError {
            why: error.to_string(),
            remedy: "mount the service account: automountServiceAccountToken must not be false \
                     in the pod or its ServiceAccount"
                .to_owned(),
        })?,
        None => Config::infer().await.map_err(|error| ClientError {
            why: format!("this is not a pod with a service account, and {error}"),
            remedy: "outside of a cluster set kubernetes.kubeconfig to a file; inside, mount the \
                     service account"
                .to_owned(),
        })?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    Ok(config)
}

/// Creates a client on the runtime at hand.
pub(crate) fn client(config: Config) -> Result<Client, ClientError> {
    Client::try_from(config).map_err(|error| ClientError {
        why: error.to_string(),
        remedy: "check the certificates and the credentials of the service account or kubeconfig"
            .to_owned(),
    })
}
