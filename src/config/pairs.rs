/*!
A map whose keys may be any, also written as a list of `{name, value}`.
*/

use super::{
    keys,
    node::NodeValue,
    value::{At, Field, ValueType, field, join},
};

/// Names and their values, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs(pub(crate) Vec<(String, Field<String>)>);

impl ValueType for Pairs {
    fn kind() -> String {
        "map, or list of `{name, value}`".to_owned()
    }

    fn read(at: &At<'_>) -> Result<Self, String> {
        match &at.node.value {
            NodeValue::Map(entries) => {
                let entries = entries.iter();
                let pair = |(key, node): &(String, _)| {
                    (key.clone(), field(node, &join(at.path, key), at.cx))
                };
                Ok(Self(entries.map(pair).collect()))
            }
            NodeValue::List(items) => {
                let pair = |(i, item): (usize, _)| {
                    let path = join(at.path, i);
                    let node: &super::node::Node = item;
                    let spot = at.cx.report().spot(node.place, &path);
                    keys::read(node, (&path, spot), true, at.cx, |keys| {
                        let name = keys.or("name", String::new(), "");
                        let value: Field<String> = keys.get("value", "", "");
                        let value = Field {
                            spot: value.spot.or(keys.spot()),
                            ..value
                        };
                        (name.value, value)
                    })
                };
                Ok(Self(items.iter().enumerate().filter_map(pair).collect()))
            }
            NodeValue::Scalar(_) => Err(at.expected("a map of names to values")),
        }
    }
}
