/*! The labels of series, as Prometheus' text has them. */

use crate::{
    pdata::{KeyValue, text::put_text},
    prometheus::{names, text::put_label},
};

/// Names and values, in order once they are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels(Vec<(String, String)>);

impl Labels {
    /// Adds attributes, whose names get `prefix`. Returns false if one has no name that may be.
    #[must_use]
    pub(super) fn add_all<'a>(
        &mut self,
        attributes: impl Iterator<Item = KeyValue<'a>>,
        prefix: &str,
    ) -> bool {
        for attribute in attributes {
            let Some(name) = names::label(&format!("{prefix}{}", attribute.key)) else {
                return false;
            };
            let mut value = String::new();
            put_text(attribute.value, &mut value);
            self.0.push((name, value));
        }
        true
    }

    /// Adds a label.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Joins the values of labels that have one name.
    pub(super) fn join(&mut self) {
        let mut joined: Vec<(String, String)> = Vec::new();
        for (name, value) in self.0.drain(..) {
            match joined.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => {
                    known.push(';');
                    known.push_str(&value);
                }
                None => joined.push((name, value)),
            }
        }
        self.0 = joined;
    }

    /// As they are written between braces, in the order of their names. None if two have one
    /// name.
    pub(super) fn show(mut self) -> Option<String> {
        self.0.sort();
        if self.0.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return None;
        }
        let mut shown = String::new();
        for (name, value) in &self.0 {
            put_label(name, value, &mut shown);
        }
        Some(shown)
    }
}
