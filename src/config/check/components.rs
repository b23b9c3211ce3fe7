//! The components of a section: their ids, and which of them are used.

use super::{Context, parse_id};
use crate::config::{
    checked::Id,
    de,
    diagnostic::{Diagnostic, Spot, did_you_mean},
    node::Node,
};
use serde::Deserialize;
use std::cell::Cell;

/// Old names of component types that still work: section, old, new.
const RENAMED: [(&str, &str, &str); 4] = [
    ("exporter", "otlp", "otlp_grpc"),
    ("exporter", "otlphttp", "otlp_http"),
    ("exporter", "logging", "debug"),
    ("extension", "health_check_v2", "healthcheckv2"),
];

/// A map of components by id.
pub(super) struct Section<'n> {
    /// "receiver".
    what: &'static str,
    pub(super) components: Vec<Component<'n>>,
}

/// One of them, not yet read.
pub(super) struct Component<'n> {
    pub(super) id: Id,
    /// The id as written, perhaps with an old name.
    pub(super) written: &'n str,
    /// `exporters.otlp/jaeger`.
    pub(super) path: String,
    pub(super) spot: Spot,
    pub(super) used: Cell<bool>,
    node: &'n Node,
}

impl<'n> Component<'n> {
    /// Reads its settings.
    pub(super) fn read<T: Deserialize<'n>>(&self, cx: &Context<'n>) -> Option<T> {
        de::read(self.node, &self.path, self.used.get(), cx.report)
    }

    /// Reports a type that wayspan does not have: an error where it is used.
    pub(super) fn unsupported(&self, what: &str, supported: &[&str], help: &str, cx: &Context<'_>) {
        let kind = &self.id.kind;
        if self.used.get() {
            let hint = did_you_mean(kind, supported);
            let known = format!("{what}s wayspan has: {}", supported.join(", "));
            let help = if help.is_empty() {
                known
            } else {
                format!("{help}\n{known}")
            };
            cx.report.error_at_key(
                self.spot,
                &format!("wayspan has no {what} \"{kind}\"{hint}"),
                &help,
            );
        } else {
            cx.report
                .warn_at(self.spot, &format!("no pipeline uses this {what}; ignored"));
        }
    }
}

impl<'n> Section<'n> {
    /// Reads the ids below `receivers:` for `what` = "receiver".
    pub(super) fn read(what: &'static str, root: &'n Node, cx: &Context<'n>) -> Self {
        let name = format!("{what}s");
        let Some(section) = root.get(&name) else {
            return Self {
                what,
                components: Vec::new(),
            };
        };
        if section.entries().is_empty()
            && !section.is_null()
            && !matches!(section.value, crate::config::node::Value::Map(_))
        {
            let message = format!("{name}: expected a map, found {}", section.describe());
            cx.report.error(Diagnostic::at(section.place, message));
        }
        let mut components: Vec<Component<'n>> = Vec::new();
        for (key, node) in section.entries() {
            let path = format!("{name}.{key}");
            let spot = cx.report.spot(node.place, &path);
            let mut id = match parse_id(key) {
                Ok(id) => id,
                Err(message) => {
                    cx.report.error_at_key(spot, &message, "");
                    continue;
                }
            };
            if let Some((_, old, new)) = RENAMED
                .iter()
                .find(|(w, old, _)| *w == what && *old == id.kind)
            {
                cx.report
                    .warn_at(spot, &format!("\"{old}\" is the old name of \"{new}\""));
                id.kind = (*new).to_owned();
            }
            if let Some(other) = components.iter().find(|c| c.id == id) {
                let message = format!(
                    "the same {what} as \"{}\", under another name",
                    other.written
                );
                cx.report
                    .error_at_key(spot, &message, "remove one of the two");
                continue;
            }
            let used = Cell::new(false);
            components.push(Component {
                id,
                written: key,
                path,
                spot,
                used,
                node,
            });
        }
        Self { what, components }
    }

    /// The component that a reference names, under its old or its new name.
    pub(super) fn find(&self, reference: &str) -> Option<usize> {
        let exact = self.components.iter().position(|c| c.written == reference);
        exact.or_else(|| {
            let mut id = parse_id(reference).ok()?;
            if let Some((.., new)) = RENAMED
                .iter()
                .find(|(w, old, _)| *w == self.what && *old == id.kind)
            {
                id.kind = (*new).to_owned();
            }
            self.components.iter().position(|c| c.id == id)
        })
    }

    /// Marks what `references` name as used.
    pub(super) fn use_all(&self, references: &[(String, Spot)]) {
        for (reference, _) in references {
            if let Some(component) = self.find(reference).and_then(|i| self.components.get(i)) {
                component.used.set(true);
            }
        }
    }

    /// As `find`; reports a reference to nothing.
    pub(super) fn resolve(&self, reference: &str, spot: Spot, cx: &Context<'_>) -> Option<usize> {
        let found = self.find(reference);
        if found.is_none() {
            let what = self.what;
            let defined: Vec<&str> = self.components.iter().map(|c| c.written).collect();
            let hint = did_you_mean(reference, &defined);
            let message = format!("no {what} \"{reference}\" is defined{hint}");
            let help = if defined.is_empty() {
                format!("there is nothing below {what}s:")
            } else {
                format!("defined {what}s: {}", defined.join(", "))
            };
            cx.report.error_at_help(spot, &message, &help);
        }
        found
    }

    /// Connectors: an error where a pipeline uses one.
    pub(super) fn refuse<'r>(
        &self,
        references: impl Iterator<Item = &'r (String, Spot)>,
        cx: &Context<'_>,
    ) {
        let references: Vec<&(String, Spot)> = references.collect();
        for component in &self.components {
            let used = references.iter().any(|(name, _)| name == component.written);
            component.used.set(used);
            if used {
                let message = "wayspan has no connectors yet; remove it from the pipelines";
                cx.report.error_at_key(component.spot, message, "");
            } else {
                cx.report
                    .warn_at(component.spot, "no pipeline uses this connector; ignored");
            }
        }
    }
}
