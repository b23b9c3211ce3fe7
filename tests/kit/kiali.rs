//! A Kiali of our own, which answers over HTTP as the real one does.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A Kiali's configuration, as its handlers encode it.
#[derive(Clone, Debug)]
pub struct Says {
    pub version: &'static str,
    pub namespace_selector: bool,
    /// None: a Kiali that does not know the key.
    pub use_waypoint_name: Option<bool>,
    pub identity_domain: &'static str,
    /// Whether it wants a session, begun with a token (`auth.strategy: token`).
    pub session: bool,
}

impl Says {
    fn body(&self, path: &str) -> Option<String> {
        let Self {
            version,
            namespace_selector,
            identity_domain,
            ..
        } = self;
        let waypoint = (self.use_waypoint_name)
            .map_or(String::new(), |on| format!("\"useWaypointName\":{on},"));
        Some(match path {
            "/kiali/api/tracing" => format!(
                r#"{{"enabled":true,"integration":true,"provider":"jaeger","tempoConfig":{{}},
                "url":"","namespaceSelector":{namespace_selector},{waypoint}
                "whiteListIstioSystem":["jaeger-query","istio-ingressgateway"]}}"#
            ),
            "/kiali/api/config" => format!(
                r#"{{"authStrategy":"header","clusters":{{"east":{{"accessible":true,
                "apiEndpoint":"","isKialiHome":true,"kialiInstances":[],"name":"east",
                "secretName":""}}}},"istioIdentityDomain":"{identity_domain}",
                "istioLabels":{{"appLabelName":"","versionLabelName":""}},"kialiFeatureFlags":{{}}}}"#
            ),
            "/kiali/api/status" => format!(
                r#"{{"status":{{"Kiali commit hash":"a1b2c3","Kiali container version":"{version}",
                "Kiali state":"running","Kiali version":"{version}"}},"externalServices":[],
                "warningMessages":[],"istioEnvironment":{{"istioAPIEnabled":true}}}}"#
            ),
            _ => return None,
        })
    }
}

/// The server and what it was sent.
#[derive(Clone)]
pub struct Kiali {
    says: Arc<Mutex<Option<Says>>>,
    tokens: Arc<Mutex<Vec<String>>>,
}

impl Kiali {
    /// Serves on `port` for as long as the runtime lives.
    pub async fn serve(port: u16, says: Says, tls: Option<TlsAcceptor>) -> Self {
        let kiali = Self {
            says: Arc::new(Mutex::new(Some(says))),
            tokens: Arc::default(),
        };
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let server = kiali.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (server, tls) = (server.clone(), tls.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let server = server.clone();
                        async move {
                            let (head, body) = request.into_parts();
                            let form = body.collect().await.unwrap().to_bytes();
                            Ok::<_, Infallible>(server.answer(&head, &form))
                        }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    match tls {
                        None => drop(http.serve_connection(TokioIo::new(stream), service).await),
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else {
                                return;
                            };
                            drop(http.serve_connection(TokioIo::new(stream), service).await);
                        }
                    }
                });
            }
        });
        kiali
    }

    fn answer(&self, head: &http::request::Parts, form: &[u8]) -> Response<Full<Bytes>> {
        const SESSION: &str = "kiali-token-east=abc";
        let header = |name| head.headers.get(name).map_or("", |h| h.to_str().unwrap());
        let says = self.says.lock().unwrap().clone();
        let session = says.as_ref().is_some_and(|says| says.session);
        let mut response = Response::builder();
        let (status, body) = match says.map(|says| says.body(head.uri.path())) {
            None => (500, "out of order".to_owned()),
            Some(None) if session && head.uri.path() == "/kiali/api/authenticate" => {
                response =
                    response.header("set-cookie", format!("{SESSION}; Path=/kiali; HttpOnly"));
                match form == b"token=s3cret%2Dtoken" && head.method == "POST" {
                    true => (200, "{}".to_owned()),
                    false => (401, String::new()),
                }
            }
            Some(_) if session && header("cookie") != SESSION => (401, String::new()),
            Some(None) => (404, String::new()),
            Some(Some(body)) => {
                let token = header("authorization").to_owned();
                self.tokens.lock().unwrap().push(token);
                (200, body)
            }
        };
        let body = Full::new(Bytes::from(body));
        response.status(status).body(body).unwrap()
    }

    /// The `authorization` header of each request that was answered.
    pub fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap().clone()
    }

    /// None: out of order.
    pub fn now_says(&self, says: Option<Says>) {
        *self.says.lock().unwrap() = says;
    }
}
