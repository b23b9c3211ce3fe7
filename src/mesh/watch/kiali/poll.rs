/*!
Asks a Kiali about itself, over and over.

What Kiali wants to see depends on its `auth.strategy`, which anybody may ask
at `/api/auth/info`:

- `anonymous`: nothing;
- `openshift`, `header`: the token in each request;
- `token`: a session, begun by posting the token to `/api/authenticate`.

So the token is sent along, and where that does not help a session is begun.
Sending requests is up to the caller ([`KialiClient`]).
*/

use super::{
    KialiFollower,
    answers::{self, Answers},
    documents::ReadDocument,
};
use crate::{
    config::Secret,
    mesh::{KialiEndpoint, Token, Version},
    random::rng,
};
use bytes::Bytes;
use rand::Rng as _;
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, future::Future};

/// A request to Kiali.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KialiRequest<'a> {
    /// Below Kiali's web root, such as `/api/tracing`.
    pub(crate) path: &'a str,
    /// Sent as a bearer token.
    pub(crate) token: Option<&'a Secret>,
    /// The `Cookie` header; empty: none.
    pub(crate) cookies: &'a str,
    /// Posted as the form field `token`; None: a GET.
    pub(crate) login: Option<&'a Secret>,
}

/// Kiali's answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct KialiReply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Bytes,
    /// Each `Set-Cookie` header.
    pub(crate) set_cookies: Vec<String>,
}

/// Sends requests to one Kiali.
pub(crate) trait KialiClient {
    /// Sends one request; the error says cause and remedy.
    fn send(&self, request: KialiRequest<'_>) -> impl Future<Output = Result<KialiReply, String>>;
}

pub(super) async fn run(
    follower: &KialiFollower,
    endpoint: &KialiEndpoint,
    client: impl KialiClient,
) {
    let mut poller = Poller::new(endpoint, client);
    loop {
        let faults = poller.read().await;
        // The other two only refine what the first says.
        if poller.answers.tracing.is_some() {
            let fresh = faults.is_empty();
            if fresh || poller.progress {
                let reading = poller.settled();
                match fresh {
                    true => follower.learned(reading, false),
                    false => follower.learned_in_part(reading),
                }
            }
        }
        if !faults.is_empty() {
            follower.failed(&faults.join("; "));
        }
        // Several replicas shall not all ask at once.
        let spread = rng().random_range(0.9..=1.1);
        tokio::time::sleep(endpoint.poll_interval.mul_f64(spread)).await;
    }
}

/// Asks once; the error says what failed, and what to do about it.
pub(super) async fn read(
    endpoint: &KialiEndpoint,
    client: impl KialiClient,
) -> Result<ReadDocument, String> {
    let mut poller = Poller::new(endpoint, client);
    let faults = poller.read().await;
    match poller.answers.tracing {
        Some(_) => Ok(poller.answers.reading()),
        None => Err(faults.join("; ")),
    }
}

struct Poller<'e, F> {
    endpoint: &'e KialiEndpoint,
    client: F,
    cookies: BTreeMap<String, String>,
    answers: Answers,
    /// What was made known last.
    settled: Option<ReadDocument>,
    /// Another version than that one's, read last.
    version_next: Option<Option<Version>>,
    /// Is true when the last read brought anything.
    progress: bool,
}

impl<'e, F: KialiClient> Poller<'e, F> {
    fn new(endpoint: &'e KialiEndpoint, client: F) -> Self {
        Self {
            endpoint,
            client,
            cookies: BTreeMap::new(),
            answers: Answers::default(),
            settled: None,
            version_next: None,
            progress: false,
        }
    }

    /// Returns what the answers say, where another version counts once it was
    /// read twice: while a Kiali is replaced, requests reach the old one and
    /// the new in turn.
    fn settled(&mut self) -> ReadDocument {
        let reading = self.answers.reading();
        let version = reading.said.version;
        if let Some(before) = &self.settled
            && before.said.version.is_some()
            && before.said.version != version
            && self.version_next != Some(version)
        {
            self.version_next = Some(version);
            return before.clone();
        }
        self.version_next = None;
        self.settled = Some(reading.clone());
        reading
    }

    /// Asks everything once; what failed, and what to do about it.
    async fn read(&mut self) -> Vec<String> {
        self.progress = false;
        let token = match self.token() {
            Ok(token) => token,
            Err(cause) => return vec![cause],
        };
        let mut faults = Vec::new();
        match self.get("/api/tracing", token.as_ref()).await {
            Ok(answer) => self.answers.tracing = Some(answer),
            // Where this fails the others would fail alike.
            Err(cause) => return vec![cause],
        }
        self.progress = true;
        match self.get("/api/config", token.as_ref()).await {
            Ok(answer) => self.answers.config = Some(answer),
            Err(cause) => faults.push(cause),
        }
        match self.get("/api/status", token.as_ref()).await {
            Ok(answer) => self.answers.status = Some(answer),
            Err(cause) => faults.push(cause),
        }
        faults
    }

    fn token(&self) -> Result<Option<Secret>, String> {
        match &self.endpoint.token {
            None => Ok(None),
            Some(Token::Text(secret)) => Ok(Some(secret.clone())),
            Some(Token::File(path)) => match std::fs::read_to_string(path) {
                Ok(text) if !text.trim().is_empty() => Ok(Some(Secret::new(text.trim()))),
                Ok(_) => Err(format!("kiali.token_file {} is empty", path.display())),
                Err(error) => Err(format!("kiali.token_file {}: {error}", path.display())),
            },
        }
    }

    async fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
        token: Option<&Secret>,
    ) -> Result<T, String> {
        let mut reply = self.send(path, token).await?;
        if let (401, Some(secret)) = (reply.status, token) {
            self.log_in(secret).await?;
            reply = self.send(path, token).await?;
        }
        match (reply.status, token) {
            (200, _) => answers::read(path, &reply.body),
            (401, None) => Err(
                "Kiali wants to know who asks: set kiali.token_file to the token of a service \
                 account that may see a namespace of the mesh, or use kiali.config_map"
                    .to_owned(),
            ),
            (401, Some(_)) => Err(refused_token()),
            (403, _) => Err(format!(
                "{path}: Kiali forbids it to the owner of the token (403)"
            )),
            (404, _) => Err(format!(
                "nothing at {}{path}: is the path in kiali.url Kiali's web root, which is /kiali \
                 unless it was changed?",
                self.endpoint.url
            )),
            (status @ 300..=399, _) => Err(format!(
                "{path} is answered with a redirect ({status}): is the path in kiali.url Kiali's web \
                 root, and is the URL that of Kiali's own Service rather than of a proxy with a login?"
            )),
            (status, _) => Err(format!("{path} is answered with {status}; see Kiali's log")),
        }
    }

    async fn send(&self, path: &str, token: Option<&Secret>) -> Result<KialiReply, String> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let request = KialiRequest {
            path,
            token,
            cookies: &pairs.join("; "),
            login: None,
        };
        self.client.send(request).await
    }

    /// Begins a session, as Kiali's login page does.
    async fn log_in(&mut self, token: &Secret) -> Result<(), String> {
        self.cookies.clear();
        let request = KialiRequest {
            path: "/api/authenticate",
            token: None,
            cookies: "",
            login: Some(token),
        };
        let reply = self.client.send(request).await?;
        if reply.status != 200 {
            return Err(refused_token());
        }
        for cookie in &reply.set_cookies {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty())
            {
                self.cookies
                    .insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(())
    }
}

fn refused_token() -> String {
    "Kiali does not accept the token (401): it must be one that Kubernetes accepts, of a service \
     account that may see a namespace of the mesh; with auth.strategy openid no token will do: use \
     kiali.config_map"
        .to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mesh::Tls;
    use std::{cell::RefCell, time::Duration};

    const TRACING: &str = r#"{"enabled":true,"namespaceSelector":true,"useWaypointName":true}"#;
    const CONFIG: &str = r#"{"istioIdentityDomain":"svc.x","kialiFeatureFlags":{}}"#;
    const STATUS: &str = r#"{"status":{"Kiali version":"v2.26.0"}}"#;

    /// A Kiali with a strategy, and what it was asked.
    struct FakeKiali {
        strategy: &'static str,
        broken: RefCell<&'static str>,
        asked: RefCell<Vec<String>>,
    }

    impl FakeKiali {
        fn new(strategy: &'static str) -> Self {
            Self {
                strategy,
                broken: RefCell::new(""),
                asked: RefCell::default(),
            }
        }
    }

    impl KialiClient for &FakeKiali {
        async fn send(&self, request: KialiRequest<'_>) -> Result<KialiReply, String> {
            self.asked.borrow_mut().push(request.path.to_owned());
            let good = |secret: Option<&Secret>| secret.is_some_and(|s| s.reveal() == "good");
            let reply = |status, body: &str| KialiReply {
                status,
                body: Bytes::copy_from_slice(body.as_bytes()),
                set_cookies: Vec::new(),
            };
            if request.path == *self.broken.borrow() {
                return Ok(reply(500, "boom"));
            }
            if let Some(secret) = request.login {
                return Ok(match self.strategy == "token" && good(Some(secret)) {
                    true => KialiReply {
                        set_cookies: vec![
                            "kiali-token-east=abc; Path=/kiali; HttpOnly".to_owned(),
                            "kiali-old=; Max-Age=0".to_owned(),
                        ],
                        ..reply(200, "{}")
                    },
                    false => reply(401, ""),
                });
            }
            let known = match self.strategy {
                "anonymous" => true,
                "header" => good(request.token),
                _ => request.cookies == "kiali-token-east=abc",
            };
            Ok(match (known, request.path) {
                (false, _) => reply(401, "Unauthorized"),
                (_, "/api/tracing") => reply(200, TRACING),
                (_, "/api/config") => reply(200, CONFIG),
                (_, "/api/status") => reply(200, STATUS),
                _ => reply(404, ""),
            })
        }
    }

    fn endpoint(token: Option<&str>) -> KialiEndpoint {
        KialiEndpoint {
            url: "http://kiali:20001/kiali".to_owned(),
            token: token.map(|token| Token::Text(Secret::new(token))),
            poll_interval: Duration::from_secs(30),
            tls: Tls::default(),
        }
    }

    #[tokio::test]
    async fn every_strategy_that_a_token_can_satisfy() {
        for (strategy, token, works) in [
            ("anonymous", None, true),
            ("anonymous", Some("bad"), true),
            ("header", Some("good"), true),
            ("header", Some("bad"), false),
            ("header", None, false),
            ("token", Some("good"), true),
            ("token", Some("bad"), false),
            ("openid", Some("good"), false),
        ] {
            let kiali = FakeKiali::new(strategy);
            let endpoint = endpoint(token);
            let mut poller = Poller::new(&endpoint, &kiali);
            let faults = poller.read().await;
            assert_eq!(faults.is_empty(), works, "{strategy} {token:?}: {faults:?}");
            let said = poller.answers.reading().said;
            assert_eq!(
                said.version,
                works.then_some(Version::new(2, 26)),
                "{strategy}"
            );
            if !works {
                assert!(faults[0].contains("kiali.config_map"), "{faults:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_session_is_kept_and_begun_again_when_it_has_ended() {
        let kiali = FakeKiali::new("token");
        let endpoint = endpoint(Some("good"));
        let mut poller = Poller::new(&endpoint, &kiali);
        let logins = || {
            kiali
                .asked
                .borrow()
                .iter()
                .filter(|p| p.ends_with("authenticate"))
                .count()
        };
        assert!(poller.read().await.is_empty());
        assert!(poller.read().await.is_empty());
        assert_eq!(logins(), 1);
        poller.cookies.clear();
        assert!(poller.read().await.is_empty());
        assert_eq!(logins(), 2);
    }

    #[tokio::test]
    async fn a_part_that_fails_leaves_the_part_before() {
        let kiali = FakeKiali::new("anonymous");
        let endpoint = endpoint(None);
        let mut poller = Poller::new(&endpoint, &kiali);
        assert!(poller.read().await.is_empty());
        *kiali.broken.borrow_mut() = "/api/status";
        let faults = poller.read().await;
        assert!(
            faults[0].contains("/api/status is answered with 500"),
            "{faults:?}"
        );
        assert!(poller.progress);
        assert_eq!(
            poller.answers.reading().said.version,
            Some(Version::new(2, 26))
        );
        *kiali.broken.borrow_mut() = "/api/tracing";
        assert_eq!(poller.read().await.len(), 1);
        assert!(!poller.progress);
    }

    #[test]
    fn another_version_counts_once_it_was_read_twice() {
        let (kiali, endpoint) = (FakeKiali::new("anonymous"), endpoint(None));
        let mut poller = Poller::new(&endpoint, &kiali);
        for (minor, want) in [
            (26, 26),
            (30, 26),
            (26, 26),
            (30, 26),
            (30, 30),
            (30, 30),
            (29, 30),
            (28, 30),
            (28, 28),
        ] {
            let status = format!(r#"{{"status":{{"Kiali version":"v2.{minor}.0"}}}}"#);
            poller.answers.status = Some(answers::read("", status.as_bytes()).unwrap());
            let version = poller.settled().said.version;
            assert_eq!(version, Some(Version::new(2, want)), "{minor}");
        }
    }

    #[tokio::test]
    async fn a_token_file_is_read_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let kiali = FakeKiali::new("header");
        let endpoint = KialiEndpoint {
            token: Some(Token::File(file.clone())),
            ..endpoint(None)
        };
        let mut poller = Poller::new(&endpoint, &kiali);
        assert!(poller.read().await[0].contains("kiali.token_file"));
        std::fs::write(&file, "good\n").unwrap();
        assert!(poller.read().await.is_empty());
        std::fs::write(&file, " \n").unwrap();
        assert!(poller.read().await[0].contains("is empty"));
    }
}
