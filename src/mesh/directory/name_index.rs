/*!
From what an application calls itself to the app label that it means.

Developers write `ORDERS` or `orders-service` where the label says `orders`.
Such a name means an app whose label equals it but for letter case; else the
app behind the Service of that name; else the app of the workload of that name.
The first of the three that has any answer decides, and an answer must be one:
where two labels fit equally well, none does.
*/

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// An app, in its label's own case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct App<'a> {
    /// The label's value.
    pub(crate) name: &'a str,
    /// The namespace it is in; `None` where several have it.
    pub(crate) namespace: Option<&'a str>,
}

/// What a name is a name of, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    App,
    Service,
    Workload,
}

#[derive(Clone, Debug)]
struct Entry {
    rank: Rank,
    /// The name that means `app`.
    key: Box<str>,
    app: Box<str>,
    namespace: Box<str>,
}

/// An index of all names that mean an app.
#[derive(Clone, Debug, Default)]
pub(super) struct NameIndex {
    table: HashTable<Entry>,
    hasher: RandomState,
}

impl NameIndex {
    /// Records that `key` means `app` in `namespace`. Each such fact is to be
    /// inserted once.
    pub(crate) fn insert(&mut self, rank: Rank, namespace: &str, key: &str, app: &str) {
        let hasher = &self.hasher;
        let entry = Entry {
            rank,
            key: key.into(),
            app: app.into(),
            namespace: namespace.into(),
        };
        self.table
            .insert_unique(fold_hash(hasher, key), entry, |e| fold_hash(hasher, &e.key));
    }

    /// Returns the app that `name` means in one namespace, or anywhere; `None`
    /// where it means none, or more than one.
    pub(crate) fn find(&self, namespace: Option<&str>, name: &str) -> Option<App<'_>> {
        [Rank::App, Rank::Service, Rank::Workload]
            .into_iter()
            .find_map(|rank| self.of_rank(rank, namespace, name))?
    }

    /// Returns `None` if nothing of this rank fits, and `Some(None)` if more than
    /// one app does.
    fn of_rank(&self, rank: Rank, namespace: Option<&str>, name: &str) -> Option<Option<App<'_>>> {
        let mut best: Option<(bool, Option<App<'_>>)> = None;
        for entry in self.table.iter_hash(fold_hash(&self.hasher, name)) {
            if entry.rank != rank
                || namespace.is_some_and(|only| only != &*entry.namespace)
                || !same_but_case(&entry.key, name)
            {
                continue;
            }
            let exact = &*entry.key == name;
            let app = App {
                name: &entry.app,
                namespace: Some(&entry.namespace),
            };
            best = Some(match best {
                Some((best_exact, seen)) if best_exact == exact => {
                    let same = seen.filter(|seen| seen.name == app.name);
                    let joined = same.map(|seen| App {
                        namespace: seen.namespace.filter(|ns| Some(*ns) == app.namespace),
                        ..seen
                    });
                    (exact, joined)
                }
                Some((true, seen)) => (true, seen),
                _ => (exact, Some(app)),
            });
        }
        best.map(|(_, app)| app)
    }
}

/// Returns true if two names differ in letter case at most.
pub(crate) fn same_but_case(one: &str, other: &str) -> bool {
    fold(one).eq(fold(other))
}

/// Returns the letters in lower case.
fn fold(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

fn fold_hash(hasher: &RandomState, text: &str) -> u64 {
    let mut hash = hasher.build_hasher();
    fold(text).for_each(|c| hash.write_u32(u32::from(c)));
    hash.finish()
}
