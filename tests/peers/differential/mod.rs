/*!
Differential tests: the same requests go to the OpenTelemetry Collector and to
wayspan under the same configuration, and what arrives behind them is the same.

Idea: a table (in `tests/differential/pipelines`) lists cases, each a piece of
configuration and requests. All cases of a table run in one process of either
product, each as a pipeline of its own with a receiver and an exporter of its
own, so a table takes seconds. Both processes are stopped before the spans are
compared: that empties their queues, so no test waits for what may not come.
Invariants: spans are compared field by field, order aside, with decoders that
are neither product's; a case that says `differs` must differ, so that the list
of departures stays true.
*/

mod answers;
pub mod compare;
mod exporters;
pub mod fields;
pub mod generated;
mod odd;
mod refused;
mod requests;
mod side;
mod sink;
mod span_metrics;
mod statements;
mod table;

use side::{Product, Side};
use std::{fs, time::Instant};
use table::Table;
use tempfile::TempDir;
use testkit::PATIENCE;

/// Runs the cases of a table in both products; gives those that are not as
/// they should be, and why.
async fn compared(name: &str, table: &Table) -> Vec<String> {
    let began = Instant::now();
    let dir = TempDir::new().unwrap();
    let [mut collector, mut wayspan] =
        Product::BOTH.map(|product| Side::start(product, &table.cases, dir.path()));
    let runs = table.cases.iter().map(async |case| {
        let requests = requests::named(&case.requests);
        let both = [&collector, &wayspan].map(async |side| {
            let answers = tokio::time::timeout(PATIENCE, side.send(case, &requests));
            answers
                .await
                .unwrap_or_else(|_| panic!("{}: {} does not answer", case.name, side.name()))
        });
        futures_util::future::join_all(both).await
    });
    let sent = futures_util::future::join_all(runs).await;
    for side in [&mut collector, &mut wayspan] {
        let cases = table.cases.iter().filter(|case| case.wait > 0);
        cases.for_each(|case| side.wait(case));
        side.stop();
    }
    let mut wrong = Vec::new();
    let mut spans = 0;
    for (case, answers) in table.cases.iter().zip(&sent) {
        let arrived = [collector.arrived(case), wayspan.arrived(case)];
        spans += arrived[0].len();
        wrong.extend(case.verdict(compare::differences(&arrived, [&answers[0], &answers[1]])));
    }
    println!(
        "  {name}: {} of {} cases alike, {spans} spans behind the Collector, {:.1} s",
        table.cases.len() - wrong.len(),
        table.cases.len(),
        began.elapsed().as_secs_f64()
    );
    wrong
}

/// Every table, or the one that `WAYSPAN_TABLE` names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelines() {
    let chosen = std::env::var("WAYSPAN_TABLE").ok();
    let dir = testkit::root().join("tests/differential/pipelines");
    let names = fs::read_dir(dir).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_chosen = |name: &String| chosen.as_ref().is_none_or(|chosen| chosen == name);
    let mut names: Vec<_> = names.filter(is_chosen).collect();
    assert!(!names.is_empty(), "no tables");
    names.sort();
    let mut wrong = Vec::new();
    for name in names {
        let table = Table::read(&format!("pipelines/{name}"));
        let its = compared(&name, &table).await;
        wrong.extend(its.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
