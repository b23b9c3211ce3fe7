/*!
Which attributes are made of labels and annotations, and of whose.
*/

use super::field::{MetadataField as F, MetadataFields};
use crate::mesh::watch::{Kept, KeyPattern, Resource};
use std::collections::BTreeMap;

/// An annotation by which a Pod asks to be left alone.
pub(super) const IGNORE: &str = "opentelemetry.io/k8s-processor/ignore";

/// Attributes by name.
pub(super) type Tags = BTreeMap<String, String>;

/// What is added to resources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// `extract.metadata`.
    pub(super) metadata: MetadataFields,
    /// `extract.labels`.
    pub(super) labels: Vec<KeyRule>,
    /// `extract.annotations`, and `otel_annotations`.
    pub(super) annotations: Vec<KeyRule>,
    /// The name of a Deployment is told by that of its ReplicaSet.
    pub(super) deployment_from_replica_set: bool,
}

/// An attribute that is made of a label or an annotation.
#[derive(Clone, Debug)]
pub(super) struct KeyRule {
    /// Whose.
    pub(super) from: Resource,
    /// Of which keys.
    pub(super) keys: KeyPattern,
    /// Its name, in which groups of the pattern may stand. None: as the key says.
    pub(super) name: Option<String>,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Labels,
    Annotations,
}

impl KeyRule {
    /// Annotations that name attributes.
    pub(super) fn otel_annotations() -> Self {
        const PATTERN: &str = r"^(?:resource\.opentelemetry\.io/(.+))$";
        let keys = match regex::Regex::new(PATTERN) {
            Ok(regex) => KeyPattern::Matching(regex),
            Err(_) => unreachable!("the pattern is a constant and valid"),
        };
        Self {
            from: Resource::Pods,
            keys,
            name: Some("$1".to_owned()),
        }
    }

    fn extract(&self, source: Source, all: &BTreeMap<String, String>, tags: &mut Tags) {
        match &self.keys {
            KeyPattern::Exact(key) => {
                if let Some(text) = all.get(key) {
                    let name = self.name.clone();
                    let name = name.unwrap_or_else(|| default_name(self.from, source, key));
                    tags.insert(name, text.clone());
                }
            }
            KeyPattern::Matching(regex) => {
                for (key, text) in all.iter().filter(|(_, text)| !text.is_empty()) {
                    let Some(groups) = regex.captures(key) else {
                        continue;
                    };
                    let name = match &self.name {
                        Some(template) if groups.len() > 1 => {
                            let mut name = String::new();
                            groups.expand(template, &mut name);
                            name
                        }
                        _ => default_name(self.from, source, key),
                    };
                    tags.insert(name, text.clone());
                }
            }
        }
    }
}

/// Pods, Nodes and Namespaces have plural names from before there were conventions.
fn default_name(from: Resource, source: Source, key: &str) -> String {
    let kind = from.kind().to_ascii_lowercase();
    let plural = match from {
        Resource::Pods | Resource::Nodes | Resource::Namespaces => "s",
        _ => "",
    };
    let what = match source {
        Source::Labels => "label",
        Source::Annotations => "annotation",
    };
    format!("k8s.{kind}.{what}{plural}.{key}")
}

impl Rules {
    /// Adds what the rules make of the labels or annotations of an object.
    pub(super) fn extract(
        &self,
        from: Resource,
        source: Source,
        all: &BTreeMap<String, String>,
        tags: &mut Tags,
    ) {
        let rules = match source {
            Source::Labels => &self.labels,
            Source::Annotations => &self.annotations,
        };
        for rule in rules.iter().filter(|rule| rule.from == from) {
            rule.extract(source, all, tags);
        }
    }

    fn asks(&self, from: Resource) -> bool {
        let mut rules = self.labels.iter().chain(&self.annotations);
        rules.any(|rule| rule.from == from)
    }

    /// Whether it must be known which Deployment a ReplicaSet is of.
    pub(super) fn needs_replica_sets(&self) -> bool {
        self.metadata.has(F::DeploymentUid)
            || self.metadata.has(F::DeploymentName) && !self.deployment_from_replica_set
            || self.asks(Resource::Deployments)
    }

    /// What must be watched for it, and kept.
    pub(super) fn kept(&self, by_container: bool) -> Kept {
        let has = |field| self.metadata.has(field);
        let asks = |from| self.asks(from);
        let wanted = [
            (Resource::Pods, true),
            (
                Resource::Namespaces,
                asks(Resource::Namespaces) || has(F::ClusterUid),
            ),
            (Resource::Nodes, asks(Resource::Nodes) || has(F::NodeUid)),
            (Resource::ReplicaSets, self.needs_replica_sets()),
            (Resource::Deployments, asks(Resource::Deployments)),
            (Resource::StatefulSets, asks(Resource::StatefulSets)),
            (Resource::DaemonSets, asks(Resource::DaemonSets)),
            (Resource::Jobs, asks(Resource::Jobs) || has(F::CronJobUid)),
        ];
        let wanted = wanted.into_iter().filter(|(_, is_wanted)| *is_wanted);
        let annotations = self.annotations.iter();
        let annotations = annotations.map(|rule| (rule.from, rule.keys.clone()));
        let ignore = (Resource::Pods, KeyPattern::Exact(IGNORE.to_owned()));
        Kept {
            resources: wanted.map(|(resource, _)| resource).collect(),
            details: true,
            containers: by_container || self.metadata.needs_containers(),
            annotations: annotations.chain([ignore]).collect(),
        }
    }
}
