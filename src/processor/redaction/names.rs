/*! Names that are gathered, one list after another, in memory that stays. */

use std::ops::Range;

/// A list of names.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: String,
    places: Vec<Range<usize>>,
}

impl Names {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.places.clear();
    }

    pub(super) fn push(&mut self, name: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        self.places.push(start..self.text.len());
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (self.places.iter()).map(|place| self.text.get(place.clone()).unwrap_or_default())
    }

    /// Appends all names to `out`, sorted, with commas between them.
    pub(super) fn join_sorted(&mut self, out: &mut String) {
        let text = &self.text;
        let name = |place: &Range<usize>| text.get(place.clone()).unwrap_or_default();
        self.places
            .sort_unstable_by(|one, other| name(one).cmp(name(other)));
        for (at, name) in self.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(name);
        }
    }
}
