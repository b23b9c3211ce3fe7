/*! The containers of a Pod, as far as attributes come from them. */

use super::{
    field::MetadataField as F,
    image::{ImageReference, canonical},
    rules::Rules,
};
use crate::mesh::directory::{PodDetails, PodRecord};
use std::collections::BTreeMap;

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ContainerAttributes {
    /// `k8s.container.name`.
    pub(super) name: Option<String>,
    /// `container.image.name`.
    pub(super) image_name: Option<String>,
    /// `container.image.tag`.
    pub(super) image_tag: Option<String>,
    /// `service.instance.id`.
    pub(super) instance: Option<String>,
    /// `service.version`.
    pub(super) version: Option<String>,
    /// Its runs by the number of restarts before them.
    pub(super) runs: BTreeMap<i64, ContainerRun>,
}

/// One run of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ContainerRun {
    /// `container.id`.
    pub(super) id: Option<String>,
    /// `container.image.repo_digests`.
    pub(super) repo_digest: Option<String>,
}

/// The containers of one Pod.
#[derive(Debug, Default)]
pub(super) struct Containers<'a> {
    all: Vec<ContainerAttributes>,
    by_name: BTreeMap<&'a str, usize>,
    by_id: BTreeMap<&'a str, usize>,
}

/// Returns the ids of a Pod's containers.
pub(super) fn ids(details: &PodDetails) -> impl Iterator<Item = &str> {
    details.statuses.iter().map(|status| bare_id(&status.id))
}

/// Returns an id without the scheme of the runtime.
fn bare_id(id: &str) -> &str {
    match id.split_once("://") {
        Some((_, bare)) if !bare.contains("://") => bare,
        _ => id,
    }
}

impl<'a> Containers<'a> {
    /// Returns what the rules want of a Pod's containers.
    pub(super) fn of(pod: &'a PodRecord, details: &'a PodDetails, rules: &Rules) -> Self {
        let mut containers = Self::default();
        let fields = rules.metadata;
        let of_images = [
            F::ImageName,
            F::ImageTag,
            F::ImageTags,
            F::ServiceVersion,
            F::ServiceInstanceId,
        ];
        if fields.has_any(&of_images) {
            for spec in &details.containers {
                let mut container = ContainerAttributes::default();
                if let Some(image) = ImageReference::parse(&spec.image) {
                    let has = |field| fields.has(field).then_some(());
                    container.image_name = has(F::ImageName).map(|()| image.name.to_owned());
                    let tag = || image.tag.unwrap_or("latest").to_owned();
                    container.image_tag = has(F::ImageTag).map(|()| tag());
                    container.version = has(F::ServiceVersion).and_then(|()| image.version());
                }
                containers.by_name.insert(&spec.name, containers.all.len());
                containers.all.push(container);
            }
        }
        for status in &details.statuses {
            let next = containers.all.len();
            let at = *containers.by_name.entry(&status.name).or_insert(next);
            if at == next {
                containers.all.push(ContainerAttributes::default());
            }
            let Some(container) = containers.all.get_mut(at) else {
                continue;
            };
            if fields.has(F::ContainerName) {
                container.name = Some(status.name.clone());
            }
            if fields.has(F::ServiceInstanceId) {
                let PodRecord {
                    namespace, name, ..
                } = pod;
                container.instance = Some(format!("{namespace}.{name}.{}", status.name));
            }
            let id = bare_id(&status.id);
            containers.by_id.insert(id, at);
            let run = ContainerRun {
                id: fields.has(F::ContainerId).then(|| id.to_owned()),
                repo_digest: (fields.has(F::ImageRepoDigests))
                    .then(|| canonical(&status.image_id))
                    .flatten(),
            };
            if run != ContainerRun::default() {
                container.runs.insert(status.restarts, run);
            }
        }
        containers
    }

    /// Returns the container that is meant by its name, else by its id, else because it
    /// is the only one.
    pub(super) fn find(&self, name: &str, id: &str) -> Option<&ContainerAttributes> {
        let at = match (name, id) {
            ("", "") if self.by_id.len() == 1 => self.by_id.values().next(),
            ("", "") if self.by_name.len() == 1 => self.by_name.values().next(),
            ("", "") => None,
            ("", id) => self.by_id.get(id),
            (name, _) => self.by_name.get(name),
        };
        self.all.get(*at?)
    }
}
