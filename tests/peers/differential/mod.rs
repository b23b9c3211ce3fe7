/*!
Differential tests: the same requests go to the OpenTelemetry Collector and to
wayspan under the same configuration, and what arrives behind them is the same.

Idea: a table (in `tests/differential`) lists cases, each a piece of
configuration and requests. All cases of a table run in one process of either
product, each as a pipeline of its own with a receiver and an exporter of its
own, so a table takes seconds. Both processes are stopped before the spans are
compared: that empties their queues, so no test waits for what may not come.
Invariants: spans are compared field by field, order aside, with decoders that
are neither product's; a case that says `differs` must differ, so that the list
of departures stays true.
*/

mod answers;
mod compare;
mod fields;
mod generated;
mod odd;
mod refused;
mod requests;
mod side;
mod table;

use side::{Product, Side};
use std::{collections::BTreeSet, fs, time::Instant};
use table::Table;
use tempfile::TempDir;

/// Runs a table in both products and compares them case by case.
async fn same(file: &str) {
    let table = Table::read(file);
    let began = Instant::now();
    let dir = TempDir::new().unwrap();
    let [mut collector, mut wayspan] =
        Product::BOTH.map(|product| Side::start(product, &table.cases, dir.path()));
    let runs = table.cases.iter().map(async |case| {
        let requests = requests::named(&case.requests);
        let answers = [
            collector.send(case, &requests).await,
            wayspan.send(case, &requests).await,
        ];
        (requests.len(), answers)
    });
    let sent = futures_util::future::join_all(runs).await;
    for side in [&mut collector, &mut wayspan] {
        table.cases.iter().for_each(|case| side.wait(case));
        side.stop();
    }
    let mut wrong = Vec::new();
    let mut counts = (0, 0);
    for (case, (requests, answers)) in table.cases.iter().zip(sent) {
        let arrived = [&collector, &wayspan].map(|side| fields::spans(&side.arrived(case)));
        counts = (counts.0 + requests, counts.1 + arrived[0].len());
        let found = compare::differences(&arrived, &answers);
        wrong.extend(case.verdict(found));
    }
    println!(
        "  {file}: {} cases, {} requests, {} spans behind the Collector, {:.1} s",
        table.cases.len(),
        counts.0,
        counts.1,
        began.elapsed().as_secs_f64()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn otlp() {
    same("otlp.yaml").await;
}

#[test]
fn every_table_is_run() {
    let dir = testkit::root().join("tests/differential");
    let names = fs::read_dir(dir).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let run = ["answers.yaml", "otlp.yaml", "refused.yaml"];
    assert_eq!(
        names.collect::<BTreeSet<_>>(),
        run.map(str::to_owned).into(),
        "add a test for a new table"
    );
}
