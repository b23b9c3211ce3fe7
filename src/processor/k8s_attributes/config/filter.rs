/*! The keys of `k8s_attributes.filter`: which Pods the API server is asked for. */

use crate::{
    config::{Field, KeyReader, Word},
    mesh::watch::Picked,
};

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    NotEquals,
    Exists,
    DoesNotExist,
}

impl Word for Operator {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("equals", Self::Equals),
        ("not-equals", Self::NotEquals),
        ("exists", Self::Exists),
        ("does-not-exist", Self::DoesNotExist),
        ("", Self::Equals),
    ];
}

/// Which Pods are asked for.
pub(super) struct PodFilter {
    pub(super) namespace: Option<String>,
    pub(super) node: Option<String>,
    pub(super) pods: Picked,
}

pub(super) fn read(keys: &mut KeyReader<'_>) -> PodFilter {
    let node: Field<String> = keys.get("node", "none", "only Pods on this Node");
    let variable: Field<String> = keys.get(
        "node_from_env_var",
        "none",
        "the same: the variable of the environment that has the Node's name; it goes before `node`",
    );
    let namespace: Field<String> = keys.get("namespace", "all", "only Pods in this namespace");
    let fields = conditions(keys, "fields");
    let labels = conditions(keys, "labels");
    let node = match variable.trimmed() {
        Some(name) => {
            let value = keys.reading().variable(name);
            if value.is_none() && keys.is_used() {
                let message = format!(
                    "{name} is not set in the environment: Pods of all Nodes are watched. Set it \
                     from spec.nodeName by a fieldRef"
                );
                keys.reading().warn(variable.spot, &message);
            }
            value.filter(|node| !node.is_empty())
        }
        None => node.trimmed().map(str::to_owned),
    };
    let on_node = node
        .iter()
        .map(|node| format!("spec.nodeName={}", escaped(node)));
    let fields = fields.into_iter().chain(on_node);
    let join = |parts: Vec<String>| Some(parts.join(",")).filter(|text| !text.is_empty());
    PodFilter {
        namespace: namespace.trimmed().map(str::to_owned),
        pods: Picked {
            fields: join(fields.collect()),
            labels: join(labels),
        },
        node,
    }
}

/// Reads conditions, as a selector of the API has them.
fn conditions(keys: &mut KeyReader<'_>, of: &'static str) -> Vec<String> {
    let is_labels = of == "labels";
    let conditions = keys.sections(of, |keys| {
        let key: Field<String> = keys.get("key", "required", "what is compared");
        let value: Field<String> = keys.get("value", "none", "with what");
        let effect = match is_labels {
            true => "how",
            false => "how: a field can be compared by `equals` and `not-equals` only",
        };
        let operator = keys.or("op", Operator::Equals, effect);
        let cx = keys.reading();
        let Some(key) = key.trimmed() else {
            cx.error_at_key(keys.spot(), "needs a key", "");
            return None;
        };
        let value = value.value.unwrap_or_default();
        let value = match is_labels {
            true => value,
            false => escaped(&value),
        };
        match operator.value {
            Operator::Equals => Some(format!("{key}={value}")),
            Operator::NotEquals => Some(format!("{key}!={value}")),
            Operator::Exists if is_labels => Some(key.to_owned()),
            Operator::DoesNotExist if is_labels => Some(format!("!{key}")),
            Operator::Exists | Operator::DoesNotExist => {
                let message = "a field can be compared by equals and not-equals only";
                cx.error(operator.spot, message);
                None
            }
        }
    });
    conditions.value.into_iter().flatten().flatten().collect()
}

/// Escapes a value in a selector of fields.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        if matches!(c, '\\' | ',' | '=') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}
