//! A store before an API server that keeps to a script. The clock stands
//! still but where everything waits for it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::mesh::watch::{list_watch::MAX_EMPTY_PAGES, objects::ServiceObject};
use bytes::Bytes;
use http::{Request as HttpRequest, Response};
use http_body_util::Full;
use kube::client::Body;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll},
};

/// What is asked for (a part of the path and query), and the answer.
pub(in crate::mesh::watch) type Step = (&'static str, u16, String);

#[derive(Clone)]
pub(in crate::mesh::watch) struct Server {
    script: Arc<Mutex<VecDeque<Step>>>,
    /// Rung by the request after the last.
    pub(in crate::mesh::watch) over: Arc<Notify>,
}

impl Server {
    pub(in crate::mesh::watch) fn new(script: Vec<Step>) -> Self {
        Self {
            script: Arc::new(Mutex::new(script.into())),
            over: Arc::default(),
        }
    }
}

impl tower_service::Service<HttpRequest<Body>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let step = self.script.lock().unwrap().pop_front();
        let over = Arc::clone(&self.over);
        Box::pin(async move {
            let Some((asked, status, body)) = step else {
                over.notify_one();
                return std::future::pending().await;
            };
            let uri = request.uri().to_string();
            assert!(uri.contains(asked), "{uri} and not {asked}");
            let answer = Response::builder().status(status);
            Ok(answer.body(Full::from(body)).unwrap())
        })
    }
}

pub(in crate::mesh::watch) fn service(name: &str, app: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "ns", "resourceVersion": "5"},
        "spec": {"selector": {"app": app}},
    })
}

pub(in crate::mesh::watch) fn page(names: &[&str], next: &str) -> String {
    let items: Vec<Value> = names.iter().map(|name| service(name, name)).collect();
    json!({
        "kind": "ServiceList", "apiVersion": "v1", "items": items,
        "metadata": {"resourceVersion": "1", "continue": next},
    })
    .to_string()
}

pub(in crate::mesh::watch) fn events(events: &[(&str, Value)]) -> String {
    let line = |(kind, object): &(&str, Value)| json!({"type": kind, "object": object}).to_string();
    let lines: Vec<String> = events.iter().map(line).collect();
    lines.join("\n") + "\n"
}

fn refusal(code: u16) -> String {
    json!({"kind": "Status", "status": "Failure", "code": code, "message": "no"}).to_string()
}

/// Plays the script; returns the names kept at its end, and the status.
async fn play(most: usize, script: Vec<Step>) -> (Vec<String>, Arc<DirectoryStatus>) {
    let server = Server::new(script);
    let status = Arc::new(DirectoryStatus::new(&[(Resource::Services, 1)]));
    let shared = Rc::new(Shared {
        client: Client::new(server.clone(), "default"),
        status: Arc::clone(&status),
        pool: RefCell::default(),
        kept: Kept::default(),
        changed: Notify::new(),
        most,
    });
    let records: SharedRecords<ServiceObject> = SharedRecords::default();
    let store = RecordStore {
        shared,
        namespace: None,
        picked: Picked::default(),
        at: 0,
        records: Rc::clone(&records),
        forbidden: None,
    };
    tokio::select! {
        never = store.run() => match never {},
        () = server.over.notified() => {}
    }
    let name = |record: Arc<crate::mesh::directory::ServiceRecord>| {
        let app = record.selector.get("app").cloned().unwrap_or_default();
        format!("{}={app}", record.name)
    };
    let mut names: Vec<String> = records.borrow().all().map(name).collect();
    names.sort();
    (names, status)
}

#[tokio::test(start_paused = true)]
async fn it_lists_page_by_page_and_watches_from_there() {
    let bookmark = json!({
        "kind": "Service", "apiVersion": "v1", "metadata": {"resourceVersion": "9"},
    });
    let script = vec![
        (
            "/api/v1/services?&limit=250",
            200,
            page(&["a", "b"], "more"),
        ),
        ("continue=more", 200, page(&["c"], "")),
        (
            "allowWatchBookmarks=true&resourceVersion=1",
            200,
            events(&[
                ("ADDED", service("d", "d")),
                ("MODIFIED", service("a", "A")),
                ("DELETED", service("b", "b")),
            ]),
        ),
        ("resourceVersion=5", 200, events(&[("BOOKMARK", bookmark)])),
        // Too old: listed anew.
        (
            "resourceVersion=9",
            200,
            events(&[("ERROR", json!({"code": 410, "message": "too old"}))]),
        ),
        ("limit=250", 200, page(&["a", "e"], "")),
    ];
    let (names, status) = play(10, script).await;
    assert_eq!(names, ["a=a", "e=e"]);
    let view = status.view(Resource::Services);
    assert_eq!((view.up, view.objects, view.trouble), (true, 2, None));
    assert_eq!(
        status.errors(Resource::Services, WatchErrorKind::Expired),
        1
    );

    // The same without the last two steps, to see what the watch brought.
    let script = vec![
        ("limit=250", 200, page(&["a", "b", "c"], "")),
        (
            "resourceVersion=1",
            200,
            events(&[
                ("ADDED", service("d", "d")),
                ("MODIFIED", service("a", "A")),
                ("DELETED", service("b", "b")),
            ]),
        ),
    ];
    let (names, _) = play(10, script).await;
    assert_eq!(names, ["a=A", "c=c", "d=d"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_kept_than_there_is_room_for() {
    let script = vec![
        ("limit=250", 200, page(&["a", "b"], "more")),
        ("continue=more", 200, page(&["c", "d"], "yet-more")),
        (
            "resourceVersion=1",
            200,
            events(&[("ADDED", service("e", "e"))]),
        ),
    ];
    let (names, status) = play(3, script).await;
    assert_eq!(names, ["a=a", "b=b", "c=c"]);
    let view = status.view(Resource::Services);
    assert!(
        view.trouble
            .is_some_and(|trouble| trouble.contains("more than 3 services"))
    );
    assert_eq!(
        status.errors(Resource::Services, WatchErrorKind::TooMany),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_known_stays_until_it_is_forbidden_for_long() {
    let begin = [
        ("limit=250", 200, page(&["a"], "")),
        ("resourceVersion=1", 503, refusal(503)),
    ];
    let times = |n: usize, code: u16| vec![("limit=250", code, refusal(code)); n];
    for (then, names, up) in [
        (times(30, 503), &["a=a"][..], false),
        (times(4, 403), &["a=a"], false),
        (times(30, 403), &[], false),
        // A list alone says nothing of watches, an event does.
        (vec![("limit=250", 200, page(&["b"], ""))], &["b=b"], false),
        (
            vec![
                ("limit=250", 200, page(&["b"], "")),
                (
                    "resourceVersion=1",
                    200,
                    events(&[("ADDED", service("c", "c"))]),
                ),
            ],
            &["b=b", "c=c"],
            true,
        ),
    ] {
        let script = begin.iter().cloned().chain(then.clone()).collect();
        let (kept, status) = play(10, script).await;
        let code = then.first().map(|step| (step.1, then.len()));
        assert_eq!(kept, names, "{code:?}");
        assert_eq!(status.view(Resource::Services).up, up, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn watches_that_open_and_fail_are_asked_ever_more_seldom() {
    let gone = events(&[("ERROR", json!({"code": 410, "message": "too old"}))]);
    for (answer, reason, passing) in [
        ("{not json}\n".to_owned(), WatchErrorKind::Malformed, 0),
        (gone, WatchErrorKind::Expired, PASSING - 1),
    ] {
        let begun = Instant::now();
        let round = [
            ("limit=250", 200, page(&["a"], "")),
            ("resourceVersion=1", 200, answer),
        ];
        for rounds in [1, PASSING - 1, PASSING, 12] {
            let script = round.iter().cloned().cycle();
            let script = script.take(2 * rounds as usize).collect();
            let (names, status) = play(10, script).await;
            assert_eq!(names, ["a=a"]);
            let view = status.view(Resource::Services);
            assert_eq!(view.up, rounds <= passing, "{reason:?} {rounds}");
            assert_eq!(view.trouble.is_none(), view.up, "{:?}", view.trouble);
            assert_eq!(status.errors(Resource::Services, reason), u64::from(rounds));
        }
        // The last twelve alone wait for minutes.
        assert!(begun.elapsed() > Duration::from_secs(180));
    }
}

#[tokio::test(start_paused = true)]
async fn answers_without_end_are_refused() {
    let endless = vec![("limit=250", 200, page(&[], "again")); MAX_EMPTY_PAGES];
    let long = vec![(
        "limit=250",
        200,
        format!("{}{}", " ".repeat(33 << 20), page(&["a"], "")),
    )];
    let line = vec![
        ("limit=250", 200, page(&["a"], "")),
        ("resourceVersion=1", 200, " ".repeat(5 << 20)),
    ];
    for (script, said) in [
        (endless, "the list does not end, 10 pages long"),
        (long, "its answer is longer than 32 MiB"),
        (line, "its answer is longer than 4 MiB"),
    ] {
        let (_, status) = play(10, script).await;
        let trouble = status.view(Resource::Services).trouble.unwrap_or_default();
        assert!(trouble.contains(said), "{trouble}");
        assert_eq!(
            status.errors(Resource::Services, WatchErrorKind::Malformed),
            1
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_lists_is_over_with_a_list() {
    let (_, status) = play(10, vec![("limit=250", 503, refusal(503))]).await;
    assert!(!status.view(Resource::Services).up);
    let script = vec![
        ("limit=250", 503, refusal(503)),
        ("limit=250", 200, page(&["a"], "")),
    ];
    let (_, status) = play(10, script).await;
    assert!(status.view(Resource::Services).up);
}
