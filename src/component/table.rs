/*!
The one table of components: what each kind is called, what reads its keys, and
what wayspan knows of kinds that it does not have.

A new component is its folder and its line here. Nothing else lists kinds.
*/

use super::unserved::{self, Unserved, Verdict};
use crate::{
    config::{Id, KeyReader, Node},
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
    /// Other names that work, of Collectors to come or of old ones that nobody minds.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
    /// Kinds that are known and not served.
    pub(crate) unserved: &'static [Unserved],
    /// What becomes of a kind that is not known.
    pub(crate) unknown: Verdict,
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
    /// The processor that names spans, which an operator of a mesh comes for.
    pub(crate) mesh: &'static str,
    pub(crate) exporters: ComponentTable<exporter::ConfiguredExporter>,
    pub(crate) connectors: ComponentTable<connector::ConfiguredConnector>,
    pub(crate) extensions: ComponentTable<Arc<dyn extension::ExtensionSettings>>,
}

pub(crate) static TABLES: Tables = Tables {
    receivers: ComponentTable {
        what: "receiver",
        kinds: &[
            kind("otlp", receiver::otlp::config::read),
            kind("zipkin", receiver::zipkin::config::read),
            #[cfg(feature = "kafka")]
            kind("kafka", receiver::kafka::config::read),
        ],
        renamed: &[],
        aliases: &[],
        unserved: unserved::RECEIVERS,
        unknown: Verdict::Refuse(unserved::UNKNOWN_RECEIVER),
    },
    processors: ComponentTable {
        what: "processor",
        kinds: &[
            kind("mesh", processor::mesh::config::read),
            kind("filter", processor::filter::config::read),
            kind("transform", processor::transform::config::read),
            kind("batch", processor::batch::config::read),
            kind("memory_limiter", processor::memory_limiter::config::read),
            kind("resource", processor::resource::config::read),
            kind("k8s_attributes", processor::k8s_attributes::config::read),
            kind(
                "resource_detection",
                processor::resource_detection::config::read,
            ),
            kind("attributes", processor::attributes::config::read),
            kind(
                "probabilistic_sampler",
                processor::probabilistic_sampler::config::read,
            ),
            kind("redaction", processor::redaction::config::read),
        ],
        renamed: &[
            ("k8sattributes", "k8s_attributes"),
            ("resourcedetection", "resource_detection"),
        ],
        aliases: &[],
        unserved: unserved::PROCESSORS,
        unknown: Verdict::Refuse(unserved::UNKNOWN_PROCESSOR),
    },
    mesh: "mesh",
    exporters: ComponentTable {
        what: "exporter",
        kinds: &[
            kind("otlp_grpc", exporter::otlp::config::read_grpc),
            kind("otlp_http", exporter::otlp::config::read_http),
            kind("zipkin", exporter::zipkin::config::read),
            #[cfg(feature = "kafka")]
            kind("kafka", exporter::kafka::config::read),
            kind("debug", exporter::debug::config::read),
            kind("prometheus", exporter::prometheus::config::read),
            kind("file", exporter::file::config::read),
            kind("nop", exporter::nop::config::read),
        ],
        renamed: &[
            ("otlp", "otlp_grpc"),
            ("otlphttp", "otlp_http"),
            ("logging", "debug"),
        ],
        aliases: &[],
        unserved: unserved::EXPORTERS,
        unknown: Verdict::Refuse(unserved::UNKNOWN_EXPORTER),
    },
    connectors: ComponentTable {
        what: "connector",
        kinds: &[
            kind("forward", connector::forward::config::read),
            kind("span_metrics", connector::span_metrics::config::read),
        ],
        renamed: &[("spanmetrics", "span_metrics")],
        aliases: &[],
        unserved: unserved::CONNECTORS,
        unknown: Verdict::Refuse(unserved::UNKNOWN_CONNECTOR),
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
        renamed: &[],
        aliases: &[
            ("health_check_v2", "healthcheckv2"),
            ("basic_auth", "basicauth"),
            ("bearer_token_auth", "bearertokenauth"),
        ],
        unserved: unserved::EXTENSIONS,
        unknown: Verdict::LeaveOut(unserved::UNKNOWN_EXTENSION),
    },
};

impl<T> ComponentTable<T> {
    /// The kind of this name.
    pub(crate) fn kind(&self, name: &str) -> Option<&'static ComponentKind<T>> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// What is known of a kind that wayspan does not have.
    pub(crate) fn unserved(&self, name: &str) -> Option<&'static Unserved> {
        (self.unserved.iter()).find(|unserved| unserved.names.contains(&name))
    }

    /// What becomes of a component of a kind that wayspan does not have.
    pub(crate) fn verdict(&self, name: &str, keys: &Node) -> Verdict {
        match self.unserved(name) {
            Some(unserved) => match unserved.unless {
                Some((key, why)) if keys.sets(key) => Verdict::Refuse(why),
                _ => unserved.verdict,
            },
            None => self.unknown,
        }
    }

    /// The current name of the kind called `name`, and whether that is another than
    /// its old one.
    pub(crate) fn current_name<'a>(&self, name: &'a str) -> (&'a str, bool)
    where
        'static: 'a,
    {
        let of = |names: &'static [(&'static str, &'static str)]| {
            let found = names.iter().find(|(other, _)| *other == name);
            found.map(|(_, current)| *current)
        };
        match (of(self.renamed), of(self.aliases)) {
            (Some(current), _) => (current, true),
            (None, current) => (current.unwrap_or(name), false),
        }
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
