//! The table of metrics in docs/operations.md is what a service registers that
//! has every component and every signal. `WAYSPAN_WRITE_DOCS=1` writes it again.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};
use testkit::{Setup, Wayspan, metrics::Page, root};

const DOCUMENT: &str = "docs/operations.md";
const BEGIN: &str = "<!-- metrics: written by tests/blackbox/metrics.rs -->\n";
const END: &str = "<!-- end of metrics -->\n";

/// A service with everything that registers a metric.
fn everything(directory: &Path) -> Setup {
    let directory = directory.display();
    let kubeconfig = format!("{directory}/kubeconfig");
    let cluster = "\
{apiVersion: v1, kind: Config, current-context: a,
 clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}],
 contexts: [{name: a, context: {cluster: a, user: a}}],
 users: [{name: a, user: {token: a}}]}
";
    fs::write(&kubeconfig, cluster).unwrap();
    Setup::to_grpc(1).layer(format!(
        "\
processors:
  filter: {{traces: {{span: ['false']}}}}
  k8s_attributes: {{passthrough: false}}
  mesh:
    kubernetes: {{kubeconfig: '{kubeconfig}'}}
    kiali: {{url: 'http://127.0.0.1:1/kiali'}}
  probabilistic_sampler: {{sampling_percentage: 100}}
connectors: {{span_metrics: }}
receivers: {{kafka: {{brokers: ['127.0.0.1:1']}}}}
exporters:
  otlp_grpc: {{sending_queue: {{storage: file_storage}}}}
extensions:
  file_storage: {{directory: '{directory}/log', create_directory: true}}
service:
  extensions: [health_check, zpages, file_storage]
  pipelines:
    traces: {{receivers: [otlp, kafka], processors: [memory_limiter, probabilistic_sampler, filter, mesh, k8s_attributes, batch], exporters: [otlp_grpc, span_metrics]}}
    metrics: {{receivers: [otlp, span_metrics], processors: [memory_limiter, batch], exporters: [otlp_grpc]}}
    logs: {{receivers: [otlp], processors: [memory_limiter, probabilistic_sampler, batch], exporters: [otlp_grpc]}}
"
    ))
}

/// What a page says of a metric.
struct Metric {
    kind: String,
    help: String,
    labels: Vec<String>,
}

fn metrics(page: &Page) -> BTreeMap<String, Metric> {
    let mut metrics = BTreeMap::new();
    let mut help = BTreeMap::new();
    for line in page.text().lines() {
        if let Some((name, text)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            help.insert(name.to_owned(), text.to_owned());
        }
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' ')) {
            let metric = Metric {
                kind: kind.to_owned(),
                help: help
                    .remove(name)
                    .unwrap_or_else(|| panic!("{name} has no help")),
                labels: labels(page, name),
            };
            metrics.insert(name.to_owned(), metric);
        }
    }
    metrics
}

/// The labels of a metric, as its first sample has them.
fn labels(page: &Page, name: &str) -> Vec<String> {
    let is_sample = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| {
            let rest = rest.strip_prefix("_bucket").unwrap_or(rest);
            rest.starts_with(['{', ' '])
        })
    };
    let line = page.text().lines().find(is_sample);
    let line = line.unwrap_or_else(|| panic!("{name} has no sample"));
    let Some((_, labels)) = line.split_once('{') else {
        return Vec::new();
    };
    let names = labels
        .split("=\"")
        .filter_map(|part| part.rsplit([',', '"']).next());
    let names = names.filter(|name| !name.contains(['}', ' ']) && *name != "le");
    names.map(str::to_owned).collect()
}

/// A row for each metric; one for the three signals where all have it.
fn table(metrics: &BTreeMap<String, Metric>) -> String {
    let mut table = String::from("| metric | type | what it says |\n|---|---|---|\n");
    let of_signal = |stem: &str, items: &str| metrics.contains_key(&format!("{stem}{items}"));
    for (name, metric) in metrics {
        let in_row_of_spans = ["metric_points", "log_records"].iter().any(|items| {
            let stem = name.strip_suffix(items);
            stem.is_some_and(|stem| of_signal(stem, "spans"))
        });
        if in_row_of_spans {
            continue;
        }
        let stem = name
            .strip_suffix("spans")
            .filter(|stem| of_signal(stem, "metric_points") && of_signal(stem, "log_records"));
        let name = match stem {
            Some(stem) => format!("{stem}{{spans,metric_points,log_records}}"),
            None => name.clone(),
        };
        let labels = match metric.labels.is_empty() {
            true => String::new(),
            false => format!("; {}", metric.labels.join(", ")),
        };
        let (kind, help) = (&metric.kind, &metric.help);
        writeln!(table, "| `{name}` | {kind}{labels} | {help} |").unwrap();
    }
    table
}

#[test]
fn every_metric_is_in_the_documentation() {
    let directory = tempfile::tempdir().unwrap();
    let wayspan = Wayspan::start(everything(directory.path()));
    let table = table(&metrics(&wayspan.page()));
    let path = root().join(DOCUMENT);
    let document = fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("where it begins");
    let (now, after) = rest.split_once(END).expect("where it ends");
    if std::env::var_os("WAYSPAN_WRITE_DOCS").is_some() {
        fs::write(path, format!("{before}{BEGIN}\n{table}\n{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        now.trim(),
        table.trim(),
        "WAYSPAN_WRITE_DOCS=1 cargo test --test blackbox metrics:: writes {DOCUMENT} again"
    );
}

/// A signal that no pipeline carries has no series.
#[test]
fn other_signals_have_no_series() {
    let wayspan = Wayspan::start(Setup::to_grpc(1));
    let page = wayspan.page();
    for absent in ["metric_points", "_records{", "\"logs\"", "\"metrics\""] {
        let ztunnel = |line: &&str| !line.starts_with("wayspan_logs_ignored_records");
        let line = page
            .text()
            .lines()
            .filter(ztunnel)
            .find(|line| line.contains(absent));
        assert_eq!(line, None, "{absent}");
    }
    assert!(page.sum("otelcol_exporter_sent_spans").is_some());
}
