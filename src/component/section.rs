/*!
The components of a section: their ids, which of them are used, and what their
keys say.
*/

use super::{
    fingerprint::Fingerprints,
    table::ComponentTable,
    unserved::{Unserved, Verdict},
};
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
    pub(super) usage: Cell<Usage>,
    node: &'n Node,
}

/// What uses a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Usage {
    /// Nothing.
    Unused,
    /// Only what is not run, or runs without it: that is said there.
    LeftOut,
    /// Something that is run.
    Used,
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
                usage: Cell::new(Usage::Unused),
                node,
            });
        }
        section
    }

    /// Adds the fingerprints of its components to `all`.
    pub(super) fn fingerprint(&self, all: &mut Fingerprints, extensions: Option<&Node>) {
        for component in &self.components {
            all.add(self.table.what, &component.id, component.node, extensions);
        }
    }

    /// The id that `key` says, by its current name.
    fn id(&self, key: &str, spot: Spot, cx: &Reading<'_>) -> Option<Id> {
        let report = |message: String| cx.error_at_key(Some(spot), &message, "");
        let mut id = Id::parse(key).map_err(report).ok()?;
        let (current, is_renamed) = self.table.current_name(&id.kind);
        let current = current.to_owned();
        let written = std::mem::replace(&mut id.kind, current);
        let mut before = self.components.iter().map(|c| c.written);
        let is_told = before.any(|other| other.split('/').next() == Some(&*written));
        if is_renamed && !is_told {
            let message = format!("\"{written}\" is the old name of \"{}\"", id.kind);
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
                kind: self.table.current_name(&id.kind).0.to_owned(),
                ..id
            };
            self.components.iter().position(|c| c.id == id)
        })
    }

    fn component(&self, reference: &str) -> Option<&Component<'n>> {
        self.find(reference).and_then(|at| self.components.get(at))
    }

    /// Marks what `reference` names, where more than that is not known of it yet.
    pub(super) fn mark(&self, reference: &str, usage: Usage) {
        if let Some(component) = self.component(reference) {
            component.usage.set(component.usage.get().max(usage));
        }
    }

    /// Returns what becomes of the component that `reference` names. None: it is
    /// served, or is not there.
    pub(super) fn unserved(&self, reference: &str) -> Option<Verdict> {
        let component = self.component(reference)?;
        let kind = &component.id.kind;
        match self.table.kind(kind) {
            Some(_) => None,
            None => Some(self.table.verdict(kind, component.node)),
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
        let is_used = component.usage.get() == Usage::Used;
        let at = (component.path.as_str(), component.spot);
        let read = |keys: &mut keys::KeyReader<'n>| (kind.read)(&component.id, keys);
        let value = keys::read(component.node, at, is_used, cx, read).flatten();
        value.filter(|_| is_used)
    }

    /// Reports a kind that wayspan does not have, once.
    fn unsupported(&self, component: &Component<'n>, unused: &str, cx: &Reading<'_>) {
        let (what, kind) = (self.table.what, &component.id.kind);
        let spot = Some(component.spot);
        match component.usage.get() {
            Usage::Unused => return cx.warn(spot, unused),
            Usage::LeftOut => return,
            Usage::Used => {}
        }
        let names = self.table.names();
        let hint = did_you_mean(kind, &names);
        let unserved = self.table.unserved(kind);
        // What looks like a slip of the pen is not left out, and needs no other remedy.
        let is_slip = unserved.is_none() && !hint.is_empty();
        let remedy = match self.table.verdict(kind, component.node) {
            Verdict::LeaveOut(_) | Verdict::Refuse(_) if is_slip => "",
            Verdict::LeaveOut(effect) => {
                let ports = unserved.map(|known| ports(component.node, known));
                let message = match ports.filter(|ports| !ports.is_empty()) {
                    Some(ports) => format!(
                        "wayspan has no {what} \"{kind}\", so nobody listens on {}; ignored: {effect}",
                        ports.join(", ")
                    ),
                    None => format!("wayspan has no {what} \"{kind}\"; ignored: {effect}"),
                };
                return cx.warn(spot, &message);
            }
            Verdict::Refuse(remedy) => remedy,
        };
        let known = match names.is_empty() {
            true => String::new(),
            false => format!("{what}s wayspan has: {}", names.join(", ")),
        };
        let help: Vec<_> = [remedy, &known]
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        let message = format!("wayspan has no {what} \"{kind}\"{hint}");
        cx.error_at_key(spot, &message, &help.join("\n"));
    }
}

/// Where a receiver that is not served would listen.
fn ports(node: &Node, unserved: &Unserved) -> Vec<String> {
    let endpoint = |node: &Node, default: &str| {
        let text = node.get("endpoint").and_then(Node::text);
        text.map_or_else(|| default.to_owned(), str::to_owned)
    };
    let of = |(protocol, default): &(&str, &str)| match *protocol {
        "" => Some(endpoint(node, default)),
        protocol => {
            let section = node.get("protocols")?.get(protocol)?;
            Some(endpoint(section, default))
        }
    };
    unserved.ports.iter().filter_map(of).collect()
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
