/*!
The dimensions of a series, as the bytes of the attributes that its points will have.

A key is a list of encoded attributes, each as field 1. What never changes of them is encoded once.
*/

use super::settings::{Dimension, OwnDimensions, Settings};
use crate::pdata::wire::{WireType, put_bytes, put_message, put_tag, put_varint, varint_len};

const KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
const STATUSES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// The attribute of the overflow series, encoded like a key.
pub(super) fn overflow() -> Vec<u8> {
    let mut key = Vec::new();
    put_message(1, &mut key, |pair| {
        put_bytes(1, b"otel.metric.overflow", pair);
        put_bytes(2, &[0x10, 1], pair);
    });
    key
}

/// An attribute's name, encoded.
#[derive(Clone, Debug)]
pub(super) struct Name(Vec<u8>);

impl Name {
    pub(super) fn new(name: &str) -> Self {
        let mut encoded = Vec::new();
        put_bytes(1, name.as_bytes(), &mut encoded);
        Self(encoded)
    }

    /// Appends the attribute with a value: the payload of an `AnyValue`.
    pub(super) fn put(&self, value: &[u8], key: &mut Vec<u8>) {
        self.open(value.len(), key);
        key.extend_from_slice(value);
    }

    /// Appends the attribute with a text.
    pub(super) fn put_text(&self, text: &[u8], key: &mut Vec<u8>) {
        let value = 1 + varint_len(text.len() as u64) + text.len();
        self.open(value, key);
        put_bytes(1, text, key);
    }

    fn open(&self, value: usize, key: &mut Vec<u8>) {
        let pair = self.0.len() + 1 + varint_len(value as u64) + value;
        put_tag(1, WireType::Len, key);
        put_varint(pair as u64, key);
        key.extend_from_slice(&self.0);
        put_tag(2, WireType::Len, key);
        put_varint(value as u64, key);
    }
}

/// The names and values that never change.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    own: OwnDimensions,
    service_name: Name,
    span_name: Name,
    scope_name: Name,
    scope_version: Name,
    instance: Vec<u8>,
    /// By the number of the kind; the last is for numbers that have no name.
    kinds: Vec<Vec<u8>>,
    /// By the number of the status.
    statuses: Vec<Vec<u8>>,
    /// Of spans that stand for themselves, and of those that stand for others.
    sampling: Option<[Vec<u8>; 2]>,
    /// Those of the file: names, and values of `default`.
    pub(super) named: Vec<(Name, Option<Vec<u8>>)>,
}

impl Encoded {
    /// Encodes what `settings` say; `instance` is the id of this process.
    pub(super) fn new(settings: &Settings, instance: &str) -> Self {
        let pair = |name: &str, text: &str| {
            let mut encoded = Vec::new();
            Name::new(name).put_text(text.as_bytes(), &mut encoded);
            encoded
        };
        let of = |name: &str, texts: &[&str]| {
            let texts = texts.iter().chain([&""]);
            texts.map(|text| pair(name, text)).collect()
        };
        let named = |dimension: &Dimension| {
            let default = dimension.default.as_ref().map(|text| {
                let mut value = Vec::new();
                put_bytes(1, text.as_bytes(), &mut value);
                value
            });
            (Name::new(&dimension.name), default)
        };
        let sampling = || ["counted", "extrapolated"].map(|how| pair("sampling.method", how));
        Self {
            own: settings.own,
            service_name: Name::new("service.name"),
            span_name: Name::new("span.name"),
            scope_name: Name::new("span.instrumentation.scope.name"),
            scope_version: Name::new("span.instrumentation.scope.version"),
            instance: pair("collector.instance.id", instance),
            kinds: of("span.kind", &KINDS),
            statuses: of("status.code", &STATUSES),
            sampling: settings.says_sampling.then(sampling),
            named: settings.dimensions.iter().map(named).collect(),
        }
    }

    /// Appends what all spans of a resource have.
    pub(super) fn put_resource(&self, service_name: &[u8], key: &mut Vec<u8>) {
        if self.own.service_name {
            self.service_name.put_text(service_name, key);
        }
        if self.own.instance {
            key.extend_from_slice(&self.instance);
        }
    }

    /// Appends what all spans of a scope have that is a dimension.
    pub(super) fn put_scope(&self, name: &str, version: &str, key: &mut Vec<u8>) {
        self.scope_name.put_text(name.as_bytes(), key);
        if !version.is_empty() {
            self.scope_version.put_text(version.as_bytes(), key);
        }
    }

    /// Appends what every span has.
    pub(super) fn put_span(
        &self,
        (name, kind, status): (&[u8], u64, u64),
        stands_for_others: bool,
        key: &mut Vec<u8>,
    ) {
        if self.own.span_name {
            self.span_name.put_text(name, key);
        }
        let mut put = |all: &[Vec<u8>], number: u64| {
            let known = usize::try_from(number).ok().and_then(|at| all.get(at));
            key.extend_from_slice(known.or(all.last()).map_or(&[], |pair| pair));
        };
        if self.own.span_kind {
            put(&self.kinds, kind);
        }
        if self.own.status_code {
            put(&self.statuses, status);
        }
        if let Some(sampling) = &self.sampling {
            put(sampling, u64::from(stands_for_others));
        }
    }
}
