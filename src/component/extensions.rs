/*!
The extensions: what `service.extensions` enables, and what they offer to the
components that name them.
*/

use super::{
    section::{Reference, Section, Usage, report_undefined},
    table::ComponentTable,
};
use crate::{
    config::{Extensions, Id, Reading, Spot, did_you_mean},
    extension::{ExtensionOffer, ExtensionSettings, Served},
};
use std::{any::Any, cell::RefCell, rc::Rc, sync::Arc};

/// An extension in use.
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    /// Its id.
    pub(crate) id: Id,
    /// Its settings.
    pub(crate) settings: Arc<dyn ExtensionSettings>,
}

/// Marks what `enabled` names as used, reads all extensions, makes known what they
/// offer, and finds out what they serve.
pub(super) fn check<'n>(
    section: &Section<'n, Arc<dyn ExtensionSettings>>,
    enabled: &[Reference],
    cx: &'n Reading<'n>,
) -> (Vec<Extension>, Served) {
    for (reference, spot) in enabled {
        let found = section.resolve(reference, *spot, cx);
        if let Some(component) = found.and_then(|i| section.components.get(i)) {
            component.usage.set(Usage::Used);
        }
    }
    let unused = "service.extensions does not enable this extension; ignored";
    let read = section.read_all(unused, cx);
    let mut served = Served::default();
    let mut extensions = Vec::new();
    let mut named = Vec::new();
    for (component, settings) in section.components.iter().zip(read) {
        if let Some(settings) = &settings
            && let Err(message) = settings.serve(&mut served)
        {
            cx.warn(Some(component.spot), message);
        }
        named.push(Named {
            written: component.written.to_owned(),
            id: component.id.clone(),
            is_used: component.usage.get() == Usage::Used,
            offer: settings.as_ref().and_then(|settings| settings.offer()),
        });
        extensions.extend(settings.map(|settings| Extension {
            id: component.id.clone(),
            settings,
        }));
    }
    cx.set_extensions(Box::new(Offers {
        table: section.table,
        extensions: named,
        taken: RefCell::default(),
    }));
    (extensions, served)
}

/// What extensions offer.
struct Offers {
    table: &'static ComponentTable<Arc<dyn ExtensionSettings>>,
    extensions: Vec<Named>,
    /// The indices of those that components have named, by what they offer.
    taken: RefCell<Vec<(String, usize)>>,
}

struct Named {
    written: String,
    id: Id,
    is_used: bool,
    /// None: it offers nothing, or is wrong, which has been reported.
    offer: Option<ExtensionOffer>,
}

impl Extensions for Offers {
    fn offer(
        &self,
        what: &str,
        reference: &str,
        spot: Spot,
        cx: &Reading<'_>,
    ) -> Option<(usize, Rc<dyn Any>)> {
        let Some(at) = self.find(reference) else {
            let defined: Vec<&str> = self.extensions.iter().map(|e| &*e.written).collect();
            report_undefined(self.table.what, reference, spot, &defined, cx);
            return None;
        };
        let extension = self.extensions.get(at)?;
        let kind = extension.id.kind.as_str();
        let kinds = self.table.offering(what);
        if !kinds.contains(&kind) {
            let hint = did_you_mean(kind, &kinds);
            let message = format!("wayspan has no {what} \"{kind}\"{hint}");
            let known = format!("{what}s wayspan has: {}", kinds.join(", "));
            let help = match self.table.unserved(kind).map(|known| known.instead) {
                Some(instead) if !instead.is_empty() => format!("{instead}\n{known}"),
                _ => known,
            };
            cx.error_with_help(Some(spot), &message, &help);
            return None;
        }
        if !extension.is_used {
            let help = format!("add {reference} to service.extensions");
            let message = "service.extensions does not enable this extension";
            cx.error_with_help(Some(spot), message, &help);
            return None;
        }
        let offer = extension.offer.clone()?;
        Some((self.position(what, at), offer))
    }

    fn taken(&self, what: &str) -> Vec<Rc<dyn Any>> {
        let taken = self.taken.borrow();
        let of_kind = taken.iter().filter(|(of, _)| of == what);
        of_kind
            .filter_map(|(_, at)| self.extensions.get(*at)?.offer.clone())
            .collect()
    }
}

impl Offers {
    fn find(&self, reference: &str) -> Option<usize> {
        let mut extensions = self.extensions.iter();
        let exact = extensions.position(|e| e.written == reference);
        exact.or_else(|| {
            let id = Id::parse(reference).ok()?;
            let kind = self.table.current_name(&id.kind).0.to_owned();
            let id = Id { kind, ..id };
            self.extensions.iter().position(|e| e.id == id)
        })
    }

    /// The position of extension `at` among those named for `what`.
    fn position(&self, what: &str, at: usize) -> usize {
        let mut taken = self.taken.borrow_mut();
        let mut of_kind = taken.iter().filter(|(of, _)| of == what);
        if let Some(position) = of_kind.position(|(_, other)| *other == at) {
            return position;
        }
        let position = taken.iter().filter(|(of, _)| of == what).count();
        taken.push((what.to_owned(), at));
        position
    }
}
