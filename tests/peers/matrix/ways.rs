//! The ways from the Envoys to Jaeger, and the one wayspan that is most of them.

use super::recording::Replay;
use crate::collector;
use crate::kiali::Kiali;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use testkit::{Setup, Wayspan, free_port};

/// Whether the `mesh` processor can make marker spans.
pub const ALIASES: bool = true;

/// A way from the Envoys to Jaeger.
pub struct Way {
    /// The Kiali it is made for; none: straight.
    pub kiali: Option<Kiali>,
    pub aliases: bool,
    pub cluster: String,
    pub port: u16,
    /// The Kubernetes that is watched.
    kubeconfig: Option<PathBuf>,
}

pub struct Ways {
    pub all: Vec<Way>,
    jaeger: u16,
}

impl Ways {
    /// Straight to Jaeger's OTLP port, and through wayspan for each Kiali.
    pub fn new(kialis: impl IntoIterator<Item = Kiali>, jaeger: u16) -> Self {
        let mut all = vec![Way {
            kiali: None,
            aliases: false,
            cluster: "straight".to_owned(),
            port: jaeger,
            kubeconfig: None,
        }];
        for kiali in kialis {
            for aliases in [false, true] {
                if aliases && !ALIASES {
                    continue;
                }
                all.push(Way {
                    kiali: Some(kiali),
                    aliases,
                    cluster: format!("cluster-{}", all.len()),
                    port: free_port(),
                    kubeconfig: None,
                });
            }
        }
        Self { all, jaeger }
    }

    /// The same where Kubernetes is watched, with no word about aliases.
    pub fn watching(
        kialis: impl IntoIterator<Item = Kiali>,
        jaeger: u16,
        kubeconfig: &Path,
    ) -> Self {
        let mut ways = Self::new(kialis, jaeger);
        ways.all.retain(|way| !way.aliases);
        for way in ways.all.iter_mut().filter(|way| way.kiali.is_some()) {
            way.kubeconfig = Some(kubeconfig.to_owned());
        }
        ways
    }

    /// The replay of a form's recording on a way, both by their places in a list.
    pub fn replay(&self, form: usize, way: usize) -> Replay<'_> {
        Replay {
            cluster: &self.all[way].cluster,
            hours_ago: form as u64,
            number: (form * self.all.len() + way) as u32,
        }
    }

    /// One wayspan for all ways that are not straight.
    pub fn start(&self) -> Wayspan {
        Wayspan::start(Setup::usual().layer(self.config().to_string()))
    }

    /// A pipeline for each of them.
    fn config(&self) -> Value {
        let at = |port: u16| json!({"endpoint": format!("127.0.0.1:{port}")});
        let mut config = json!({
            "receivers": {},
            "processors": {},
            "exporters": {"otlp_grpc": {
                "endpoint": format!("127.0.0.1:{}", self.jaeger),
                "tls": {"insecure": true},
            }},
            "service": {"pipelines": {}},
        });
        for way in &self.all {
            let Some(kiali) = &way.kiali else { continue };
            let (otlp, mesh) = (
                format!("otlp/{}", way.cluster),
                format!("mesh/{}", way.cluster),
            );
            let mut settings = collector::mesh(kiali, &way.cluster);
            settings["aliases"] = match (way.aliases, &way.kubeconfig) {
                (true, _) => json!("on"),
                (false, None) => json!("off"),
                (false, Some(_)) => json!("auto"),
            };
            if let Some(file) = &way.kubeconfig {
                settings["kubernetes"] = json!({"mode": "on", "kubeconfig": file});
            }
            config["receivers"][&otlp] = json!({"protocols": {"grpc": at(way.port)}});
            config["processors"][&mesh] = settings;
            config["service"]["pipelines"][format!("traces/{}", way.cluster)] = json!({
                "receivers": [otlp], "processors": [mesh], "exporters": ["otlp_grpc"],
            });
        }
        config
    }
}
