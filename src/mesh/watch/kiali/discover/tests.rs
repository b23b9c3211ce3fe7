//! A search among Kialis that come and go, whose ConfigMaps a fake API server
//! permits to read or not. The clock stands still but where everything waits for
//! it.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::mesh::{
    Current, Knowledge, MeshSettings,
    watch::kiali::{KialiReply, KialiRequest, KialiStatus, SchemeLabels, found::tests::kialis},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use kube::client::Body;
use serde_json::{Value, json};
use std::{
    cell::Cell,
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tokio::sync::watch::Sender;

/// The ConfigMaps that may be read, with `namespace_selector` in them; 403 for others.
#[derive(Clone, Default)]
struct ApiServer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    maps: BTreeMap<String, (&'static str, bool)>,
    away: bool,
}

impl ApiServer {
    fn permit(&self, name: &str, version: &'static str, selector: bool) {
        let mut state = self.0.lock().unwrap();
        state.maps.insert(name.to_owned(), (version, selector));
    }

    fn delete(&self, name: &str) {
        self.0.lock().unwrap().maps.remove(name);
    }

    fn away(&self, away: bool) {
        self.0.lock().unwrap().away = away;
    }

    fn answer(&self, path: &str, query: &str) -> (u16, String) {
        let state = self.0.lock().unwrap();
        let status = |code: u16| json!({"kind": "Status", "code": code, "message": "no"});
        if state.away {
            return (500, status(500).to_string());
        }
        let namespace = path.strip_prefix("/api/v1/namespaces/");
        let namespace = namespace.and_then(|rest| rest.strip_suffix("/configmaps"));
        let name = query.split("metadata.name%3D").nth(1).unwrap_or_default();
        let name = name.split('&').next().unwrap_or_default();
        let Some(namespace) = namespace else {
            return (404, status(404).to_string());
        };
        let found = state.maps.get(&format!("{namespace}/{name}"));
        let object = |version: &str, selector: bool| {
            let tracing = format!("{{enabled: true, namespace_selector: {selector}}}");
            json!({
                "metadata": {"name": name, "namespace": namespace, "resourceVersion": "2",
                    "labels": {"version": version}},
                "data": {"config.yaml": format!("external_services: {{tracing: {tracing}}}\n")},
            })
        };
        match (query.contains("watch=true"), found) {
            (false, None) => (403, status(403).to_string()),
            (false, Some((version, selector))) => {
                let items = [object(version, *selector)];
                let list = json!({"kind": "List", "apiVersion": "v1", "items": items,
                    "metadata": {"resourceVersion": "2"}});
                (200, list.to_string())
            }
            (true, None) => {
                let gone: Value = json!({"type": "DELETED", "object": object("", true)});
                (200, format!("{gone}\n"))
            }
            (true, Some((version, selector))) => {
                let now = json!({"type": "MODIFIED", "object": object(version, *selector)});
                (200, format!("{now}\n"))
            }
        }
    }
}

impl tower_service::Service<Request<Body>> for ApiServer {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let query = request.uri().query().unwrap_or_default();
        let (status, body) = self.answer(request.uri().path(), query);
        let answer = Response::builder().status(status).body(Full::from(body));
        future::ready(Ok(answer.unwrap()))
    }
}

/// Kiali's own API, as 2.26 with `namespace_selector: false` has it; while the cell is
/// false, it wants to know who asks.
struct Api<'a>(&'a Cell<bool>);

impl KialiClient for Api<'_> {
    async fn send(&self, request: KialiRequest<'_>) -> Result<KialiReply, String> {
        assert!(request.token.is_none() && request.login.is_none());
        let body = match (self.0.get(), request.path) {
            (false, _) => None,
            (_, "/api/tracing") => {
                Some(r#"{"enabled":true,"namespaceSelector":false,"useWaypointName":false}"#)
            }
            (_, "/api/config") => Some(r#"{"kialiFeatureFlags":{}}"#),
            _ => Some(r#"{"status":{"Kiali version":"v2.26.0"}}"#),
        };
        Ok(KialiReply {
            status: if body.is_some() { 200 } else { 401 },
            body: Bytes::from_static(body.unwrap_or_default().as_bytes()),
            set_cookies: Vec::new(),
        })
    }
}

/// What a test plays with.
struct Stage<'a> {
    api_server: ApiServer,
    control_plane: &'a Sender<ControlPlane>,
    anonymous: &'a Cell<bool>,
    follower: &'a KialiFollower,
}

impl Stage<'_> {
    fn shows(&self, kialis: Kialis) {
        self.control_plane.send_modify(|now| now.kialis = kialis);
    }

    fn there_are(&self, of: &[(&str, &str)]) {
        self.shows(Kialis::Known(kialis(of)));
    }

    /// Source, version and `namespace_selector` in force.
    fn in_force(&self) -> (&'static str, String, bool) {
        let labels = self.follower.status.in_force();
        (labels.source, labels.version, labels.namespace_selector)
    }

    /// Waits until these are in force. Returns how long that took.
    async fn wait(&self, source: &str, version: &str, selector: bool) -> Duration {
        let (begun, want) = (Instant::now(), (version.to_owned(), selector));
        loop {
            let (now, version, selector) = self.in_force();
            if now == source && (version, selector) == want {
                return begun.elapsed();
            }
            let waited = begun.elapsed();
            assert!(waited < Duration::from_secs(300), "{:?}", self.in_force());
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn wait_says(&self, choice: &str, trouble: Option<&str>) {
        let begun = Instant::now();
        let status = &self.follower.status;
        let says = |text: Option<String>, part: &str| text.is_some_and(|t| t.contains(part));
        loop {
            let troubled = match trouble {
                Some(part) => says(status.trouble(), part),
                None => status.trouble().is_none(),
            };
            if says(status.choice(), choice) && troubled {
                return;
            }
            let now = (status.choice(), status.trouble());
            assert!(begun.elapsed() < Duration::from_secs(300), "{now:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

const NEAR: &str = "istio-system/kiali";
const FAR: &str = "tools/kiali";

/// Plays `act` beside a search, whose watch of Pods has seen nothing yet.
async fn play(act: impl AsyncFn(&Stage<'_>)) {
    let settings = MeshSettings::default();
    let current = Current::new(Knowledge::of(&settings));
    let labels = SchemeLabels::of(&current.get().scheme, "static");
    let status = Arc::new(KialiStatus::new(labels));
    let follower = KialiFollower::new("mesh".to_owned(), &settings, current, status, |_| {});
    let follower = follower.unwrap();
    let (control_plane, anonymous) = (Sender::new(ControlPlane::default()), Cell::new(false));
    let stage = Stage {
        api_server: ApiServer::default(),
        control_plane: &control_plane,
        anonymous: &anonymous,
        follower: &follower,
    };
    let client = Client::new(stage.api_server.clone(), "tracing");
    let search = Search {
        follower: &follower,
        client: &client,
        connect: |_: &KialiEndpoint| Api(&anonymous),
        istio: ISTIO,
        followed: None,
        backoff: Backoff::doubling(PAUSES[0], PAUSES[1]),
    };
    select! {
        () = search.run(control_plane.subscribe()) => {}
        () = act(&stage) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_read_later_takes_the_place_of_what_answers_anybody() {
    play(async |stage| {
        stage.there_are(&[(NEAR, "v2.7.1")]);
        stage.wait("pods", "2.7", true).await;
        stage
            .wait_says("cannot be read", Some("ConfigMap istio-system/kiali"))
            .await;
        stage.anonymous.set(true);
        stage.wait("url", "2.26", false).await;
        let not_read = "Not read: ConfigMap istio-system/kiali: the service account may not";
        stage.wait_says(not_read, None).await;
        stage.api_server.permit(NEAR, "v2.30.0", true);
        let took = stage.wait("config_map", "2.30", true).await;
        assert!(took <= LOOK_AGAIN + Duration::from_secs(1), "{took:?}");
        stage.wait_says("the only one found", None).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kiali_without_pods_for_a_moment_keeps_its_place() {
    play(async |stage| {
        stage.api_server.permit(NEAR, "v2.7.1", true);
        stage.api_server.permit(FAR, "v2.30.0", true);
        let far = (FAR, "v2.30.0");
        stage.there_are(&[far, (NEAR, "v2.7.1")]);
        stage.wait("config_map", "2.7", true).await;
        stage.there_are(&[far]);
        sleep(GRACE - Duration::from_secs(5)).await;
        stage.there_are(&[far, (NEAR, "v2.7.1")]);
        sleep(GRACE * 2).await;
        assert_eq!(stage.in_force().1, "2.7");
        stage.there_are(&[far]);
        let took = stage.wait("config_map", "2.30", true).await;
        assert!(took >= GRACE && took < GRACE * 2, "{took:?}");
        // The one that goes first takes its place at once.
        stage.there_are(&[far, (NEAR, "v2.7.1")]);
        assert!(stage.wait("config_map", "2.7", true).await < GRACE);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kiali_scaled_to_zero_is_followed_until_its_objects_go() {
    play(async |stage| {
        stage.api_server.permit(NEAR, "v2.7.1", true);
        stage.there_are(&[(NEAR, "v2.7.1")]);
        stage.wait("config_map", "2.7", true).await;
        stage.there_are(&[]);
        sleep(GRACE * 10).await;
        stage.api_server.permit(NEAR, "v2.30.0", false);
        stage.wait("config_map", "2.30", false).await;
        stage.api_server.delete(NEAR);
        stage
            .wait_says("no Kiali is among the Pods of all namespaces", None)
            .await;
        assert_eq!(stage.in_force(), ("config_map", "2.30".to_owned(), false));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kiali_that_is_merely_asked_goes_with_its_pods() {
    play(async |stage| {
        stage.anonymous.set(true);
        stage.there_are(&[(NEAR, "v2.26.0")]);
        stage.wait("url", "2.26", false).await;
        stage.there_are(&[]);
        let begun = Instant::now();
        stage.wait_says("no Kiali", None).await;
        assert!(begun.elapsed() >= GRACE);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn settings_of_one_kiali_are_not_anothers() {
    play(async |stage| {
        stage.api_server.permit(NEAR, "v2.7.1", false);
        stage.there_are(&[(NEAR, "v2.7.1"), (FAR, "v2.30.0")]);
        stage.wait("config_map", "2.7", false).await;
        // Uninstalled: the objects first, then the Pods.
        stage.api_server.delete(NEAR);
        stage
            .wait_says("cannot be read", Some("ConfigMap tools/kiali"))
            .await;
        assert_eq!(stage.in_force(), ("config_map", "2.7".to_owned(), false));
        stage.there_are(&[(FAR, "v2.30.0")]);
        stage.wait("pods", "2.30", true).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_changes_nothing() {
    play(async |stage| {
        stage.api_server.permit(NEAR, "v2.7.1", false);
        stage.api_server.permit(FAR, "v2.30.0", true);
        stage.anonymous.set(true);
        stage.there_are(&[(NEAR, "v2.7.1"), (FAR, "v2.30.0")]);
        stage.wait("config_map", "2.7", false).await;
        stage.api_server.away(true);
        stage
            .wait_says("Istio's namespace", Some("the API server answered 500"))
            .await;
        sleep(GRACE * 10).await;
        assert_eq!(stage.in_force(), ("config_map", "2.7".to_owned(), false));
        stage.api_server.away(false);
        stage.wait_says("Istio's namespace", None).await;
        assert_eq!(stage.in_force(), ("config_map", "2.7".to_owned(), false));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_shows_in_the_pods_where_nothing_else_may_be_read() {
    play(async |stage| {
        stage.shows(Kialis::Hidden);
        sleep(GRACE).await;
        let trouble = stage.follower.status.trouble().unwrap();
        assert!(
            trouble.contains("by its Pods, which cannot be listed"),
            "{trouble}"
        );
        stage.there_are(&[(NEAR, "v2.7.1")]);
        stage.wait("pods", "2.7", true).await;
        stage.there_are(&[(NEAR, "v2.30.0")]);
        stage.wait("pods", "2.30", true).await;
    })
    .await;
}
