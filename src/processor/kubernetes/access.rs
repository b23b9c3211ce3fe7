/*! The keys that say how the API server is reached. */

use crate::{
    config::{Field, KeyReader, Word},
    mesh::watch::Access,
};

/// `auth_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AuthType {
    ServiceAccount,
    KubeConfig,
    None,
}

impl Word for AuthType {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("serviceAccount", Self::ServiceAccount),
        ("kubeConfig", Self::KubeConfig),
        ("none", Self::None),
    ];
}

/// Reads `auth_type` and what goes with it.
pub(crate) fn read(keys: &mut KeyReader<'_>) -> Access {
    let auth = keys.or(
        "auth_type",
        AuthType::ServiceAccount,
        "how wayspan signs in to the API server: as its Pod (outside of one, by the user's kubeconfig), by the user's kubeconfig, or not at all",
    );
    let context: Field<String> = keys.get(
        "context",
        "the kubeconfig's own",
        "with `kubeConfig`: the context",
    );
    keys.ignored(&["kube_api_qps", "kube_api_burst"]);
    match auth.value {
        AuthType::ServiceAccount => Access::Pod,
        AuthType::None => Access::Anonymous,
        AuthType::KubeConfig => Access::User {
            context: context.trimmed().map(str::to_owned),
        },
    }
}
