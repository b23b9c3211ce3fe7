/*! The keys of `mesh.kubernetes`. */

use crate::{
    config::{Field, KeyReader, Word},
    mesh::{KubernetesMode, KubernetesSettings, MeshSettings},
};

impl Word for KubernetesMode {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("on", Self::On),
        ("true", Self::On),
        ("false", Self::Off),
        ("off", Self::Off),
    ];
}

struct Written {
    mode: Field<KubernetesMode>,
    namespaces: Field<Vec<Field<String>>>,
    kubeconfig: Field<String>,
    peer_address: Field<bool>,
}

/// Reads the settings, and whether addresses of peers count.
pub(super) fn read(keys: &mut KeyReader<'_>) -> (KubernetesSettings, bool) {
    const EFFECT: &str = "watch Pods, Services and Namespaces for their labels: `on`, `off`, or `auto`, which is on in a pod that has a service account, and wherever `kubernetes.kubeconfig` is set";
    let (word, written) =
        keys.word_or_section("kubernetes", (KubernetesMode::Auto, EFFECT), |keys| Written {
            mode: keys.get(
                "mode",
                "`auto`",
                "the same; with `on`, being unable to is an error at start; with `off`, the other keys are errors",
            ),
            namespaces: keys.get(
                "namespaces",
                "all",
                "look only into these; then rights in these suffice, and a Pod or app whose namespace is not told is not known",
            ),
            kubeconfig: keys.get(
                "kubeconfig",
                "the pod's service account, else `$KUBECONFIG`",
                "how to reach the API server from outside the cluster",
            ),
            peer_address: keys.get(
                "peer_address",
                "`true`",
                "an application that does not say which Pod it is is known by the address it sends from; see `docs/naming.md`",
            ),
        });
    let mode = word.or(written.mode.value).unwrap_or_default();
    if mode == KubernetesMode::Off {
        written.refuse_idle(keys);
    }
    let settings = KubernetesSettings {
        mode,
        namespaces: written.namespaces(keys),
        kubeconfig: written.kubeconfig.given().map(Into::into),
    };
    let default = MeshSettings::default().peer_address;
    (settings, written.peer_address.value.unwrap_or(default))
}

impl Written {
    /// Reports the keys that have no effect while nothing is watched. Empty ones,
    /// as templates write them, ask for nothing.
    fn refuse_idle(&self, keys: &KeyReader<'_>) {
        let namespaces = self.namespaces.value.as_ref();
        let idle = [
            (self.namespaces.spot).filter(|_| namespaces.is_some_and(|list| !list.is_empty())),
            self.kubeconfig
                .spot
                .filter(|_| self.kubeconfig.given().is_some()),
            self.peer_address.value.and(self.peer_address.spot),
        ];
        let message = "has no effect: kubernetes.mode is off";
        let help = "remove it, or set mode to auto or on";
        for spot in idle {
            keys.reading().error_at_key(spot, message, help);
        }
    }

    fn namespaces(&self, keys: &KeyReader<'_>) -> Vec<String> {
        let mut namespaces = Vec::new();
        for field in self.namespaces.value.iter().flatten() {
            let name = field.value.clone().unwrap_or_default();
            let label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if name.is_empty() || name.len() > 63 || !name.bytes().all(label) {
                let message = format!("\"{name}\" cannot be the name of a namespace");
                keys.reading().error(field.spot, &message);
            } else if !namespaces.contains(&name) {
                namespaces.push(name);
            }
        }
        // In another order it is the same watcher.
        namespaces.sort();
        namespaces
    }
}
