/*!
A verdict carried out on a decoded span: what the `mesh` processor does to its bytes, for
display and for tests.
*/

use super::{alias, decide::Verdict, facts::key, model::Span};

/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;
/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u8 = 1;

impl Verdict<'_> {
    /// Returns the span as it goes out.
    pub(crate) fn applied_to(&self, span: &Span) -> Span {
        let mut out = span.clone();
        let own = |(key, text): &(&str, String)| ((*key).to_owned(), text.clone());
        out.attributes.extend(self.tags.iter().map(own));
        out.resource.extend(self.resource_tags.iter().map(own));
        if let Some(name) = &self.span_name {
            let old = std::mem::replace(&mut out.name, name.clone());
            out.attributes
                .push((key::ORIGINAL_SPAN_NAME.to_owned(), old));
        }
        if self.error {
            out.status = ERROR;
        }
        if let Some(name) = &self.service_name {
            rename(&mut out, name);
        }
        out
    }

    /// Returns the markers of the span that goes out as `parent`; their ids are left empty.
    pub(crate) fn markers_of(&self, parent: &Span) -> Vec<Span> {
        let marker = |alias: &alias::Alias| {
            let mut out = parent.clone();
            out.parent_span_id = std::mem::take(&mut out.span_id);
            out.name.clone_from(&alias.span_name);
            out.kind = INTERNAL;
            out.error = false;
            out.attributes
                .retain(|(key, _)| alias::keeps(key.as_bytes()));
            out.attributes
                .push((key::SYNTHETIC.to_owned(), "true".to_owned()));
            let node_id = alias.node_id.clone();
            let node_id = node_id.map(|id| (key::NODE_ID.to_owned(), id));
            out.attributes.extend(node_id);
            rename(&mut out, &alias.service_name);
            out.kin = None;
            out
        };
        self.aliases.iter().map(marker).collect()
    }
}

fn rename(span: &mut Span, name: &str) {
    span.resource.retain(|(key, _)| key != key::SERVICE_NAME);
    let named = (key::SERVICE_NAME.to_owned(), name.to_owned());
    span.resource.push(named);
}
