//! Every file and every documented example loads.

use super::{good, load};
use std::{fs, path::Path};
use wayspan::config::Source;

#[test]
fn every_ready_pipeline_loads() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    let mut seen = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let config = load(&[Source::File(path.clone())]).unwrap_or_else(|e| panic!("{e}"));
        assert!(config.health_check.is_some(), "{}", path.display());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Only the drop-in has parts that are left out.
        assert_eq!(
            config.warnings.is_empty(),
            name != "istio-collector.yaml",
            "{:?}",
            config.warnings
        );
        seen.push(name);
    }
    assert!(seen.len() >= 9, "{seen:?}");
}

#[test]
fn every_documented_example_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let docs = fs::read_to_string(path).unwrap();
    let mut examples = 0;
    for block in docs.split("```yaml\n").skip(1) {
        let (yaml, _) = block.split_once("```").unwrap();
        // Examples show a part; the rest is as in the default.
        let sources = [wayspan::config::default_source(), super::text(yaml)];
        load(&sources).unwrap_or_else(|error| panic!("{yaml}\n{error}"));
        examples += 1;
    }
    assert!(examples >= 4, "{examples}");
    good(super::MINIMAL);
}
