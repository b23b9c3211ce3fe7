/*!
The one table of components: what each kind is called, what reads its keys, and
what wayspan knows of kinds that it does not have.

A new component is its folder and its line here. Nothing else lists kinds.
*/

use crate::{
    config::{Id, KeyReader},
    connector, exporter, extension, processor, receiver,
};
use std::sync::Arc;

/// The components of one section of the file.
pub(crate) struct ComponentTable<T: 'static> {
    /// What one of them is called: "receiver".
    pub(crate) what: &'static str,
    /// Those wayspan has.
    pub(crate) kinds: &'static [ComponentKind<T>],
    /// Old names that still work, and the new ones.
    pub(crate) renamed: &'static [(&'static str, &'static str)],
    /// Kinds that are known and not served.
    pub(crate) unserved: &'static [Unserved],
    /// What to do about a kind that is not known.
    pub(crate) remedy: &'static str,
}

/// A kind of component.
pub(crate) struct ComponentKind<T> {
    pub(crate) name: &'static str,
    /// Reads its keys. None when they are wrong, which has been reported, or when
    /// nothing uses the component.
    pub(crate) read: fn(&Id, &mut KeyReader<'_>) -> Option<T>,
    /// What it offers to components that name it ("storage"), if it does.
    pub(crate) offers: &'static str,
}

/// A kind of component that wayspan knows and does not serve.
pub(crate) struct Unserved {
    pub(crate) names: &'static [&'static str],
    pub(crate) remedy: Remedy,
}

/// What to do about a component that is not served.
#[derive(Clone, Copy)]
pub(crate) enum Remedy {
    /// It is left out with a warning: nobody is served worse without it.
    LeaveOut,
    /// Using it is an error, with this advice.
    Instead(&'static str),
}

const fn kind<T>(
    name: &'static str,
    read: fn(&Id, &mut KeyReader<'_>) -> Option<T>,
) -> ComponentKind<T> {
    ComponentKind {
        name,
        read,
        offers: "",
    }
}

const fn offering<T>(
    name: &'static str,
    offers: &'static str,
    read: fn(&Id, &mut KeyReader<'_>) -> Option<T>,
) -> ComponentKind<T> {
    ComponentKind { name, read, offers }
}

/// The tables of all sections.
pub(crate) struct Tables {
    pub(crate) receivers: ComponentTable<receiver::ConfiguredReceiver>,
    pub(crate) processors: ComponentTable<processor::ProcessorRole>,
    pub(crate) exporters: ComponentTable<exporter::ConfiguredExporter>,
    pub(crate) connectors: ComponentTable<connector::ConfiguredConnector>,
    pub(crate) extensions: ComponentTable<Arc<dyn extension::ExtensionSettings>>,
}

pub(crate) static TABLES: Tables = Tables {
    receivers: ComponentTable {
        what: "receiver",
        kinds: &[kind("otlp", receiver::otlp::config::read)],
        renamed: &[],
        unserved: &[
            // Envoy's OpenTelemetry provider has replaced it, and Istio's sample
            // still names it.
            Unserved {
                names: &["opencensus"],
                remedy: Remedy::LeaveOut,
            },
            Unserved {
                names: &["jaeger", "zipkin"],
                remedy: Remedy::Instead(
                    "Istio sends OTLP through an `opentelemetry` extension provider: remove this receiver",
                ),
            },
        ],
        remedy: "",
    },
    processors: ComponentTable {
        what: "processor",
        kinds: &[
            kind("mesh", processor::mesh::config::read),
            kind("batch", processor::batch::config::read),
            kind("memory_limiter", processor::memory_limiter::config::read),
        ],
        renamed: &[],
        unserved: &[],
        remedy: "remove it from the pipelines",
    },
    exporters: ComponentTable {
        what: "exporter",
        kinds: &[
            kind("otlp_grpc", exporter::otlp::config::read_grpc),
            kind("otlp_http", exporter::otlp::config::read_http),
            kind("debug", exporter::debug::config::read),
        ],
        renamed: &[
            ("otlp", "otlp_grpc"),
            ("otlphttp", "otlp_http"),
            ("logging", "debug"),
        ],
        unserved: &[Unserved {
            names: &["zipkin", "jaeger", "jaeger_thrift"],
            remedy: Remedy::Instead(
                "Jaeger takes OTLP: use otlp_grpc with endpoint jaeger-collector:4317",
            ),
        }],
        remedy: "",
    },
    connectors: ComponentTable {
        what: "connector",
        kinds: &[],
        renamed: &[],
        unserved: &[],
        remedy: "",
    },
    extensions: ComponentTable {
        what: "extension",
        kinds: &[
            kind("health_check", extension::health_check::config::read),
            kind("healthcheckv2", extension::health_check::config::read_v2),
            offering(
                "file_storage",
                crate::queue::Storage::OFFER,
                extension::file_storage::config::read,
            ),
            kind("zpages", extension::zpages::config::read),
            offering(
                "bearertokenauth",
                crate::auth::config::OFFER,
                extension::bearertokenauth::config::read,
            ),
            offering(
                "basicauth",
                crate::auth::config::OFFER,
                extension::basicauth::config::read,
            ),
        ],
        renamed: &[("health_check_v2", "healthcheckv2")],
        // What would be unsafe to leave out, an authenticator or a storage, is
        // refused where a component names it.
        unserved: &[Unserved {
            names: &[
                "pprof",
                "memory_ballast",
                "memory_limiter",
                "oauth2client",
                "oidc",
                "asapclient",
                "headers_setter",
                "sigv4auth",
                "googleclientauth",
                "azureauth",
                "db_storage",
                "redis_storage",
                "k8s_observer",
                "host_observer",
                "docker_observer",
                "opamp",
                "http_forwarder",
                "k8s_leader_elector",
            ],
            remedy: Remedy::LeaveOut,
        }],
        remedy: "",
    },
};

impl<T> ComponentTable<T> {
    /// The kind of this name.
    pub(crate) fn kind(&self, name: &str) -> Option<&'static ComponentKind<T>> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// What to do about a kind that wayspan does not have.
    pub(crate) fn remedy(&self, name: &str) -> Remedy {
        let known = (self.unserved.iter()).find(|unserved| unserved.names.contains(&name));
        known.map_or(Remedy::Instead(self.remedy), |unserved| unserved.remedy)
    }

    /// The current name of the kind called `name`.
    pub(crate) fn current_name<'a>(&self, name: &'a str) -> &'a str
    where
        'static: 'a,
    {
        let renamed = self.renamed.iter().find(|(old, _)| *old == name);
        renamed.map_or(name, |(_, new)| new)
    }

    /// The names of the kinds wayspan has.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.kinds.iter().map(|kind| kind.name).collect()
    }

    /// The names of the kinds that offer `what`.
    pub(crate) fn offering(&self, what: &str) -> Vec<&'static str> {
        let kinds = self.kinds.iter().filter(|kind| kind.offers == what);
        kinds.map(|kind| kind.name).collect()
    }
}
