/*! The keys of `k8s_attributes.extract`. */

use super::pattern as compiled;
use crate::{
    config::{Field, KeyReader, Word, did_you_mean},
    mesh::watch::{KeyPattern, Resource},
    processor::k8s_attributes::{
        field::{MetadataField, MetadataFields},
        rules::{KeyRule, Rules},
    },
};

impl Word for Resource {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("pod", Self::Pods),
        ("namespace", Self::Namespaces),
        ("node", Self::Nodes),
        ("deployment", Self::Deployments),
        ("statefulset", Self::StatefulSets),
        ("daemonset", Self::DaemonSets),
        ("job", Self::Jobs),
        ("", Self::Pods),
    ];
}

pub(super) fn read(keys: &mut KeyReader<'_>) -> Rules {
    let metadata = metadata(keys);
    let labels = keys.sections("labels", rule);
    let annotations = keys.sections("annotations", rule);
    let otel = keys.or(
        "otel_annotations",
        false,
        "annotations `resource.opentelemetry.io/NAME` of a Pod become attributes NAME",
    );
    let from_replica_set = keys.or(
        "deployment_name_from_replicaset",
        true,
        "`false`: ReplicaSets are watched for the name of their Deployment, which needs a right and is seldom another than theirs without the hash",
    );
    let mut annotations: Vec<_> = annotations.value.into_iter().flatten().flatten().collect();
    if otel.value {
        annotations.push(KeyRule::otel_annotations());
    }
    Rules {
        metadata,
        labels: labels.value.into_iter().flatten().flatten().collect(),
        annotations,
        deployment_from_replica_set: from_replica_set.value,
    }
}

fn metadata(keys: &mut KeyReader<'_>) -> MetadataFields {
    let given: Field<Vec<Field<String>>> = keys.get(
        "metadata",
        "`container.image.name`, `container.image.tag`, `k8s.deployment.name`, `k8s.namespace.name`, `k8s.node.name`, `k8s.pod.name`, `k8s.pod.start_time`, `k8s.pod.uid`",
        "attributes that are added; those of containers where the resource says which, or the Pod has only one",
    );
    let cx = keys.reading();
    let Some(list) = given.value else {
        return MetadataFields::of(MetadataField::DEFAULT);
    };
    let mut fields = Vec::new();
    for item in &list {
        let name = item.value.as_deref().unwrap_or_default();
        match MetadataField::find(name) {
            Some(field) => fields.push(field),
            None => {
                let all: Vec<&str> = MetadataField::ALL.iter().map(|(name, _)| *name).collect();
                let hint = did_you_mean(name, &all);
                let message = format!("\"{name}\" is no attribute that can be extracted{hint}");
                cx.error(item.spot, &message);
            }
        }
        if MetadataField::find(name) == Some(MetadataField::ImageTags) {
            let message = "is not added, as by a Collector with its feature gates as they are: use container.image.tag";
            cx.warn(item.spot, message);
        }
    }
    MetadataFields::of(&fields)
}

/// Reads a rule of `labels` or `annotations`.
fn rule(keys: &mut KeyReader<'_>) -> Option<KeyRule> {
    let from = keys.or("from", Resource::Pods, "whose");
    let key: Field<String> = keys.get("key", "either this or `key_regex`", "its key");
    let pattern: Field<String> = keys.get(
        "key_regex",
        "none",
        "a pattern that keys match from end to end",
    );
    let name: Field<String> = keys.get(
        "tag_name",
        "`k8s.pod.labels.KEY`, `k8s.deployment.label.KEY` and so on",
        "the attribute; groups of `key_regex` may stand in it: `$1`, in the file `$$1`",
    );
    let cx = keys.reading();
    let keys_of = match (key.given(), pattern.given()) {
        (Some(_), Some(_)) => {
            let message = "key_regex beside key: remove one of the two";
            cx.error_at_key(pattern.spot, message, "");
            return None;
        }
        (_, Some(pattern_text)) => match compiled(&format!("^(?:{pattern_text})$")) {
            Ok(regex) => KeyPattern::Matching(regex),
            Err(why) => {
                cx.error(pattern.spot, &why);
                return None;
            }
        },
        // Without either there is no such key, and nothing to add.
        (key, None) => KeyPattern::Exact(key.unwrap_or_default().to_owned()),
    };
    Some(KeyRule {
        from: from.value,
        keys: keys_of,
        name: name.given().map(str::to_owned),
    })
}
