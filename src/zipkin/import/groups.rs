/*!
The request that is made: spans in groups of one resource and one scope, in the order
in which groups first came.

A group is known by the bytes of both, so that spans of one sender, which mostly come
together, cost one comparison each.
*/

use crate::pdata::wire::put_message;
use std::collections::HashMap;

/// Bytes that a group takes beside those of its parts, so that many of them count.
const GROUP: usize = 256;

/// The groups so far.
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Where the group of a head is.
    known: HashMap<Vec<u8>, usize>,
    /// The head of the span that is being added.
    head: Vec<u8>,
    last: usize,
    bytes: usize,
    most: usize,
}

/// The spans of one resource and one scope.
struct Group {
    /// The payload of the resource, then that of the scope.
    head: Vec<u8>,
    /// How much of the head the resource has.
    resource: usize,
    has_scope: bool,
    /// Span fields of a `ScopeSpans`.
    spans: Vec<u8>,
}

/// More bytes came together than there may be.
#[derive(Debug)]
pub(super) struct TooMuch(pub(super) usize);

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the request has more than {} bytes in OTLP", self.0)
    }
}

impl Groups {
    /// Makes room for groups of so many bytes in all.
    pub(super) fn new(most: usize) -> Self {
        Self {
            groups: Vec::new(),
            known: HashMap::new(),
            head: Vec::new(),
            last: 0,
            bytes: 0,
            most,
        }
    }

    /// Adds the span that `write` writes, with the payloads of its resource and scope.
    pub(super) fn add(
        &mut self,
        resource: impl FnOnce(&mut Vec<u8>),
        scope: impl FnOnce(&mut Vec<u8>) -> bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), TooMuch> {
        self.head.clear();
        resource(&mut self.head);
        let resource = self.head.len();
        let has_scope = scope(&mut self.head);
        let at = self.find(resource, has_scope);
        let Some(group) = self.groups.get_mut(at) else {
            return Ok(());
        };
        let before = group.spans.len();
        put_message(2, &mut group.spans, write);
        self.bytes += group.spans.len() - before;
        match self.bytes > self.most {
            true => Err(TooMuch(self.most)),
            false => Ok(()),
        }
    }

    /// Returns where the group of the head is, which may be new.
    fn find(&mut self, resource: usize, has_scope: bool) -> usize {
        let is_last = |group: &Group| group.head == self.head && group.resource == resource;
        if self.groups.get(self.last).is_some_and(is_last) {
            return self.last;
        }
        // The same bytes may be cut elsewhere, which the length at the end tells.
        let cut = self.head.len();
        self.head.extend_from_slice(&resource.to_le_bytes());
        self.last = match self.known.get(&self.head) {
            Some(at) => *at,
            None => {
                let at = self.groups.len();
                let head = self.head.get(..cut).unwrap_or_default().to_vec();
                self.bytes += 2 * head.len() + GROUP;
                self.groups.push(Group {
                    head,
                    resource,
                    has_scope,
                    spans: Vec::new(),
                });
                self.known.insert(self.head.clone(), at);
                at
            }
        };
        self.last
    }

    /// Writes the request.
    pub(super) fn into_request(self) -> Vec<u8> {
        let mut request = Vec::with_capacity(self.bytes);
        for group in self.groups {
            let (resource, scope) = group.head.split_at(group.resource);
            put_message(1, &mut request, |out| {
                put_message(1, out, |out| out.extend_from_slice(resource));
                put_message(2, out, |out| {
                    if group.has_scope {
                        put_message(1, out, |out| out.extend_from_slice(scope));
                    }
                    out.extend_from_slice(&group.spans);
                });
            });
        }
        request
    }
}
