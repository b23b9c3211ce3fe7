/*!
The parts of a Pod's spec that something is read of; the rest is skipped as it is
parsed.
*/

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// `v1.PodSpec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub(super) host_network: bool,
    pub(super) node_name: String,
    pub(super) hostname: String,
    pub(super) volumes: Option<Vec<Volume>>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<InitContainer>>,
}

/// A container that ends before the others begin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct InitContainer {
    name: String,
    image: String,
}

impl PodSpec {
    pub(super) fn containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().flatten()
    }

    /// Returns the name and the image of each container, init containers last.
    pub(super) fn images(&self) -> impl Iterator<Item = (&str, &str)> {
        let containers = self.containers().map(|of| (&*of.name, &*of.image));
        let init = self.init_containers.iter().flatten();
        containers.chain(init.map(|of| (&*of.name, &*of.image)))
    }
}

/// A volume of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) config_map: Option<ConfigMapVolume>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConfigMapVolume {
    pub(super) name: String,
}

/// A container of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) ports: Option<Vec<ContainerPort>>,
    pub(super) volume_mounts: Option<Vec<Mount>>,
    pub(super) readiness_probe: Option<Probe>,
    env: Option<ClusterId>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerPort {
    pub(super) name: String,
    pub(super) container_port: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Mount {
    pub(super) name: String,
    pub(super) mount_path: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Probe {
    pub(super) http_get: Option<HttpGet>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HttpGet {
    pub(super) path: String,
    pub(super) port: Option<Port>,
    pub(super) scheme: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Port {
    Number(i64),
    Name(String),
}

impl Container {
    /// Returns the value of its variable `CLUSTER_ID`.
    pub(super) fn cluster_id(&self) -> Option<&str> {
        self.env.as_ref()?.0.as_deref()
    }
}

/// The variable `CLUSTER_ID` of a container. The others, of which applications have
/// many, are not kept while they are parsed.
#[derive(Clone, Debug, Default)]
struct ClusterId(Option<String>);

#[derive(Deserialize)]
struct Variable<'v> {
    #[serde(borrow)]
    name: Cow<'v, str>,
    #[serde(borrow, default)]
    value: Cow<'v, str>,
}

impl<'de> Deserialize<'de> for ClusterId {
    fn deserialize<D: Deserializer<'de>>(variables: D) -> Result<Self, D::Error> {
        variables.deserialize_seq(Variables)
    }
}

struct Variables;

impl<'de> Visitor<'de> for Variables {
    type Value = ClusterId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of variables")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut variables: A) -> Result<ClusterId, A::Error> {
        let mut id = None;
        while let Some(variable) = variables.next_element::<Variable<'de>>()? {
            if variable.name == "CLUSTER_ID" {
                id = Some(variable.value.into_owned());
            }
        }
        Ok(ClusterId(id))
    }
}
