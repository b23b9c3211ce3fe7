//! The client to the Kubernetes API server.

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{path::Path, time::Duration};

/// Longest wait for a connection, so that an error names its cause soon.
const CONNECT: Duration = Duration::from_secs(5);

/// A client with `kubeconfig`, else with `$KUBECONFIG` or `~/.kube/config`,
/// else with the service account of this pod.
///
/// # Errors
///
/// Says what is missing and what to do.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client, String> {
    let mut config = match kubeconfig {
        Some(path) => {
            let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let file = Kubeconfig::read_from(path).map_err(|error| named(&error))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(|error| named(&error))?
        }
        None => Config::infer().await.map_err(|error| {
            format!(
                "no way to the Kubernetes API: this is neither a pod with a service account's \
                 token (automountServiceAccountToken) nor is there a kubeconfig ({error})"
            )
        })?,
    };
    config.connect_timeout = Some(CONNECT);
    Client::try_from(config).map_err(|error| format!("no client to the Kubernetes API: {error}"))
}
