/*!
How a key of Kiali's configuration is changed: in the Kiali resource, where an operator makes
the configuration from one, since it undoes what is changed elsewhere; else where Helm or
somebody's hand keeps it, which cannot be seen.
*/

use super::{check::Fix, facts::kiali::KialiConfig};
use serde_json::{Value, json};

/// Returns what sets keys, written in YAML, of Kiali's configuration.
pub(super) fn set(config: &KialiConfig, yaml: &str) -> Fix {
    let keys: Option<Value> = serde_saphyr::from_str(yaml).ok();
    let resource = config.resource.split_once('/').zip(keys);
    let Some(((namespace, name), keys)) = resource else {
        return Fix::text(format!(
            "In Kiali's configuration ({}; where Helm makes it, in the values) set\n{yaml}",
            config.place()
        ));
    };
    let patch = json!({"spec": keys}).to_string().replace('\'', r"'\''");
    Fix::command(
        format!(
            "Set it in the Kiali resource {namespace}/{name}, of which the operator makes {}",
            config.place()
        ),
        format!("kubectl -n {namespace} patch kialis.kiali.io {name} --type=merge -p '{patch}'"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_patched_and_nothing_else_is() {
        let mut config = KialiConfig {
            namespace: "istio-system".to_owned(),
            name: "kiali".to_owned(),
            ..KialiConfig::default()
        };
        let yaml = "external_services: {tracing: {use_grpc: true, internal_url: \"http://a'b\"}}";
        let by_hand = set(&config, yaml);
        assert_eq!(by_hand.command, None);
        assert!(by_hand.text.contains(yaml), "{}", by_hand.text);
        config.resource = "operators/mesh-kiali".to_owned();
        let patch = r#"{"spec":{"external_services":{"tracing":{"internal_url":"http://a'\''b","use_grpc":true}}}}"#;
        assert_eq!(
            set(&config, yaml).command,
            Some(format!(
                "kubectl -n operators patch kialis.kiali.io mesh-kiali --type=merge -p '{patch}'"
            ))
        );
        // What is no YAML cannot be a patch.
        assert_eq!(set(&config, "a: {b: ").command, None);
    }
}
