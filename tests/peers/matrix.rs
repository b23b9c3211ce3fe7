//! Every page of every Kiali finds its traces, whatever the Istio.
//!
//! Idea: the Envoys of each form of Istio run once and what they sent is
//! recorded. The recording goes to one Jaeger many times: straight, and through
//! wayspan with the settings of each Kiali, with and without aliases. One
//! wayspan has a pipeline for each of these settings. Replays are told apart by
//! the cluster's name, which every Kiali asks for, and by the hour.
//!
//! Invariants: which pages are found is said here page by page and with the
//! reason for each one lost ([`lost`], [`falsely_shown`]); the figures in
//! `docs/naming.md` are those that were found.

mod labels;
mod question;
mod recording;
mod table;
mod ways;

use crate::jaeger::Jaeger;
use crate::kiali::{GATEWAY_SERVICE, Kiali};
use crate::mesh::Form;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use question::Asker;
use recording::Recording;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use ways::{ALIASES, Ways};
use wayspan::mesh::pages::Page;

const FORMS: [Form; 12] = [
    Form::ISTIO_1_24,
    Form::ISTIO_1_24.past_the_waypoint(),
    Form::ISTIO_1_28,
    Form::ISTIO_1_28.past_the_waypoint(),
    Form::ISTIO_1_29,
    Form::ISTIO_1_29.past_the_waypoint(),
    Form::ISTIO_1_30,
    Form::ISTIO_1_30.past_the_waypoint(),
    Form::SEMANTIC,
    Form::SEMANTIC.past_the_waypoint(),
    Form::SIDECARS,
    Form::SEMANTIC_SIDECARS,
];

/// Kialis whose pages ask alike, so that they share a column. That they find
/// alike is asserted.
fn columns() -> Vec<(String, Vec<Kiali>)> {
    let mut columns = Vec::new();
    for (minors, waypoint, label) in [
        (&[5, 7, 21][..], false, "2.5–2.21"),
        (&[22], true, "2.22, waypoint names"),
        (&[22], false, "2.22, default"),
        (&[26, 30], true, "2.26+, waypoint names"),
        (&[26, 30], false, "2.26+, default"),
    ] {
        for (selector, word) in [(true, "on"), (false, "off")] {
            let kialis = minors
                .iter()
                .map(|minor| Kiali::new(*minor, selector, waypoint));
            columns.push((format!("{label}, {word}"), kialis.collect()));
        }
    }
    columns
}

/// What a way to Jaeger lets a Kiali find.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    pages: BTreeSet<String>,
    /// Pages of what nobody called, and which show traces nevertheless.
    falsely: BTreeSet<String>,
}

/// Pages that one name per span, or names and aliases, cannot serve, and why.
fn lost(form: &Form, kiali: &Kiali, aliases: bool) -> Vec<&'static str> {
    let mut lost = Vec::new();
    // Its selector has no app label. Without waypoint, and where hosts are
    // asked for, Kiali asks for that empty label; and before it read peer
    // tags, for a span whose name begins with the gateway's.
    if !form.ambient || kiali.asks_hosts() || !kiali.reads_peer_tags() {
        lost.push(GATEWAY_SERVICE);
    }
    if form.ambient && kiali.asks_hosts() && !aliases {
        // The spans bear the hosts' names.
        lost.extend(["service waypoint", "workload waypoint"]);
        if form.bypass {
            // Only the gateway's spans tell of it, and they bear the gateway's name.
            lost.extend([
                "app productpage",
                "service productpage",
                "workload productpage-v1",
            ]);
        }
    }
    lost
}

/// Pages of idle workloads that no span tells from the busy ones.
fn falsely_shown(form: &Form, kiali: &Kiali, aliases: bool) -> Vec<&'static str> {
    // A sidecar's own id tells.
    if !form.ambient {
        return Vec::new();
    }
    let mut shown = Vec::new();
    let found = !lost(form, kiali, aliases).contains(&"app productpage");
    if found {
        // Kiali takes the name of the gateway's span for a sign of every
        // version, since that span says nothing of workloads.
        shown.push("workload productpage-v2");
    }
    if !(form.peer_tags && kiali.reads_peer_tags()) {
        shown.push("workload reviews-v2");
    }
    shown
}

/// What one Kiali finds of a replay.
fn found(asker: &mut Asker, kiali: &Kiali, form: &Form, sent: &BTreeSet<String>) -> Found {
    let mut shows = |pages: Vec<Page>| {
        let mut found = BTreeSet::new();
        for page in pages {
            let shown = asker.shows(kiali, &page);
            assert!(
                shown.is_empty() || shown == *sent,
                "{}, {}, {}: shows {shown:?} of {sent:?}",
                form.label,
                kiali.label(),
                question::id(&page)
            );
            if !shown.is_empty() {
                found.insert(question::id(&page));
            }
        }
        found
    };
    Found {
        pages: shows(question::busy(form.ambient)),
        falsely: shows(question::idle(form.ambient)),
    }
}

/// Every form's Envoys, a few meshes at a time.
fn record(forms: &[Form]) -> Vec<Recording> {
    let next = Mutex::new(0..forms.len());
    let made = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some(i) = next.lock().unwrap().next() else {
                        return;
                    };
                    let recording = Recording::make(forms[i]);
                    made.lock().unwrap().push((i, recording));
                }
            });
        }
    });
    let mut made = made.into_inner().unwrap();
    made.sort_by_key(|(i, _)| *i);
    made.into_iter().map(|(_, recording)| recording).collect()
}

/// Sends every recording on every way.
async fn replay(recordings: &[Recording], ways: &Ways) {
    for (w, way) in ways.all.iter().enumerate() {
        let address = format!("http://127.0.0.1:{}", way.port);
        let mut client = TraceServiceClient::connect(address).await.unwrap();
        for (f, recording) in recordings.iter().enumerate() {
            recording.send(&ways.replay(f, w), &mut client).await;
        }
    }
}

/// What all ways to Jaeger let all Kialis find: by form, then by column, then
/// straight, through wayspan, and with aliases.
fn all_found() -> Vec<Vec<Vec<Found>>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let recordings = record(&FORMS);
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    let kialis = columns().into_iter().flat_map(|(_, kialis)| kialis);
    let ways = Ways::new(kialis, jaeger.otlp_grpc);
    let mut wayspan = ways.start();
    runtime.block_on(replay(&recordings, &ways));
    // It ends when everything is delivered, and Jaeger answers when it has stored.
    wayspan.stop();

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let mut all = Vec::new();
    for (f, recording) in recordings.iter().enumerate() {
        let form = &recording.form;
        let ways_of = ways.all.iter().enumerate();
        let mut askers: Vec<_> = ways_of
            .map(|(w, way)| {
                let window = Recording::window(&ways.replay(f, w), now);
                // A span has one marker at most.
                let most = form.spans() * if way.aliases { 2 } else { 1 };
                Asker::new(&jaeger, &way.cluster, window, form.spans()..=most)
            })
            .collect();
        let mut row = Vec::new();
        for (label, kialis) in columns() {
            let cells: Vec<Vec<Found>> = kialis
                .iter()
                .map(|kiali| {
                    let own = ways.all.iter().enumerate();
                    own.filter(|(_, way)| way.kiali.is_none_or(|k| k == *kiali))
                        .map(|(w, _)| {
                            let sent = recording.traces(&ways.replay(f, w));
                            found(&mut askers[w], kiali, form, &sent)
                        })
                        .collect()
                })
                .collect();
            for cell in &cells {
                assert_eq!(cell, &cells[0], "{}, {label}: not alike", form.label);
            }
            row.extend(cells.into_iter().take(1));
        }
        all.push(row);
    }
    all
}

/// What must be found, page by page.
fn check(form: &Form, kiali: &Kiali, cell: &[Found]) {
    for (found, aliases) in cell[1..].iter().zip([false, true]) {
        let lost = lost(form, kiali, aliases);
        let pages = question::busy(form.ambient);
        let pages: BTreeSet<_> = pages.iter().map(question::id).collect();
        let expected = Found {
            pages: pages
                .into_iter()
                .filter(|page| !lost.contains(&page.as_str()))
                .collect(),
            falsely: falsely_shown(form, kiali, aliases)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        assert_eq!(
            *found,
            expected,
            "{}, bypass {}, {}, aliases {aliases}",
            form.label,
            form.bypass,
            kiali.label()
        );
    }
}

fn cell(found: &[Found]) -> String {
    let count = |found: &Found| found.pages.len().to_string();
    let mut text = format!("{} → {}", count(&found[0]), count(&found[1]));
    if let Some(aliases) = found.get(2) {
        text.push_str(&format!(" ({})", count(aliases)));
    }
    let falsely = found[1..].iter().map(|f| f.falsely.len()).max().unwrap();
    if falsely > 0 {
        text.push_str(&format!(" [{falsely}]"));
    }
    text
}

/// What a cell says, in words for `docs/naming.md`.
fn legend() -> String {
    let aliases = if ALIASES {
        "with it (with `aliases: on`)"
    } else {
        "with it"
    };
    let idle = question::idle(true).len();
    format!(
        "Pages that find their traces without wayspan → {aliases} [pages, out of {idle} whose apps and workloads got no \
         traffic, that show traces nevertheless]. On and off: `namespace_selector`.\n"
    )
}

#[test]
fn matrix() {
    let all = all_found();
    let columns = columns();
    let head: Vec<_> = ["Istio".to_owned()]
        .into_iter()
        .chain(columns.iter().map(|(label, _)| label.clone()))
        .collect();
    let rows: Vec<Vec<String>> = FORMS
        .iter()
        .zip(&all)
        .map(|(form, row)| {
            let past = if form.bypass {
                ", past the waypoint"
            } else {
                ""
            };
            let label = format!("{}{past}", form.label);
            std::iter::once(label)
                .chain(row.iter().map(|found| cell(found)))
                .collect()
        })
        .collect();
    let table = format!("{}\n{}", legend(), table::markdown(&head, &rows));
    for line in table.lines() {
        println!("  {line}");
    }
    for (form, row) in FORMS.iter().zip(&all) {
        for ((_, kialis), cell) in columns.iter().zip(row) {
            check(form, &kialis[0], cell);
        }
        // The selector alone makes no difference behind wayspan.
        for pair in row.chunks(2) {
            assert_eq!(pair[0][1..], pair[1][1..], "{}", form.label);
        }
    }
    table::keep_current(&table);
}
