/*!
By what a resource is known to be a Pod's: its attributes, or the address that it came
from.

An identifier is a key: the sources of an association with what each says. Pods are
filed under all identifiers that they may be known by.
*/

use super::container;
use crate::mesh::directory::{PodDetails, PodRecord};
use std::net::IpAddr;

const POD_IP: &str = "k8s.pod.ip";
const POD_UID: &str = "k8s.pod.uid";
const HOST_NAME: &str = "host.name";
const CONTAINER_ID: &str = "container.id";

/// Sources that are all needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Association(pub(super) Vec<AssociationSource>);

/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AssociationSource {
    /// Who sent the request.
    Connection,
    /// An attribute of the resource.
    Attribute(String),
}

/// What a resource is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The number of its association; without any, [`Associations::DEFAULT`].
    pub(super) association: usize,
    /// A source was the connection, whose address stands in the resource then.
    pub(super) by_address: bool,
}

/// `pod_association`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Associations(pub(super) Vec<Association>);

/// Writes a source and its value into an identifier.
fn put(source: &AssociationSource, value: &str, key: &mut Vec<u8>) {
    let (kind, name) = match source {
        AssociationSource::Connection => (0, ""),
        AssociationSource::Attribute(name) => (1, name.as_str()),
    };
    key.push(kind);
    for text in [name, value] {
        key.extend_from_slice(&(text.len() as u32).to_le_bytes());
        key.extend_from_slice(text.as_bytes());
    }
}

impl Associations {
    /// The number of the association that holds where none is configured.
    pub(super) const DEFAULT: usize = 0;

    /// Whether it may matter who sent a request.
    pub(super) fn use_connection(&self) -> bool {
        let mut sources = self.0.iter().flat_map(|of| &of.0);
        self.0.is_empty() || sources.any(|source| *source == AssociationSource::Connection)
    }

    /// Whether Pods are known by their containers.
    pub(super) fn use_containers(&self) -> bool {
        let mut sources = self.0.iter().flat_map(|of| &of.0);
        sources.any(
            |source| matches!(source, AssociationSource::Attribute(name) if name == CONTAINER_ID),
        )
    }

    /// Returns what metrics call each association, in the order of their numbers.
    pub(super) fn names(&self) -> Vec<String> {
        if self.0.is_empty() {
            return vec!["connection".to_owned()];
        }
        let name = |source: &AssociationSource| match source {
            AssociationSource::Connection => "connection".to_owned(),
            AssociationSource::Attribute(name) => format!("resource_attribute/{name}"),
        };
        let names = self.0.iter();
        let names = names.map(|of| of.0.iter().map(name).collect::<Vec<_>>().join("+"));
        names.collect()
    }

    /// Writes what a resource is known by into `key`, and returns which association
    /// tells it; None where none does. `text` finds attributes, which are empty where
    /// there are none. The value of a connection is written into `address`.
    pub(super) fn identify<'a>(
        &self,
        text: impl Fn(&str) -> &'a str,
        peer: Option<IpAddr>,
        key: &mut Vec<u8>,
        address: &mut String,
    ) -> Option<Found> {
        address.clear();
        let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
        if self.0.is_empty() {
            let host = Some(text(HOST_NAME)).filter(|host| host.parse::<IpAddr>().is_ok());
            let all = [text(POD_IP), text("ip"), &peer, host.unwrap_or_default()];
            let known = all.into_iter().find(|text| !text.is_empty())?;
            key.clear();
            put(&AssociationSource::Connection, known, key);
            address.push_str(known);
            return Some(Found {
                association: Self::DEFAULT,
                by_address: true,
            });
        }
        for (number, association) in self.0.iter().enumerate() {
            key.clear();
            let mut by_address = false;
            let complete = association.0.iter().all(|source| {
                let value = match source {
                    AssociationSource::Connection => {
                        by_address = true;
                        &peer
                    }
                    AssociationSource::Attribute(name) => text(name),
                };
                put(source, value, key);
                let is_host =
                    matches!(source, AssociationSource::Attribute(name) if name == HOST_NAME);
                !value.is_empty() && (!is_host || value.parse::<IpAddr>().is_ok())
            });
            if complete && !association.0.is_empty() {
                if by_address {
                    address.push_str(&peer);
                }
                return Some(Found {
                    association: number,
                    by_address,
                });
            }
        }
        None
    }

    /// Gives `each` the identifiers of a Pod. `other` finds its further attributes.
    pub(super) fn identifiers(
        &self,
        pod: &PodRecord,
        details: &PodDetails,
        other: &dyn Fn(&str) -> Option<String>,
        each: &mut dyn FnMut(&[u8]),
    ) {
        let mut key = Vec::new();
        for association in &self.0 {
            let by_container = association.0.iter().any(
                |source| matches!(source, AssociationSource::Attribute(name) if name == CONTAINER_ID),
            );
            let of_container = |id: &str, key: &mut Vec<u8>| {
                key.clear();
                let mut sources = association.0.iter();
                sources.all(|source| {
                    let value = value(source, pod, details, id, other);
                    put(source, &value, key);
                    !value.is_empty()
                })
            };
            if association.0.is_empty() {
                continue;
            }
            if by_container {
                for id in container::ids(details) {
                    if of_container(id, &mut key) {
                        each(&key);
                    }
                }
            } else if of_container("", &mut key) {
                each(&key);
            }
        }
        let own_address = !details.ip.is_empty() && !details.host_network;
        let further = [
            (
                AssociationSource::Attribute(POD_UID.to_owned()),
                &details.uid,
                true,
            ),
            (AssociationSource::Connection, &details.ip, own_address),
            (
                AssociationSource::Attribute(POD_IP.to_owned()),
                &details.ip,
                own_address,
            ),
        ];
        for (source, value, holds) in further {
            if holds && !value.is_empty() {
                key.clear();
                put(&source, value, &mut key);
                each(&key);
            }
        }
    }
}

/// What a Pod has where a source looks.
fn value(
    source: &AssociationSource,
    pod: &PodRecord,
    details: &PodDetails,
    container: &str,
    other: &dyn Fn(&str) -> Option<String>,
) -> String {
    let name = match source {
        // Pods in their node's network all have its address.
        AssociationSource::Connection if details.host_network => return String::new(),
        AssociationSource::Connection => return details.ip.clone(),
        AssociationSource::Attribute(name) => name.as_str(),
    };
    match name {
        "k8s.namespace.name" => pod.namespace.clone(),
        "k8s.pod.name" => pod.name.clone(),
        POD_UID => details.uid.clone(),
        HOST_NAME | POD_IP => details.ip.clone(),
        CONTAINER_ID => container.to_owned(),
        name => other(name).unwrap_or_default(),
    }
}
