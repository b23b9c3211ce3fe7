/*! Requests with every field of the schema, every kind of value, and text of every script. */

pub mod logs;
pub mod metrics;
pub mod traces;

pub use traces::{request, span};

use crate::oracle::KEYS;
use opentelemetry_proto::tonic::{
    common::v1::{
        AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
        any_value::Value,
    },
    resource::v1::Resource,
};
use proptest::{collection::vec, option, prelude::*};

pub fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(&KEYS[..]).prop_map(str::to_owned),
        1 => "[a-z._]{1,12}",
        1 => "[a-z]{120,140}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~]{0,24}",
        2 => "\\PC{0,10}",
        1 => Just("inbound-vip|9080|http|ratings.bookinfo.svc.cluster.local".to_owned()),
        1 => "[a-zé]{110,150}",
    ]
}

fn id(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), len),
        1 => Just(vec![0; len]),
        1 => vec(any::<u8>(), 0..20),
        1 => Just(Vec::new()),
    ]
}

pub fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        1 => any::<i64>().prop_map(Value::IntValue),
        1 => (-9i64..200).prop_map(Value::IntValue),
        1 => double().prop_map(Value::DoubleValue),
        1 => vec(any::<u8>(), 0..20).prop_map(Value::BytesValue),
        1 => any::<i32>().prop_map(Value::StringValueStrindex),
    ];
    let leaf = option::weighted(0.95, leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 12, 3, |inner| {
        let entry = (key(), option::weighted(0.9, inner.clone()), strindex());
        let entry = entry.prop_map(|(key, value, key_strindex)| KeyValue {
            key,
            value,
            key_strindex,
        });
        prop_oneof![
            vec(inner, 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(entry, 0..3).prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

/// A number that equals itself.
fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => prop::num::f64::NORMAL | prop::num::f64::ZERO,
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ]
}

fn strindex() -> impl Strategy<Value = i32> {
    prop_oneof![9 => Just(0), 1 => any::<i32>()]
}

fn key_value() -> impl Strategy<Value = KeyValue> {
    (key(), option::weighted(0.95, any_value()), strindex()).prop_map(
        |(key, value, key_strindex)| KeyValue {
            key,
            value,
            key_strindex,
        },
    )
}

fn attributes(max: usize) -> impl Strategy<Value = Vec<KeyValue>> {
    vec(key_value(), 0..max)
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(0u32), 1 => any::<u32>()]
}

fn enumeration() -> impl Strategy<Value = i32> {
    prop_oneof![8 => 0..6i32, 1 => any::<i32>()]
}

fn entity_ref() -> impl Strategy<Value = EntityRef> {
    (text(), text(), vec(text(), 0..3), vec(text(), 0..3)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type,
            id_keys,
            description_keys,
        },
    )
}

pub fn resource() -> impl Strategy<Value = Resource> {
    (attributes(4), count(), vec(entity_ref(), 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    )
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes(2), count()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    )
}
