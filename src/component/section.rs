/*!
The components of a section: their ids, which of them are used, and what their
keys say.
*/

use super::table::{ComponentTable, Remedy};
use crate::config::{Diagnostic, Id, Node, Reading, Spot, did_you_mean, keys};
use std::cell::Cell;

/// A map of components by id.
pub(super) struct Section<'n, T: 'static> {
    pub(super) table: &'static ComponentTable<T>,
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
    pub(super) is_used: Cell<bool>,
    node: &'n Node,
}

/// A reference to a component, as written in a list.
pub(super) type Reference = (String, Spot);

impl<'n, T> Section<'n, T> {
    /// Reads the ids of a section of `root`.
    pub(super) fn read(
        table: &'static ComponentTable<T>,
        root: &'n Node,
        cx: &Reading<'n>,
    ) -> Self {
        let what = table.what;
        let name = format!("{what}s");
        let mut section = Self {
            table,
            components: Vec::new(),
        };
        let Some(node) = root.get(&name) else {
            return section;
        };
        if !node.is_null() && !node.is_map() {
            let message = format!("{name}: expected a map, found {}", node.describe());
            cx.report().error(Diagnostic::at(node.place, message));
        }
        for (key, node) in node.entries() {
            let path = format!("{name}.{key}");
            let spot = cx.report().spot(node.place, &path);
            let Some(id) = section.id(key, spot, cx) else {
                continue;
            };
            section.components.push(Component {
                id,
                written: key,
                path,
                spot,
                is_used: Cell::new(false),
                node,
            });
        }
        section
    }

    /// The id that `key` says, by its current name.
    fn id(&self, key: &str, spot: Spot, cx: &Reading<'_>) -> Option<Id> {
        let report = |message: String| cx.error_at_key(Some(spot), &message, "");
        let mut id = Id::parse(key).map_err(report).ok()?;
        let current = self.table.current_name(&id.kind).to_owned();
        if current != id.kind {
            let old = std::mem::replace(&mut id.kind, current);
            let message = format!("\"{old}\" is the old name of \"{}\"", id.kind);
            cx.warn(Some(spot), &message);
        }
        if let Some(other) = self.components.iter().find(|c| c.id == id) {
            let (what, written) = (self.table.what, other.written);
            let message = format!("the same {what} as \"{written}\", under another name");
            cx.error_at_key(Some(spot), &message, "remove one of the two");
            return None;
        }
        Some(id)
    }

    /// The component that a reference names, under its old or its new name.
    pub(super) fn find(&self, reference: &str) -> Option<usize> {
        let exact = self.components.iter().position(|c| c.written == reference);
        exact.or_else(|| {
            let id = Id::parse(reference).ok()?;
            let id = Id {
                kind: self.table.current_name(&id.kind).to_owned(),
                ..id
            };
            self.components.iter().position(|c| c.id == id)
        })
    }

    /// Marks what `references` name as used.
    pub(super) fn use_all(&self, references: &[Reference]) {
        for (reference, _) in references {
            if let Some(component) = self.find(reference).and_then(|i| self.components.get(i)) {
                component.is_used.set(true);
            }
        }
    }

    /// As `find`; reports a reference to nothing.
    pub(super) fn resolve(&self, reference: &str, spot: Spot, cx: &Reading<'_>) -> Option<usize> {
        let found = self.find(reference);
        if found.is_none() {
            let what = self.table.what;
            let defined: Vec<&str> = self.components.iter().map(|c| c.written).collect();
            report_undefined(what, reference, spot, &defined, cx);
        }
        found
    }

    /// Reads all components, each at its index. None where there is nothing to
    /// run: it is not used, not served, or wrong.
    pub(super) fn read_all(&self, unused: &str, cx: &'n Reading<'n>) -> Vec<Option<T>> {
        let components = self.components.iter();
        components
            .map(|component| self.read_one(component, unused, cx))
            .collect()
    }

    fn read_one(&self, component: &Component<'n>, unused: &str, cx: &'n Reading<'n>) -> Option<T> {
        let Some(kind) = self.table.kind(&component.id.kind) else {
            self.unsupported(component, unused, cx);
            return None;
        };
        let is_used = component.is_used.get();
        let at = (component.path.as_str(), component.spot);
        let read = |keys: &mut keys::KeyReader<'n>| (kind.read)(&component.id, keys);
        let value = keys::read(component.node, at, is_used, cx, read).flatten();
        value.filter(|_| is_used)
    }

    /// Reports a kind that wayspan does not have: an error where it is used.
    fn unsupported(&self, component: &Component<'_>, unused: &str, cx: &Reading<'_>) {
        let (what, kind) = (self.table.what, &component.id.kind);
        let spot = Some(component.spot);
        let remedy = match self.table.remedy(kind) {
            // Warned of where it is named.
            Remedy::LeaveOut => return,
            Remedy::Instead(_) if !component.is_used.get() => return cx.warn(spot, unused),
            Remedy::Instead(remedy) => remedy,
        };
        let names = self.table.names();
        if names.is_empty() {
            let message = format!("wayspan has no {what}s yet; remove it from the pipelines");
            return cx.error_at_key(spot, &message, "");
        }
        let hint = did_you_mean(kind, &names);
        let known = format!("{what}s wayspan has: {}", names.join(", "));
        let help = match remedy {
            "" => known,
            remedy => format!("{remedy}\n{known}"),
        };
        cx.error_at_key(
            spot,
            &format!("wayspan has no {what} \"{kind}\"{hint}"),
            &help,
        );
    }

    /// Returns true if the component at `index` is left out with a warning.
    pub(super) fn leaves_out(&self, index: usize) -> bool {
        let component = self.components.get(index);
        component.is_some_and(|component| {
            let kind = &component.id.kind;
            self.table.kind(kind).is_none() && matches!(self.table.remedy(kind), Remedy::LeaveOut)
        })
    }
}

/// Reports a reference to a component that is not among `defined`.
pub(super) fn report_undefined(
    what: &str,
    reference: &str,
    spot: Spot,
    defined: &[&str],
    cx: &Reading<'_>,
) {
    let hint = did_you_mean(reference, defined);
    let message = format!("no {what} \"{reference}\" is defined{hint}");
    let help = match defined {
        [] => format!("there is nothing below {what}s:"),
        defined => format!("defined {what}s: {}", defined.join(", ")),
    };
    cx.error_with_help(Some(spot), &message, &help);
}
