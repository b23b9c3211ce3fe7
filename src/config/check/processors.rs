//! `processors`, and the memory limit, which is one of them in a file.

use super::{Built, Component, Context, kiali};
use crate::{
    config::{
        checked::{Batch, Id, Processor, ProcessorKind},
        de::{Field, Switchable},
        diagnostic::Spot,
        raw::processors as raw,
    },
    mesh,
};
use std::{collections::BTreeMap, time::Duration};

const MIB: u64 = 1 << 20;
/// Jaeger's gRPC receiver takes 4 MiB by default; this leaves room for headers.
const DEFAULT_BATCH_BYTES: usize = 3 << 20;
const SUPPORTED: [&str; 3] = ["mesh", "batch", "memory_limiter"];

/// A processor of any type.
pub(super) enum Checked {
    /// One that decides about spans.
    Span(Box<Processor>),
    Batch(Batch),
    /// Bytes.
    MemoryLimiter(usize),
}

pub(super) fn check<'n>(component: &Component<'n>, cx: &Context<'n>) -> Option<Checked> {
    let id = component.id.clone();
    match id.kind.as_str() {
        "mesh" => {
            let kind = ProcessorKind::Mesh(mesh(component.read(cx)?, cx));
            Some(Checked::Span(Box::new(Processor { id, kind })))
        }
        "batch" => Some(Checked::Batch(batch(id, component.read(cx)?, cx))),
        "memory_limiter" => {
            let raw = component.read(cx)?;
            memory_limiter(raw, component.spot, cx).map(Checked::MemoryLimiter)
        }
        _ => {
            component.unsupported("processor", &SUPPORTED, "remove it from the pipelines", cx);
            None
        }
    }
}

fn mesh(raw: raw::Mesh, cx: &Context<'_>) -> mesh::Settings {
    let case = match raw.service_name.case.or(raw::Case::Match) {
        raw::Case::Match => mesh::Case::Match,
        raw::Case::Lower => mesh::Case::Lower,
        raw::Case::Preserve => mesh::Case::Preserve,
    };
    let (kubernetes, peer_address) = kubernetes(raw.kubernetes, cx);
    let renames = raw.service_name.rename.value.unwrap_or_default();
    let mut rename = BTreeMap::new();
    for (from, to) in renames {
        match (to.value, to.spot) {
            (Some(to), _) if !to.trim().is_empty() => drop(rename.insert(from, to)),
            (_, Some(spot)) => cx.report.error_at(spot, "expected the name to use instead"),
            (_, None) => {}
        }
    }
    let given = mesh::Described {
        cluster_id: text(raw.cluster_id, cx),
        ..kiali::described(&raw.kiali, cx)
    };
    mesh::Settings {
        kiali: given.kiali(),
        cluster_id: given
            .cluster_id
            .clone()
            .unwrap_or(mesh::Settings::default().cluster_id),
        follow: kiali::source(raw.kiali, cx).map(|(source, istio_config_map)| mesh::Follow {
            source,
            given,
            istio_config_map,
        }),
        case,
        rename,
        repairs: repairs(raw.repairs),
        aliases: raw.aliases.value == Some(raw::Toggle::On),
        peer_address: peer_address.or(mesh::Settings::default().peer_address),
        kubernetes,
        ztunnel_connections: raw.ztunnel_connections.value == Some(raw::Toggle::On),
    }
}

fn repairs(raw: Field<Switchable<raw::Toggle, raw::Repairs>>) -> mesh::Repairs {
    match raw.value {
        None | Some(Switchable::Word(raw::Toggle::On)) => mesh::Repairs::all(true),
        Some(Switchable::Word(raw::Toggle::Off)) => mesh::Repairs::all(false),
        Some(Switchable::Keys(each)) => mesh::Repairs {
            status: each.status.or(raw::Toggle::On) == raw::Toggle::On,
            node_id: each.node_id.or(raw::Toggle::On) == raw::Toggle::On,
            span_name: each.span_name.or(raw::Toggle::On) == raw::Toggle::On,
        },
    }
}

/// Its settings, and whether addresses of peers count.
fn kubernetes(
    field: Field<Switchable<raw::Switch, raw::Kubernetes>>,
    cx: &Context<'_>,
) -> (mesh::KubernetesSettings, Field<bool>) {
    let (word, raw) = match field.value {
        None => (None, raw::Kubernetes::default()),
        Some(Switchable::Word(word)) => (Some(word), raw::Kubernetes::default()),
        Some(Switchable::Keys(keys)) => (keys.mode.value, keys),
    };
    let mode = match word.unwrap_or(raw::Switch::Auto) {
        raw::Switch::Auto => mesh::KubernetesMode::Auto,
        raw::Switch::On => mesh::KubernetesMode::On,
        raw::Switch::Off => mesh::KubernetesMode::Off,
    };
    if mode == mesh::KubernetesMode::Off {
        // Empty ones, as templates write them, ask for nothing.
        let namespaces = raw.namespaces.as_ref().is_some_and(|list| !list.is_empty());
        let kubeconfig = raw.kubeconfig.as_ref().is_some_and(|path| !path.is_empty());
        let idle = [
            raw.namespaces.spot.filter(|_| namespaces),
            raw.kubeconfig.spot.filter(|_| kubeconfig),
            raw.peer_address.value.and(raw.peer_address.spot),
        ];
        for spot in idle.into_iter().flatten() {
            let help = "remove it, or set mode to auto or on";
            cx.report
                .error_at_key(spot, "has no effect: kubernetes.mode is off", help);
        }
    }
    let mut namespaces = Vec::new();
    for namespace in raw.namespaces.value.unwrap_or_default() {
        let Field {
            spot: Some(spot),
            value,
        } = namespace
        else {
            continue;
        };
        let name = value.unwrap_or_default();
        let label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 63 || !name.bytes().all(label) {
            let message = format!("\"{name}\" cannot be the name of a namespace");
            cx.report.error_at(spot, &message);
        } else if !namespaces.contains(&name) {
            namespaces.push(name);
        }
    }
    // In another order it is the same watcher.
    namespaces.sort();
    let settings = mesh::KubernetesSettings {
        mode,
        namespaces,
        kubeconfig: (raw.kubeconfig.value)
            .filter(|path| !path.is_empty())
            .map(Into::into),
    };
    (settings, raw.peer_address)
}

/// A name, which may not have spaces in it.
pub(super) fn text(field: Field<String>, cx: &Context<'_>) -> Option<String> {
    let text = field.value?.trim().to_owned();
    if let Some(spot) = field
        .spot
        .filter(|_| text.contains(|c: char| c.is_whitespace()))
    {
        cx.report.error_at(
            spot,
            &format!("\"{text}\" is not a name: it has spaces in it"),
        );
    }
    Some(text)
}

/// What a pipeline without a `batch` processor does.
pub(super) fn default_batch() -> Batch {
    Batch {
        id: Id {
            kind: "batch".to_owned(),
            name: None,
        },
        spans: 8192,
        bytes: DEFAULT_BATCH_BYTES,
        timeout: Duration::from_millis(200),
        max_spans: 0,
    }
}

fn batch(id: Id, raw: raw::Batch, cx: &Context<'_>) -> Batch {
    let default = default_batch();
    // 0: only the timeout and the bytes decide.
    let spans = raw
        .send_batch_size
        .value
        .map_or(default.spans, |n| match n {
            0 => usize::MAX,
            n => n as usize,
        });
    let max_spans = raw.send_batch_max_size.as_ref().map_or(0, |&n| n as usize);
    if let Some(spot) = raw.send_batch_max_size.spot.filter(|_| {
        max_spans > 0 && raw.send_batch_size.as_ref().is_none_or(|&n| n > 0) && max_spans < spans
    }) {
        let message = format!("{max_spans} is less than send_batch_size, which is {spans}");
        cx.report.error_at(spot, &message);
    }
    let bytes = raw.send_batch_max_bytes;
    if let (Some(spot), Some(given)) = (bytes.spot, bytes.value)
        && !(4096..=64 * MIB).contains(&given)
    {
        cx.report.error_at(
            spot,
            &format!("{given} is not between 4096 bytes and 64 MiB"),
        );
    }
    Batch {
        id,
        spans,
        bytes: bytes
            .value
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(default.bytes),
        timeout: raw.timeout.value.map_or(default.timeout, |d| d.0),
        max_spans,
    }
}

/// Where the Collector begins to refuse: the limit less the spike.
fn memory_limiter(raw: raw::MemoryLimiter, component: Spot, cx: &Context<'_>) -> Option<usize> {
    for field in [&raw.limit_percentage, &raw.spike_limit_percentage] {
        if let (Some(spot), Some(given)) = (field.spot, field.as_ref())
            && *given > 100
        {
            cx.report
                .error_at(spot, &format!("{given} is more than 100 %"));
        }
    }
    let positive = |field: Field<u32>| field.value.filter(|&n| n > 0).map(u64::from);
    let total = cx.memory.unwrap_or(512 * MIB);
    let percent = |field: Field<u32>| positive(field).map(|p| (total / 100).saturating_mul(p));
    let spike_spot = raw.spike_limit_mib.spot.or(raw.spike_limit_percentage.spot);
    let (limit, spike) = match positive(raw.limit_mib) {
        Some(mib) => (
            mib * MIB,
            positive(raw.spike_limit_mib).map(|mib| mib * MIB),
        ),
        None => match percent(raw.limit_percentage) {
            Some(bytes) => (bytes, percent(raw.spike_limit_percentage)),
            None => {
                let help = "set limit_mib, or limit_percentage of the container's memory";
                cx.report.error_at_key(component, "has no limit", help);
                return None;
            }
        },
    };
    let spike = spike.unwrap_or(limit / 5);
    if spike >= limit {
        cx.report.error_at(
            spike_spot.unwrap_or(component),
            "the spike is not below the limit",
        );
        return None;
    }
    usize::try_from(limit - spike).ok()
}

/// The smallest of the configured limits.
pub(super) fn memory_limit(processors: &[Built<Checked>]) -> Option<usize> {
    processors
        .iter()
        .filter_map(|b| match b.value {
            Checked::MemoryLimiter(bytes) => Some(bytes),
            Checked::Span(_) | Checked::Batch(_) => None,
        })
        .min()
}
