/*!
Actions on attributes: what `resource` and `attributes` do to a list of them.

The semantics are the Collector's (`internal/coreinternal/attraction`): actions run in the order of the file, each sees
what those before it did. [`read`](config::read) checks them; an instance has a clone of its own, since patterns and
places of their groups are scratch. Nothing is allocated once that has grown.
*/

pub(super) mod config;
mod convert;
mod hash;

use crate::{
    pdata::{AnyValue, AttributeList, NewValue},
    regexp::Pattern,
};
use convert::Type;
use regex::CaptureLocations;
use std::{fmt, fmt::Write, net::IpAddr};

/// Actions in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Actions {
    actions: Vec<Action>,
    /// Text of a value that is converted.
    text: String,
    client: Client,
}

/// Who sent the request at hand, where an action asks for it.
#[derive(Clone, Debug, Default)]
struct Client {
    is_wanted: bool,
    address: Option<IpAddr>,
    /// The address as text; empty where it is not known.
    text: String,
}

#[derive(Clone, Debug)]
enum Action {
    /// Removes the first attribute of a key, and all whose key matches.
    Delete(Selected),
    /// Replaces values by their SHA-256.
    Hash(Selected),
    /// Sets the attribute of a key to what a source says, if it says anything.
    Put(PutWhen, String, Source),
    /// Sets an attribute for each group of a pattern that the text of a key matches.
    Extract(String, Extraction),
    /// Changes the type of a value.
    Convert(String, Type),
}

/// A key and a pattern of keys. Without `key` the empty key is meant, as in the Collector.
#[derive(Clone, Debug)]
struct Selected {
    key: String,
    pattern: Option<Pattern>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PutWhen {
    /// The key is not there.
    Insert,
    /// It is.
    Update,
    /// Whether it is or not.
    Upsert,
}

/// Where a value comes from: the first of these that has one.
#[derive(Clone, Debug, Default)]
struct Source {
    /// An encoded value.
    value: Option<Vec<u8>>,
    from_client: bool,
    from_attribute: Option<String>,
    /// An encoded value.
    default: Option<Vec<u8>>,
}

#[derive(Clone)]
struct Extraction {
    pattern: Pattern,
    places: CaptureLocations,
}

impl fmt::Debug for Extraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pattern.fmt(f)
    }
}

impl Source {
    fn get(&self, list: &mut AttributeList<'_>, client: &Client) -> Option<NewValue> {
        if let Some(value) = &self.value {
            return Some(list.encoded(value));
        }
        if self.from_client {
            return Some(list.text(&client.text));
        }
        if let Some(key) = &self.from_attribute
            && let Some(at) = list.find(key)
        {
            return list.value_of(at);
        }
        (self.default.as_deref()).map(|value| list.encoded(value))
    }
}

impl Actions {
    /// Begins a request that `peer` sent. Returns true if actions may now do something else than
    /// before.
    pub(super) fn begin(&mut self, peer: Option<IpAddr>) -> bool {
        let peer = peer.map(|peer| peer.to_canonical());
        let client = &mut self.client;
        if !client.is_wanted || client.address == peer {
            return false;
        }
        client.address = peer;
        client.text.clear();
        if let Some(peer) = peer {
            // Writing to a String does not fail.
            let _ = write!(client.text, "{peer}");
        }
        true
    }

    /// Runs all actions.
    pub(super) fn run(&mut self, list: &mut AttributeList<'_>) {
        let (text, client) = (&mut self.text, &self.client);
        for action in &mut self.actions {
            match action {
                Action::Delete(selected) => {
                    list.remove(&selected.key);
                    if let Some(pattern) = &selected.pattern {
                        list.remove_if(|key| pattern.is_match(key));
                    }
                }
                Action::Hash(selected) => {
                    if let Some(at) = list.find(&selected.key) {
                        hash::hash(list, at);
                    }
                    let pattern = selected.pattern.iter();
                    for pattern in pattern {
                        for at in 0..list.len() {
                            if pattern.is_match(list.key(at)) {
                                hash::hash(list, at);
                            }
                        }
                    }
                }
                Action::Put(when, key, source) => put(*when, key, source, client, list),
                Action::Extract(key, extraction) => extraction.run(key, list),
                Action::Convert(key, to) => {
                    if let Some(at) = list.find(key) {
                        convert::convert(list, at, *to, text);
                    }
                }
            }
        }
    }

    /// What they do, for `validate`: `upsert a, delete b`.
    pub(super) fn describe(&self) -> String {
        let all: Vec<_> = self.actions.iter().map(Action::describe).collect();
        all.join(", ")
    }
}

fn put(when: PutWhen, key: &str, source: &Source, client: &Client, list: &mut AttributeList<'_>) {
    let at = list.find(key);
    if at.is_some() && when == PutWhen::Insert || at.is_none() && when == PutWhen::Update {
        return;
    }
    let Some(value) = source.get(list, client) else {
        return;
    };
    match at {
        Some(at) => list.set(at, value),
        None => list.push(key, value),
    }
}

impl Extraction {
    fn run(&mut self, key: &str, list: &mut AttributeList<'_>) {
        let Some(at) = list.find(key) else { return };
        let AnyValue::String(text) = list.value(at) else {
            return;
        };
        let regex = self.pattern.regex();
        if regex.captures_read(&mut self.places, text).is_none() {
            return;
        }
        // All parts are taken before any is put, which may replace the text itself.
        let groups = self.pattern.groups();
        let first = (0..groups.len()).map(|group| self.places.get(group + 1));
        let mut values = [None; MOST_GROUPS];
        for (value, place) in values.iter_mut().zip(first) {
            let (start, end) = place.unwrap_or_default();
            *value = Some(list.part_of_text(at, start..end));
        }
        for (name, value) in groups.iter().zip(values) {
            if let Some(value) = value {
                list.put(name, value);
            }
        }
    }
}

/// Groups of a pattern whose parts are held at the same time.
const MOST_GROUPS: usize = 64;

impl Action {
    fn describe(&self) -> String {
        match self {
            Self::Delete(selected) => format!("delete {}", selected.describe()),
            Self::Hash(selected) => format!("hash {}", selected.describe()),
            Self::Put(PutWhen::Insert, key, _) => format!("insert {key}"),
            Self::Put(PutWhen::Update, key, _) => format!("update {key}"),
            Self::Put(PutWhen::Upsert, key, _) => format!("upsert {key}"),
            Self::Extract(key, extraction) => {
                format!(
                    "extract {} from {key}",
                    extraction.pattern.groups().join(" and ")
                )
            }
            Self::Convert(key, to) => format!("convert {key} to {}", to.as_str()),
        }
    }
}

impl Selected {
    fn describe(&self) -> String {
        match (&*self.key, &self.pattern) {
            (key, None) => key.to_owned(),
            ("", Some(pattern)) => format!("{pattern:?}"),
            (key, Some(pattern)) => format!("{key} and {pattern:?}"),
        }
    }
}
