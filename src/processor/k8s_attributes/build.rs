/*! What `validate` says of a `k8s_attributes` processor, and how it is built. */

use super::{
    K8sAttributesFactory, background::K8sAttributesBackground, field::MetadataField,
    settings::K8sSettings,
};
use crate::{
    pipeline::ProcessorFactory,
    processor::{BuildContext, ProcessorSettings},
};
use std::sync::Arc;

impl ProcessorSettings for Arc<K8sSettings> {
    fn describe(&self) -> Vec<String> {
        if self.passthrough {
            return vec!["notes the sender's address as k8s.pod.ip".to_owned()];
        }
        let rules = &self.filing.rules;
        let all = MetadataField::ALL.iter();
        let fields = all.filter(|(_, field)| rules.metadata.has(*field));
        let mut added: Vec<String> = fields.map(|(name, _)| (*name).to_owned()).collect();
        let of_keys = [
            ("label", rules.labels.len()),
            ("annotation", rules.annotations.len()),
        ];
        for (what, count) in of_keys {
            match count {
                0 => {}
                1 => added
                    .push(format!("1 rule for a {what}").replace("a annotation", "an annotation")),
                count => added.push(format!("{count} rules for {what}s")),
            }
        }
        let kinds = self.kept().resources;
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.plural()).collect();
        vec![
            format!("adds {}", added.join(", ")),
            format!("watches {} (verbs list and watch)", kinds.join(", ")),
        ]
    }

    fn build(&self, with: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory> {
        let current = K8sAttributesBackground::inventory(with.backgrounds, with.id, self);
        let settings = Arc::clone(self);
        Arc::new(K8sAttributesFactory::new(settings, current, with.shards))
    }
}
