/*! The keys of `mesh`. */

mod kiali;
mod kubernetes;

use super::{MeshBackground, MeshFactory};
use crate::{
    config::{Field, Id, KeyReader, Pairs, Setting, Word},
    mesh::{self, Aliases, Case, Described, Follow, KialiSource, MeshSettings, Repairs, Scheme},
    pdata::Signal,
    pipeline::ProcessorFactory,
    processor::{BuildContext, ProcessorRole, ProcessorSettings, kubernetes::is_wanted},
};
use std::{collections::BTreeMap, sync::Arc};

/// `on` or `off`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Toggle {
    On,
    Off,
}

impl Word for Toggle {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("on", Self::On),
        ("true", Self::On),
        ("false", Self::Off),
        ("off", Self::Off),
    ];
}

impl Word for Aliases {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("on", Self::On),
        ("true", Self::On),
        ("false", Self::Off),
        ("off", Self::Off),
    ];
}

impl Word for Case {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("match", Self::Match),
        ("lower", Self::Lower),
        ("preserve", Self::Preserve),
    ];
}

impl ProcessorSettings for MeshSettings {
    fn signals(&self) -> &'static [Signal] {
        &[Signal::Traces]
    }

    fn describe(&self) -> Vec<String> {
        let kiali = &self.kiali;
        let mut lines = vec![
            format!(
                "names for Kiali {}.{}, namespace_selector {}, use_waypoint_name {}",
                kiali.version.major,
                kiali.version.minor,
                kiali.namespace_selector,
                kiali.use_waypoint_name
            ),
            Scheme::new(kiali).describe(),
        ];
        let source = self.follow.as_ref().map(|follow| &follow.source);
        // Outside a cluster there is none to find.
        let nowhere = |source: &KialiSource| {
            *source == KialiSource::Discovery && !is_wanted(&self.kubernetes)
        };
        if let Some(source) = source.filter(|source| !nowhere(source)) {
            lines.push(format!(
                "this holds until Kiali's own configuration is read from {source}"
            ));
        }
        lines
    }

    fn build(&self, with: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory> {
        let current = MeshBackground::current(with.backgrounds, with.id, self);
        Arc::new(MeshFactory::new(self.clone(), current, with.shards))
    }
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    Some(ProcessorRole::Item(Arc::new(mesh(keys))))
}

/// Reads the settings.
pub(super) fn mesh(keys: &mut KeyReader<'_>) -> MeshSettings {
    let default = MeshSettings::default();
    let kiali = keys.section("kiali", kiali::read);
    let cluster_id: Setting<String> = keys.or(
        "cluster_id",
        default.cluster_id.clone(),
        "added as `istio.cluster_id` where a span lacks it; `\"\"` adds nothing. Without the key, what a followed Kiali or istiod calls the cluster goes before the default. Spans with another id get nothing from Kubernetes, unless this is `Kubernetes`",
    );
    let (case, rename) = keys.section("service_name", |keys| {
        let case = keys.or(
            "case",
            Case::Match,
            "letter case of applications' own names: `match` the label's, `lower` those that no label is known for, `preserve`",
        );
        let rename: Field<Pairs> = keys.get(
            "rename",
            "none",
            "applications' own names to replace, by exact name; the result means an app as other names do",
        );
        (case.value, renames(rename, keys))
    });
    let tags: Field<Pairs> = keys.get(
        "tags",
        "none",
        "added to every span that has them neither itself nor on its resource",
    );
    let tags = static_tags(tags, kiali.query_scope, keys);
    let client_span_names = keys.or(
        "client_span_names",
        default.client_span_names,
        "how many span names clients may choose by their `Host` header (`egress <host>`), on each shard; all others become `egress *`. `0`: any number",
    );
    let host_ip = keys.or(
        "host_ip",
        Toggle::On,
        "`on`: a proxy's address as the resource's `host.ip`, by which Jaeger knows whose clock a span is from",
    );
    let (kubernetes, peer_address) = kubernetes::read(keys);
    let repairs = repairs(keys);
    let aliases = keys.or(
        "aliases",
        Aliases::Auto,
        "marker spans for further names: `auto` where labels disagree or a page would be lost, `on` all, `off` none; [what they find and cost](naming.md#aliases)",
    );
    let ztunnel = keys.or(
        "ztunnel_connections",
        Toggle::Off,
        "`on`: ztunnel's access log, sent as OTLP logs to the receivers of the pipeline, becomes spans of [connections](naming.md#connections-of-ztunnel)",
    );

    let cluster_id = text(&cluster_id, keys);
    let given = Described {
        cluster_id: cluster_id.clone(),
        ..kiali.described
    };
    MeshSettings {
        kiali: given.kiali(),
        cluster_id: cluster_id.unwrap_or(default.cluster_id),
        follow: kiali.source.map(|(source, istio_config_map)| Follow {
            source,
            given,
            istio_config_map,
        }),
        case,
        rename,
        tags,
        client_span_names: client_span_names.value,
        host_ip: host_ip.value == Toggle::On,
        repairs,
        aliases: aliases.value,
        peer_address,
        kubernetes,
        ztunnel_connections: ztunnel.value == Toggle::On,
    }
}

fn renames(rename: Field<Pairs>, keys: &KeyReader<'_>) -> BTreeMap<String, String> {
    let mut renames = BTreeMap::new();
    for (from, to) in rename.value.unwrap_or_default().0 {
        match to.value.filter(|to| !to.trim().is_empty()) {
            Some(to) => drop(renames.insert(from, to)),
            None => (keys.reading()).error(to.spot, "expected the name to use instead"),
        }
    }
    renames
}

/// The tags that are the same for all spans, and those of Kiali's questions. Of the
/// latter the rules add some themselves, to each span its own.
fn static_tags(
    tags: Field<Pairs>,
    query_scope: Field<Pairs>,
    keys: &KeyReader<'_>,
) -> BTreeMap<String, String> {
    let cx = keys.reading();
    let mut all = BTreeMap::new();
    let of_kiali = query_scope.value.unwrap_or_default().0.into_iter();
    let of_kiali = of_kiali.filter(|(key, _)| !mesh::is_telling(key));
    for (key, text) in of_kiali.chain(tags.value.unwrap_or_default().0) {
        match text.value.filter(|text| !text.is_empty()) {
            Some(_) if mesh::is_telling(&key) => {
                let message =
                    format!("`{key}` says what a span is, so it cannot be the same for all");
                cx.error(text.spot, &message);
            }
            Some(value) => drop(all.insert(key, value)),
            None => cx.error(text.spot, "expected the tag's value"),
        }
    }
    all
}

fn repairs(keys: &mut KeyReader<'_>) -> Repairs {
    const ALL: &str = "`off`, or each by itself; [what they do](naming.md#repairs)";
    let (word, each) = keys.word_or_section("repairs", (Toggle::On, ALL), |keys| {
        let mut is_on = |key, effect| keys.or(key, Toggle::On, effect).value == Toggle::On;
        Repairs {
            status: is_on("status", "error flags as the status"),
            node_id: is_on("node_id", "the node of a gateway's spawned span"),
            span_name: is_on("span_name", "span names that hide the destination"),
        }
    });
    match word {
        Some(Toggle::Off) => Repairs::all(false),
        Some(Toggle::On) | None => each,
    }
}

/// The name that a key gives, which may not have spaces in it. None where the key
/// has no value.
fn text(setting: &Setting<String>, keys: &KeyReader<'_>) -> Option<String> {
    let text = setting.value.trim();
    if text.contains(char::is_whitespace) {
        let message = format!("\"{text}\" is not a name: it has spaces in it");
        keys.reading().error(setting.spot, &message);
    }
    setting.is_set.then(|| text.to_owned())
}
