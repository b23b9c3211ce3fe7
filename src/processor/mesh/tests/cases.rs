/*!
Naming cases: what proxies and applications emit, and what must come of it.

A case is a document of a file in `tests/naming` ([`format`] is its form). Its spans go
through a `mesh` processor with settings read as from a file and, where the case
watches Kubernetes, a directory of its objects; they go through a second one too,
which must change nothing. Then the pages that the case names are asked for as its
Kiali would ask ([`objects`] says what that Kiali knows).

`WAYSPAN_NAMING_CASES` names a further folder of cases in this form: all of them are
run, and those that fail are listed.
*/

mod format;
mod objects;
mod spans;

use super::*;
use crate::{
    config::{self, Findings, Reading, Source, keys},
    mesh::{Directory, pages::Question},
};
use format::{Case, Expectation, Wanted};
use std::{fs, path::Path, sync::Arc};

/// All cases of a folder by file and position. A file may hold documents of other
/// kinds, which are passed over.
fn cases(folder: &Path) -> Vec<(String, Case)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|ext| ext == "yaml"))
        .collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        let documents: Vec<serde_json::Value> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        for document in documents {
            if document["kind"]
                .as_str()
                .is_none_or(|kind| kind == "naming")
            {
                let title = document["title"].as_str().unwrap_or_default();
                let title = format!("{name}: {title}");
                let case = serde_json::from_value(document.clone());
                all.push((
                    title.clone(),
                    case.unwrap_or_else(|e| panic!("{title}: {e}")),
                ));
            }
        }
    }
    all
}

#[test]
fn every_case_comes_out_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/naming");
    let all = cases(&folder);
    assert!(all.len() > 20, "{} cases", all.len());
    let mut wrong = wrong(&all);
    if let Ok(further) = std::env::var("WAYSPAN_NAMING_CASES") {
        wrong.extend(self::wrong(&cases(Path::new(&further))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn wrong(all: &[(String, Case)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (title, case) in all {
        let found = run(case);
        wrong.extend(found.iter().map(|fault| format!("{title}\n    {fault}")));
    }
    wrong
}

/// What is wrong with what comes of a case.
fn run(case: &Case) -> Vec<String> {
    let settings = settings_of(case);
    let mut knowledge = Knowledge::of(&settings);
    if case.watch {
        let (pods, services, namespaces) = case.cluster.records();
        let labels = knowledge.scheme.app_labels();
        knowledge.directory = Arc::new(Directory::build(pods, services, namespaces, labels));
    }
    let current = Current::new(knowledge);
    let requests = spans::requests(case);
    let sent: Vec<_> = requests.iter().map(Message::encode_to_vec).collect();
    let out = through(&settings, &current, &sent);
    let mut faults = Vec::new();
    let again: Vec<_> = out.iter().map(|one| one.encode_to_vec()).collect();
    if distinct(&through(&settings, &current, &again)) != distinct(&out) {
        faults.push("a second pass changes something".to_owned());
    }
    let all: Vec<_> = out.iter().flat_map(model::spans).collect();
    for expectation in &case.expect {
        faults.extend(compare(expectation, &all));
    }
    for asked in &case.pages {
        let page = case.cluster.page(asked, &settings.kiali);
        let cluster = asked.cluster.as_ref().unwrap_or(&settings.cluster_id);
        let mut question = Question::new(&settings.kiali, cluster, &page);
        for (key, text) in &asked.query {
            question.tags.push((key.clone().leak(), text.clone()));
        }
        let finds = !question.finds(&all).is_empty();
        let fault = match asked.want {
            Wanted::Found if !finds => "is empty",
            Wanted::Empty if finds => "shows something",
            _ => continue,
        };
        let names: Vec<_> = all.iter().map(|s| s.service_name()).collect();
        faults.push(format!(
            "{asked} {fault}: asks {:?} {:?}, there are {names:?}",
            question.service_name, question.tags
        ));
    }
    faults
}

fn settings_of(case: &Case) -> MeshSettings {
    let report = Findings::default();
    let text = case.configuration();
    let source = Source::Text {
        name: "case".to_owned(),
        text,
    };
    let env = |_: &str| None;
    let root = config::tree(&[source], &env, &mut Vec::new(), &report).unwrap();
    let reading = Reading::new(&report, &env, false);
    let at = ("mesh", report.spot(root.place, "mesh"));
    let settings = keys::read(&root, at, true, &reading, super::super::config::mesh);
    assert!(!report.has_errors(), "{}", report.to_error(&[]));
    settings.unwrap()
}

/// The spans of requests, each once and in order: a second pass writes the same
/// markers again.
fn distinct(requests: &[Request]) -> Vec<model::Span> {
    let mut all: Vec<model::Span> = Vec::new();
    for mut span in requests.iter().flat_map(model::spans) {
        span.resource.sort();
        span.kin = None;
        if !all.contains(&span) {
            all.push(span);
        }
    }
    all
}

/// Requests as the processor writes them: a group for each span.
fn through(settings: &MeshSettings, current: &Current, requests: &[Vec<u8>]) -> Vec<Request> {
    let mut keys = Keys::default();
    let mut shard = Shard {
        mesh: Mesh::new(settings, current, &mut keys),
        keys,
        resources: Resources::default(),
    };
    let local = "127.0.0.1".parse().unwrap();
    let mut out = Vec::new();
    for request in requests {
        shard.mesh.begin(Some(local));
        let mut written: Vec<ResourceSpans> = Vec::new();
        for (resource, span) in shard.run(request, |_| ()) {
            let scope_spans = |span| ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            };
            match written.last_mut() {
                Some(last) if last.resource.as_ref() == Some(&resource) => {
                    last.scope_spans.push(scope_spans(span));
                }
                _ => written.push(ResourceSpans {
                    resource: Some(resource),
                    scope_spans: vec![scope_spans(span)],
                    ..ResourceSpans::default()
                }),
            }
        }
        shard.mesh.end();
        out.push(Request {
            resource_spans: written,
        });
    }
    out
}

fn compare(expectation: &Expectation, all: &[model::Span]) -> Vec<String> {
    let mut faults = Vec::new();
    let id = spans::id(&expectation.span);
    let Some(span) = all.iter().find(|span| span.span_id == id) else {
        return vec![format!("there is no span {}", expectation.span)];
    };
    let mut same = |what: &str, want: Option<&String>, got: Option<&str>| {
        if want.is_some_and(|want| got != Some(want)) {
            let want = want.map(String::as_str).unwrap_or_default();
            let span = &expectation.span;
            faults.push(format!("{span}: {what} is {got:?}, not {want:?}"));
        }
    };
    same(
        "service",
        expectation.service.as_ref(),
        span.resource_tag(key::SERVICE_NAME),
    );
    same("name", expectation.name.as_ref(), Some(&span.name));
    same(
        "kind",
        expectation.kind.as_ref(),
        Some(spans::kind_name(span.kind)),
    );
    let status = if span.status == 2 { "ERROR" } else { "UNSET" };
    same("status", expectation.status.as_ref(), Some(status));
    for (key, want) in &expectation.tags {
        same(key, Some(want), span.tag(key));
    }
    for (key, want) in &expectation.resource {
        same(key, Some(want), span.resource_tag(key));
    }
    for key in &expectation.absent {
        if span.tag(key).or(span.resource_tag(key)).is_some() {
            faults.push(format!("{}: {key} is there", expectation.span));
        }
    }
    faults
}
