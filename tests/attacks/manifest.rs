//! The limits of `deploy/wayspan.yaml`, which are the bounds of these tests.

use std::fs;
use testkit::root;

pub struct Manifest {
    /// The configuration of its ConfigMap.
    pub config: String,
    /// The memory of its container, in MiB.
    pub container_mib: u64,
}

impl Manifest {
    pub fn read() -> Self {
        let text = fs::read_to_string(root().join("deploy/wayspan.yaml")).unwrap();
        let (_, rest) = text.split_once("config.yaml: |\n").unwrap();
        let (config, _) = rest.split_once("---\n").unwrap();
        let (_, rest) = text.split_once("limits: {memory: ").unwrap();
        let (memory, _) = rest.split_once("Mi}").unwrap();
        Self {
            config: config.to_owned(),
            container_mib: memory.parse().unwrap(),
        }
    }

    /// A memory limit for that container, in MiB: the default there, or a lower one, so
    /// that what is not charged shows.
    pub fn limit_mib(&self, is_default: bool) -> u64 {
        match is_default {
            true => self.container_mib * 7 / 8 - 96,
            false => self.container_mib * 40 / 100,
        }
    }
}
