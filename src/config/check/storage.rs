//! `file_storage`, and `sending_queue.storage`, which names one.

use super::{Component, Context, components::Section};
use crate::config::{
    checked::{Fsync, Storage},
    de::Field,
    diagnostic::did_you_mean,
    raw::extensions as raw,
};
use std::{cell::RefCell, collections::BTreeMap, time::Duration};

const DIRECTORY: &str = "/var/lib/otelcol/file_storage";
const MIB: u64 = 1 << 20;
/// The log needs room for a few segments, else it can only be full.
const LEAST_MIB: u64 = 64;
const DEFAULT_MIB: u64 = 4096;

/// The storages that may be named.
pub(super) struct Storages<'s, 'n> {
    section: &'s Section<'n>,
    read: BTreeMap<usize, Storage>,
    /// Those that an exporter in use has named, by their index in the section.
    named: RefCell<Vec<usize>>,
}

impl<'s, 'n> Storages<'s, 'n> {
    pub(super) fn read(section: &'s Section<'n>, cx: &Context<'n>) -> Self {
        let components = section.components.iter().enumerate();
        let storages = components.filter(|(_, c)| c.id.kind == "file_storage");
        Self {
            section,
            read: storages
                .filter_map(|(at, component)| Some((at, storage(component, cx)?)))
                .collect(),
            named: RefCell::default(),
        }
    }

    /// What `sending_queue.storage` names: an index into [`Self::used`].
    pub(super) fn of_queue(
        &self,
        field: Field<String>,
        used: bool,
        cx: &Context<'_>,
    ) -> Option<usize> {
        let (reference, spot) = (field.value?, field.spot?);
        if reference.is_empty() || !used {
            return None;
        }
        let index = self.section.resolve(&reference, spot, cx)?;
        let component = self.section.components.get(index)?;
        if component.id.kind != "file_storage" {
            let kind = &component.id.kind;
            let hint = did_you_mean(kind, &["file_storage"]);
            let message = format!("wayspan has no storage \"{kind}\"{hint}");
            cx.report
                .error_at_help(spot, &message, "storages wayspan has: file_storage");
            return None;
        }
        if !component.used.get() {
            let help = format!("add {reference} to service.extensions");
            let message = "service.extensions does not enable this extension";
            cx.report.error_at_help(spot, message, &help);
            return None;
        }
        self.read.get(&index)?;
        let mut named = self.named.borrow_mut();
        let known = named.iter().position(|&n| n == index);
        Some(known.unwrap_or_else(|| {
            named.push(index);
            named.len() - 1
        }))
    }

    /// The storages in use.
    pub(super) fn used(&self) -> Vec<Storage> {
        let named = self.named.borrow();
        let storages = named.iter().filter_map(|index| self.read.get(index));
        storages.cloned().collect()
    }
}

fn storage<'n>(component: &Component<'n>, cx: &Context<'n>) -> Option<Storage> {
    let raw: raw::FileStorage = component.read(cx)?;
    if !component.used.get() {
        return None;
    }
    let least = |field: &Field<_>, duration: Duration, what: &str| {
        if let Some(spot) = field.spot.filter(|_| duration < Duration::from_millis(1)) {
            cx.report.error_at(spot, what);
        }
    };
    let interval = raw
        .fsync_interval
        .value
        .map_or(Duration::from_secs(1), |d| d.0);
    least(
        &raw.fsync_interval,
        interval,
        "at least 1ms; fsync: always syncs every write",
    );
    let timeout = raw.timeout.value.map_or(Duration::from_secs(1), |d| d.0);
    least(
        &raw.timeout,
        timeout,
        "at least 1ms, or every write is too slow",
    );
    let fsync = match raw.fsync.or(raw::Fsync::Never) {
        raw::Fsync::Always => Fsync::Always,
        raw::Fsync::Interval => Fsync::Interval(interval),
        raw::Fsync::Never => Fsync::Never,
    };
    if let (Some(spot), false) = (raw.fsync_interval.spot, matches!(fsync, Fsync::Interval(_))) {
        cx.report
            .warn_at(spot, "has no effect unless fsync is interval");
    }
    let max_mib = raw.max_size_mib.value.unwrap_or(DEFAULT_MIB);
    if let Some(spot) = raw.max_size_mib.spot.filter(|_| max_mib < LEAST_MIB) {
        cx.report.error_at(
            spot,
            &format!("at least {LEAST_MIB}, which is a few segments"),
        );
    }
    let directory = raw.directory.or(DIRECTORY.to_owned());
    Some(Storage {
        id: component.id.clone(),
        directory: directory.into(),
        create_directory: raw.create_directory.or(true),
        fsync,
        timeout,
        max_bytes: max_mib.saturating_mul(MIB),
    })
}
