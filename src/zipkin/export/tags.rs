/*!
The tags of a span: attributes of its resource, its scope and itself, of which the
nearest to the span counts.
*/

use super::{ExportOptions, value};
use crate::{
    pdata::{AnyValue, KeyValue, message::Message},
    zipkin::names,
};
use std::{borrow::Cow, collections::BTreeMap};

/// A tag's value.
#[derive(Clone, Debug)]
pub(super) enum TagValue<'a> {
    Any(AnyValue<'a>),
    Text(Cow<'a, str>),
}

impl<'a> TagValue<'a> {
    /// Returns it as text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Any(value) => value::as_text(*value),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }

    fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Any(value) => value::as_text(value),
            Self::Text(text) => text,
        }
    }
}

/// Tags by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Tags<'a>(BTreeMap<Cow<'a, str>, TagValue<'a>>);

impl<'a> Tags<'a> {
    /// Makes the tags of a span: those of its group and its own.
    pub(super) fn of_span(group: &GroupTags<'a>, span: Message<'a>) -> Self {
        let mut tags = group.tags.clone();
        tags.add(span.attributes(9));
        // Zipkin knows the status by its old name.
        if !tags.0.contains_key("http.status_code")
            && let Some(status) = tags.0.get("http.response.status_code").cloned()
        {
            tags.0.insert("http.status_code".into(), status);
        }
        tags
    }

    fn add(&mut self, attributes: impl Iterator<Item = KeyValue<'a>>) {
        let tags = attributes.map(|attribute| {
            let value = TagValue::Any(attribute.value);
            (Cow::Borrowed(attribute.key), value)
        });
        self.0.extend(tags);
    }

    /// Sets a tag.
    pub(super) fn set(&mut self, name: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) {
        self.0.insert(name.into(), TagValue::Text(text.into()));
    }

    /// Takes a tag out.
    pub(super) fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        self.0.remove(name).map(TagValue::into_text)
    }

    /// Iterates over all, in the order of names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &TagValue<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

/// What all spans of a resource and scope have.
#[derive(Debug)]
pub(super) struct GroupTags<'a> {
    pub(super) service: Cow<'a, str>,
    tags: Tags<'a>,
}

impl<'a> GroupTags<'a> {
    /// Makes the tags of a resource, and finds the name of its service.
    pub(super) fn of_resource(resource: Message<'a>, options: &'a ExportOptions) -> Self {
        let mut tags = Tags::default();
        tags.add(resource.attributes(1));
        // Zipkin knows it by its old name.
        if let Some(id) = tags.0.remove("cloud.resource_id") {
            tags.0.entry("faas.id".into()).or_insert(id);
        }
        let service = tags.take(names::SERVICE_NAME).or_else(|| {
            let others = [
                "faas.name",
                "k8s.deployment.name",
                "process.executable.name",
            ];
            let found = others
                .into_iter()
                .find_map(|name| Some((name, tags.take(name)?)));
            let (name, service) = found?;
            tags.set(names::SERVICE_NAME_SOURCE, name);
            Some(service)
        });
        let default = options.default_service_name.as_deref();
        let default = default.unwrap_or(names::NO_SERVICE_NAME);
        Self {
            service: service.unwrap_or(Cow::Borrowed(default)),
            tags,
        }
    }

    /// Makes the same with the tags of a scope.
    pub(super) fn with_scope(&self, scope: Message<'a>) -> Self {
        let mut tags = self.tags.clone();
        tags.add(scope.attributes(3));
        for (number, name) in [(1, names::LIBRARY_NAME), (2, names::LIBRARY_VERSION)] {
            if !scope.text(number).is_empty() {
                tags.set(name, scope.text(number));
            }
        }
        Self {
            service: self.service.clone(),
            tags,
        }
    }
}
