//! How the API server is reached: as the pod that this is, or by a kubeconfig.

use crate::mesh::KubernetesSettings;
use kube::{
    Client, Config,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

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

/// The way to the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    /// As the pod that this is; outside of one, by the user's kubeconfig.
    #[default]
    Pod,
    /// As the pod that this is, without saying who it is.
    Anonymous,
    /// By this kubeconfig.
    File(PathBuf),
    /// By the user's kubeconfig, in this context or in the one that it says.
    User {
        /// The context.
        context: Option<String>,
    },
}

impl Access {
    /// Returns the way that a processor's settings say.
    pub(crate) fn of(settings: &KubernetesSettings) -> Self {
        match &settings.kubeconfig {
            Some(path) => Self::File(path.clone()),
            None => Self::Pod,
        }
    }
}

/// As [`reach`], by the way that settings say.
pub(crate) async fn config(settings: &KubernetesSettings) -> Result<Config, ClientError> {
    reach(&Access::of(settings)).await
}

/// Finds the API server and who we are to it. Nothing is asked of it yet.
pub(crate) async fn reach(access: &Access) -> Result<Config, ClientError> {
    let mut config = match access {
        Access::File(path) => {
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
        Access::User { context } => {
            let options = KubeConfigOptions {
                context: context.clone(),
                ..KubeConfigOptions::default()
            };
            let failed = |error: kube::config::KubeconfigError| ClientError {
                why: error.to_string(),
                remedy: "auth_type is kubeConfig: $KUBECONFIG or ~/.kube/config must be a \
                         readable kubeconfig"
                    .to_owned(),
            };
            Config::from_kubeconfig(&options).await.map_err(failed)?
        }
        Access::Anonymous => {
            let mut config = Config::incluster().map_err(no_account)?;
            config.auth_info = AuthInfo::default();
            config
        }
        Access::Pod if in_cluster() => Config::incluster().map_err(no_account)?,
        Access::Pod => Config::infer().await.map_err(|error| ClientError {
            why: format!("this is not a pod with a service account, and {error}"),
            remedy: "outside of a cluster set kubernetes.kubeconfig to a file; inside, mount the \
                     service account"
                .to_owned(),
        })?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    Ok(config)
}

fn no_account(error: kube::config::InClusterError) -> ClientError {
    ClientError {
        why: error.to_string(),
        remedy: "mount the service account: automountServiceAccountToken must not be false in \
                 the pod or its ServiceAccount"
            .to_owned(),
    }
}

/// Creates a client on the runtime at hand.
pub(crate) fn client(config: Config) -> Result<Client, ClientError> {
    Client::try_from(config).map_err(|error| ClientError {
        why: error.to_string(),
        remedy: "check the certificates and the credentials of the service account or kubeconfig"
            .to_owned(),
    })
}
