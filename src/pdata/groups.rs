/*!
Writing a request again, group by group: for whatever changes more of it than
[`Edits`](super::Edits) can.

[`resource_groups`] and [`scope_groups`] go through what a walk found;
[`put_resource_group`], [`put_scope_group`] and [`put_item`] write one level each, with what stands
around it kept: schema URLs, and unknown fields byte for byte. A group into which nothing is written is
left out. What comes out is canonical, if the payloads given are. All signals have the same fields at
these levels.
*/

use super::{
    index::{Index, ItemEntry, ResourceEntry, ScopeEntry},
    wire::{put_bytes, put_message},
};

/// Field of a request that holds a resource group.
const RESOURCE_GROUP: u32 = 1;
/// Field of a resource group that holds a scope group.
const SCOPE_GROUP: u32 = 2;
/// Field of a scope group that holds an item.
const ITEM: u32 = 2;
/// Field of a group that holds its resource or scope.
const HEAD: u32 = 1;
/// Field of a group that holds its schema URL.
const SCHEMA_URL: u32 = 3;

/// Each resource group of the index with its items, but for groups without any.
pub fn resource_groups(index: &Index) -> impl Iterator<Item = (&ResourceEntry, &[ItemEntry])> {
    resource_groups_of(index, &index.items)
}

/// The same among some of its items.
pub(crate) fn resource_groups_of<'a>(
    index: &'a Index,
    items: &'a [ItemEntry],
) -> impl Iterator<Item = (&'a ResourceEntry, &'a [ItemEntry])> {
    let groups = items.chunk_by(|a, b| a.resource == b.resource);
    groups.filter_map(|items| {
        let resource = index.resources.get(items.first()?.resource as usize)?;
        Some((resource, items))
    })
}

/// Each scope group among the items of a resource group, but for groups without any.
pub fn scope_groups<'a>(
    index: &'a Index,
    items: &'a [ItemEntry],
) -> impl Iterator<Item = (&'a ScopeEntry, &'a [ItemEntry])> {
    let groups = items.chunk_by(|a, b| a.scope == b.scope);
    groups.filter_map(|items| {
        let scope = index.scopes.get(items.first()?.scope as usize)?;
        Some((scope, items))
    })
}

/// Appends a resource group: that of `entry` in `request`, but with `resource` as the
/// payload of its `Resource`, and with the scope groups that `scopes` appends.
pub fn put_resource_group(
    request: &[u8],
    entry: &ResourceEntry,
    resource: &[u8],
    out: &mut Vec<u8>,
    scopes: impl FnOnce(&mut Vec<u8>),
) {
    put_group(RESOURCE_GROUP, out, |out| {
        if !resource.is_empty() {
            put_bytes(HEAD, resource, out);
        }
        let is_any = appends(out, scopes);
        put_schema_url(entry.schema_url.of(request), out);
        out.extend_from_slice(entry.rest.of(request));
        is_any
    });
}

/// Appends a scope group: that of `entry` in `request`, but with `scope` as the payload of its
/// `InstrumentationScope`, and with the items that `items` appends.
pub fn put_scope_group(
    request: &[u8],
    entry: &ScopeEntry,
    scope: &[u8],
    out: &mut Vec<u8>,
    items: impl FnOnce(&mut Vec<u8>),
) {
    put_group(SCOPE_GROUP, out, |out| {
        if entry.has_scope || !scope.is_empty() {
            put_bytes(HEAD, scope, out);
        }
        let is_any = appends(out, items);
        put_schema_url(entry.schema_url.of(request), out);
        out.extend_from_slice(entry.rest.of(request));
        is_any
    });
}

/// Appends a group, if `write` says that something is in it.
fn put_group(number: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) {
    let before = out.len();
    let mut is_any = false;
    put_message(number, out, |out| is_any = write(out));
    if !is_any {
        out.truncate(before);
    }
}

/// Returns true if `write` appends anything.
fn appends(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> bool {
    let before = out.len();
    write(out);
    out.len() > before
}

/// Appends an item, a payload, to a scope group.
pub fn put_item(payload: &[u8], out: &mut Vec<u8>) {
    put_bytes(ITEM, payload, out);
}

fn put_schema_url(url: &[u8], out: &mut Vec<u8>) {
    if !url.is_empty() {
        put_bytes(SCHEMA_URL, url, out);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::pdata::{Keys, Signal, validate};

    /// Writes every group of a request again.
    fn copy(request: &[u8]) -> Vec<u8> {
        let mut index = Index::default();
        validate(Signal::Traces, request, &Keys::default(), &mut index).unwrap();
        let mut out = Vec::new();
        for (resource, items) in resource_groups(&index) {
            let payload = resource.resource.of(request);
            put_resource_group(request, resource, payload, &mut out, |out| {
                for (scope, items) in scope_groups(&index, items) {
                    put_scope_group(request, scope, scope.scope.of(request), out, |out| {
                        for item in items {
                            put_item(item.bytes.of(request), out);
                        }
                    });
                }
            });
        }
        out
    }

    #[test]
    fn what_is_written_again_is_the_same() {
        let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let mut seen = 0;
        for folder in std::fs::read_dir(fixtures).unwrap().flatten() {
            let Ok(files) = std::fs::read_dir(folder.path()) else {
                continue;
            };
            for file in files
                .flatten()
                .filter(|f| f.path().extension().is_some_and(|e| e == "pb"))
            {
                let request = std::fs::read(file.path()).unwrap();
                assert_eq!(copy(&request), request, "{}", file.path().display());
                seen += 1;
            }
        }
        assert!(seen > 3, "only {seen} fixtures");
    }

    #[test]
    fn a_group_into_which_nothing_is_written_is_left_out() {
        let mut request = Vec::new();
        put_message(1, &mut request, |group| {
            put_bytes(1, b"", group);
            for url in [&b"one"[..], b"two"] {
                put_message(2, group, |scope| {
                    put_item(b"", scope);
                    put_bytes(3, url, scope);
                });
            }
        });
        let mut index = Index::default();
        validate(Signal::Traces, &request, &Keys::default(), &mut index).unwrap();
        let (resource, items) = resource_groups(&index).next().unwrap();
        let left = |keeps: &dyn Fn(&[u8]) -> bool| {
            let mut out = Vec::new();
            put_resource_group(&request, resource, b"", &mut out, |out| {
                for (scope, items) in scope_groups(&index, items) {
                    put_scope_group(&request, scope, b"", out, |out| {
                        for item in items
                            .iter()
                            .filter(|_| keeps(scope.schema_url.of(&request)))
                        {
                            put_item(item.bytes.of(&request), out);
                        }
                    });
                }
            });
            out
        };
        assert_eq!(left(&|_| false), b"");
        let one = left(&|url| url == b"one");
        assert!(one.windows(3).any(|part| part == b"one"));
        assert!(!one.windows(3).any(|part| part == b"two"));
    }

    #[test]
    fn schema_urls_and_unknown_fields_stay() {
        let mut request = Vec::new();
        put_message(1, &mut request, |group| {
            put_message(2, group, |scope| {
                put_bytes(1, b"", scope);
                put_item(b"", scope);
                put_item(b"\x2a\x01n", scope);
                put_bytes(3, b"scope url", scope);
                put_bytes(99, b"unknown", scope);
            });
            put_bytes(3, b"resource url", group);
            put_bytes(98, b"unknown too", group);
        });
        assert_eq!(copy(&request), request);
    }
}
