/*! What `validate` says of a `resource_detection` processor, and how it is built. */

use super::{
    background::DetectionBackground,
    factory::DetectionFactory,
    settings::{DetectionSettings, Detector},
};
use crate::{
    pipeline::ProcessorFactory,
    processor::{BuildContext, ProcessorSettings},
};
use std::sync::Arc;

impl ProcessorSettings for Arc<DetectionSettings> {
    fn describe(&self) -> Vec<String> {
        let of = |detector: &Detector| match detector {
            Detector::Environment(attributes) => {
                let keys: Vec<&str> = attributes.iter().map(|(key, _)| &**key).collect();
                match keys[..] {
                    [] => "nothing from the environment".to_owned(),
                    _ => format!("{} from the environment", keys.join(", ")),
                }
            }
            Detector::System { attributes, .. } => {
                let keys: Vec<&str> = attributes.iter().map(|(key, _)| *key).collect();
                format!("{} of the system", keys.join(", "))
            }
            Detector::Node(node) => format!("what Kubernetes says of the node {}", node.name),
        };
        let all: Vec<String> = self.detectors.iter().map(of).collect();
        let how = match self.overrides {
            true => "in place of what resources have",
            false => "where resources lack it",
        };
        match &all[..] {
            [] => vec!["adds nothing".to_owned()],
            all => vec![format!("adds {}, {how}", all.join("; "))],
        }
    }

    fn build(&self, with: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory> {
        let detected = DetectionBackground::detected(with.backgrounds, with.id, self);
        Arc::new(DetectionFactory {
            overrides: self.overrides,
            detected,
        })
    }
}
