/*! The keys of `k8s_attributes`. */

mod extract;
mod filter;

use super::{
    association::{Association, AssociationSource, Associations},
    inventory::Filing,
    settings::K8sSettings,
};
use crate::{
    config::{Field, Id, KeyReader, Word},
    mesh::watch::WatchScope,
    processor::{ProcessorRole, kubernetes::access},
    regexp::Pattern,
};
use regex::Regex;
use std::{sync::Arc, time::Duration};

/// Sources that one association may have.
const MOST_SOURCES: usize = 4;

/// Where an association looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Connection,
    Attribute,
}

impl Word for From {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("connection", Self::Connection),
        ("resource_attribute", Self::Attribute),
    ];
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let access = access::read(keys);
    let passthrough = keys.or(
        "passthrough",
        false,
        "only note the sender's address as `k8s.pod.ip`, for a collector behind this one; Kubernetes is not asked",
    );
    let rules = keys.section("extract", extract::read);
    let filter = keys.section("filter", filter::read);
    let associations = associations(keys);
    let excluded = keys.section("exclude", excluded);
    let waits = keys.or(
        "wait_for_metadata",
        false,
        "start only once the Pods are known",
    );
    let timeout = keys.or(
        "wait_for_metadata_timeout",
        Duration::from_secs(10),
        "if they are not by then, the start fails",
    );
    let grace = keys.or(
        "pod_delete_grace_period",
        Duration::from_secs(120),
        "how long a Pod that is gone stays known, for its last items",
    );
    keys.ignored(&["watch_sync_period"]);
    let settings = K8sSettings {
        passthrough: passthrough.value,
        scope: WatchScope {
            access,
            namespaces: filter.namespace.into_iter().collect(),
            pods: filter.pods,
            node: filter.node,
            all_namespaces: true,
        },
        filing: Filing {
            rules,
            associations,
            excluded,
            grace: grace.value,
        },
        wait: waits.value.then_some(timeout.value),
    };
    Some(ProcessorRole::Item(Arc::new(Arc::new(settings))))
}

fn associations(keys: &mut KeyReader<'_>) -> Associations {
    let all = keys.sections("pod_association", |keys| {
        for key in ["from", "name"] {
            let message = "belongs into a list: write sources: [{from: …, name: …}]";
            keys.misplaced(key, message);
        }
        let sources = keys.sections("sources", |keys| {
            let from: Field<From> = keys.get(
                "from",
                "required",
                "`connection`: who sent the request; `resource_attribute`: what the resource says",
            );
            let name: Field<String> = keys.get(
                "name",
                "none",
                "the attribute: `k8s.pod.ip`, `k8s.pod.uid`, `k8s.pod.name` with `k8s.namespace.name`, `container.id`, `host.name` where that is an address, or any that `extract` makes",
            );
            let cx = keys.reading();
            match from.value {
                Some(From::Connection) => Some(AssociationSource::Connection),
                Some(From::Attribute) => match name.given() {
                    Some(name) => Some(AssociationSource::Attribute(name.to_owned())),
                    None => {
                        let message = "a resource_attribute needs the name of an attribute";
                        cx.error_at_key(keys.spot(), message, "");
                        None
                    }
                },
                None => {
                    if from.spot.is_none() {
                        let message = "needs from: connection or resource_attribute";
                        cx.error_at_key(keys.spot(), message, "");
                    }
                    None
                }
            }
        });
        let of: Vec<_> = sources.value.into_iter().flatten().flatten().collect();
        if of.len() > MOST_SOURCES {
            let message = format!("{} sources are more than {MOST_SOURCES}", of.len());
            keys.reading().error_at_key(keys.spot(), &message, "");
        }
        Association(of)
    });
    Associations(all.value.unwrap_or_default())
}

/// Reads the patterns of names of Pods that are left alone.
fn excluded(keys: &mut KeyReader<'_>) -> Vec<Regex> {
    let names = keys.sections("pods", |keys| {
        let name: Field<String> = keys.get(
            "name",
            "`jaeger-agent` and `jaeger-collector`, where there is no list",
            "a pattern: Pods whose name it finds something in are left alone",
        );
        (name.spot, name.value.unwrap_or_default())
    });
    let given = names.value.filter(|names| !names.is_empty());
    let default = || {
        let names = ["jaeger-agent", "jaeger-collector"];
        names.map(|name| (None, name.to_owned())).to_vec()
    };
    let names = given.unwrap_or_else(default).into_iter();
    let patterns = names.filter_map(|(spot, name)| {
        let pattern = pattern(&name);
        pattern.map_err(|why| keys.reading().error(spot, &why)).ok()
    });
    patterns.collect()
}

/// Compiles a pattern.
///
/// # Errors
///
/// What is wrong with it.
fn pattern(text: &str) -> Result<Regex, String> {
    let pattern = Pattern::new(text).map_err(|why| format!("not a pattern: {why}"))?;
    Ok(pattern.regex().clone())
}
