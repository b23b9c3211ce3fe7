/*!
The tags of a span of version 2, as the translation looks at them: each name once, in
order, and those that mean something else than an attribute.
*/

use super::model::Text;
use crate::zipkin::names;

/// Which tags count. Used again for each span.
#[derive(Default)]
pub(super) struct TagOrder {
    /// Positions of the last tag of each name, in the order of names, so that the same
    /// tags give the same resource.
    positions: Vec<u32>,
    /// Positions of the texts of links, in the order of their numbers.
    links: Vec<u32>,
}

/// Positions of tags that mean something else than an attribute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SpecialTags {
    pub(super) trace_state: Option<u32>,
    pub(super) span_kind: Option<u32>,
    pub(super) error: Option<u32>,
    pub(super) status_code: Option<u32>,
    pub(super) status_description: Option<u32>,
    pub(super) source: Option<u32>,
    pub(super) library_name: Option<u32>,
    pub(super) library_version: Option<u32>,
    pub(super) scope_name: Option<u32>,
    pub(super) scope_version: Option<u32>,
}

type Tags<'s, 'a> = &'s [(Text<'a>, Text<'a>)];

impl TagOrder {
    /// Looks at the tags of a span, and finds the special ones among them.
    pub(super) fn look_at(&mut self, tags: Tags<'_, '_>) -> SpecialTags {
        let name = |at: u32| tags.get(at as usize).map_or(&b""[..], |(name, _)| name);
        self.positions.clear();
        let count = u32::try_from(tags.len()).unwrap_or(u32::MAX);
        self.positions.extend(0..count);
        self.positions
            .sort_unstable_by(|a, b| name(*a).cmp(name(*b)).then(b.cmp(a)));
        self.positions.dedup_by(|a, b| name(*a) == name(*b));
        self.find_links(tags);
        SpecialTags::find(tags, &self.positions)
    }

    /// Iterates over the tags that count.
    pub(super) fn tags<'s, 'a>(
        &'s self,
        tags: Tags<'s, 'a>,
    ) -> impl Iterator<Item = (u32, &'s Text<'a>, &'s Text<'a>)> {
        let tag = |at: &u32| {
            tags.get(*at as usize)
                .map(|(name, value)| (*at, name, value))
        };
        self.positions.iter().filter_map(tag)
    }

    /// Returns the positions of links.
    pub(super) fn links(&self) -> &[u32] {
        &self.links
    }

    /// Finds the tags `otlp.link.0`, `otlp.link.1` and so on, up to the first that is
    /// missing.
    fn find_links(&mut self, tags: Tags<'_, '_>) {
        self.links.clear();
        let name = |at: u32| tags.get(at as usize).map_or(&b""[..], |(name, _)| name);
        let prefix = names::LINK.as_bytes();
        let from = self.positions.partition_point(|at| name(*at) < prefix);
        let named = self.positions.get(from..).unwrap_or_default().iter();
        let named = named.take_while(|at| name(**at).starts_with(prefix));
        // By their names 10 is before 2.
        const NONE: u32 = u32::MAX;
        let mut numbered = [NONE; names::MAX_LINKS];
        let mut any = false;
        for at in named {
            let place = link_number(name(*at)).and_then(|number| numbered.get_mut(number));
            if let Some(place) = place {
                *place = *at;
                any = true;
            }
        }
        if any {
            let found = numbered.into_iter().take_while(|at| *at != NONE);
            self.links.extend(found);
        }
    }
}

/// Returns the number in the name of a link's tag, as it is written without need.
fn link_number(name: &[u8]) -> Option<usize> {
    let digits = name.strip_prefix(names::LINK.as_bytes())?;
    let is_plain = digits.iter().all(u8::is_ascii_digit) && digits != b"";
    let is_padded = digits.len() > 1 && digits.starts_with(b"0");
    let text = std::str::from_utf8(digits).ok();
    text.filter(|_| is_plain && !is_padded)?.parse().ok()
}

impl SpecialTags {
    fn find(tags: Tags<'_, '_>, positions: &[u32]) -> Self {
        let mut found = Self::default();
        for at in positions {
            let name = tags.get(*at as usize).map_or(&b""[..], |(name, _)| name);
            let place = match std::str::from_utf8(name).unwrap_or_default() {
                names::TRACE_STATE => &mut found.trace_state,
                names::SPAN_KIND => &mut found.span_kind,
                names::ERROR => &mut found.error,
                names::STATUS_CODE => &mut found.status_code,
                names::STATUS_DESCRIPTION => &mut found.status_description,
                names::SERVICE_NAME_SOURCE => &mut found.source,
                names::LIBRARY_NAME => &mut found.library_name,
                names::LIBRARY_VERSION => &mut found.library_version,
                names::SCOPE_NAME => &mut found.scope_name,
                names::SCOPE_VERSION => &mut found.scope_version,
                _ => continue,
            };
            *place = Some(*at);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_at(names: &[&'static str]) -> (TagOrder, SpecialTags) {
        let tags: Vec<(Text<'_>, Text<'_>)> = names
            .iter()
            .map(|name| (name.as_bytes().into(), Text::default()))
            .collect();
        let mut order = TagOrder::default();
        let special = order.look_at(&tags);
        (order, special)
    }

    #[test]
    fn the_last_of_a_name_counts() {
        let (order, special) = looked_at(&["b", "error", "a", "b", "error"]);
        assert_eq!(order.positions, [2, 3, 4]);
        assert_eq!(special.error, Some(4));
        assert_eq!(special.scope_name, None);
    }

    #[test]
    fn links_are_in_the_order_of_numbers_without_a_gap() {
        let names: Vec<String> = (0..12).map(|n| format!("otlp.link.{n}")).collect();
        let mut names: Vec<&'static str> = names.into_iter().map(|n| &*n.leak()).collect();
        names.reverse();
        let (order, _) = looked_at(&names);
        assert_eq!(order.links(), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        let (order, _) = looked_at(&["otlp.link.0", "otlp.link.2", "otlp.link.01"]);
        assert_eq!(order.links(), [0]);
        let (order, _) = looked_at(&["otlp.link.1", "otlp.link.", "otlp.link.x"]);
        assert_eq!(order.links(), [0_u32; 0]);
    }
}
