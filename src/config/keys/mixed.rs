/*! Lists of texts, or of maps that have such texts and say more about them. */

use super::{Field, KeyReader, field, join, read};

/// A list whose items are texts or maps.
#[derive(Debug, Default)]
pub(crate) struct Mixed<T> {
    pub(crate) texts: Vec<Field<String>>,
    pub(crate) sections: Vec<T>,
}

impl<'n> KeyReader<'n> {
    /// Reads the list below `key`. None when there is no list.
    pub(crate) fn texts_or_sections<T>(
        &mut self,
        key: &'static str,
        effect: &'static str,
        mut reader: impl FnMut(&mut KeyReader<'n>) -> T,
    ) -> Option<Mixed<T>> {
        let kind = "list: text, or a map".to_owned();
        self.declare(key, kind, "none".to_owned(), effect);
        let path = join(&self.path, key);
        if self.describes_item(key, &path, &mut reader) {
            return None;
        }
        let (spot, items) = self.items(key, &path)?;
        let items = items?;
        let mut mixed = Mixed {
            texts: Vec::new(),
            sections: Vec::new(),
        };
        for (i, item) in items.iter().enumerate() {
            let path = join(&path, i);
            let spot = self.cx.report().spot(item.place, &path);
            if item.is_null() {
                self.cx.error(Some(spot), "is empty");
            } else if item.is_map() {
                let section = read(item, (&path, spot), self.is_used, self.cx, &mut reader);
                mixed.sections.extend(section);
            } else {
                mixed.texts.push(field(item, &path, self.cx));
            }
        }
        if !mixed.texts.is_empty() && !mixed.sections.is_empty() {
            self.cx
                .error(Some(spot), "has texts and maps: write one or the other");
        }
        Some(mixed)
    }
}
