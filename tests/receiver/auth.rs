//! Tokens and passwords on both ports.

use crate::harness::*;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::sync::Arc;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use wayspan::{
    auth,
    auth::{BearerToken, ServerAuth},
    config::Secret,
    receiver::{Protocol, otlp::http_protocol},
};

fn bearer() -> BearerToken {
    BearerToken {
        header: "authorization".to_owned(),
        scheme: "Bearer".to_owned(),
        tokens: ["first-s3cret", "second-s3cret"].map(Secret::new).into(),
        file: None,
    }
}

fn built(settings: &ServerAuth) -> Arc<auth::RequestAuthenticator> {
    Arc::new(auth::RequestAuthenticator::build("receiver otlp", settings).unwrap())
}

fn server(grpc: bool, auth: &Arc<auth::RequestAuthenticator>) -> Server {
    let protocol = match grpc {
        true => Protocol::Grpc(grpc_settings()),
        false => http_protocol(http_settings()),
    };
    Server::guarded(protocol, None, Some(Arc::clone(auth)))
}

async fn send(server: &Server, grpc: bool, headers: &[(&str, &str)]) -> Got {
    if grpc {
        return export(server, headers, framed(0, &body("a"))).await;
    }
    let mut all = vec![("content-type", PROTOBUF)];
    all.extend_from_slice(headers);
    http1(server, post("/v1/traces", &all, body("a"))).await
}

/// Sends with these headers and tells whether the spans were taken; a refusal
/// must be the right one.
async fn taken(server: &Server, grpc: bool, headers: &[(&str, &str)]) -> bool {
    let before = (server.counts(), server.stats.unauthenticated_requests.get());
    let got = send(server, grpc, headers).await;
    let after = (server.counts(), server.stats.unauthenticated_requests.get());
    let ((requests, refused), unauthenticated) = before;
    if !server.taken().is_empty() {
        assert_eq!(after, ((requests + 1, refused), unauthenticated));
        assert_eq!(got.status, 200);
        return true;
    }
    assert_eq!(after, ((requests, refused + 1), unauthenticated + 1));
    let message = match grpc {
        true => {
            assert_eq!(
                (got.status, got.grpc().code()),
                (200, Code::Unauthenticated)
            );
            got.grpc().message().to_owned()
        }
        false => {
            assert_eq!((got.status, got.rpc_status().code), (401, 16));
            assert!(!got.header("www-authenticate").is_empty(), "{got:?}");
            assert_eq!(got.header("retry-after"), "");
            got.rpc_status().message
        }
    };
    assert!(message.contains("auth of this receiver"), "{message}");
    assert!(!message.contains("s3cret"), "{message}");
    false
}

#[tokio::test]
async fn tokens() {
    let auth = built(&ServerAuth::Bearer(bearer()));
    for grpc in [true, false] {
        let server = server(grpc, &auth);
        for (headers, good) in [
            (&[("authorization", "Bearer first-s3cret")][..], true),
            (&[("authorization", "bearer second-s3cret")], true),
            (&[], false),
            (&[("authorization", "Bearer third-s3cret")], false),
            (&[("authorization", "Bearer first-s3cre")], false),
            (&[("authorization", "Bearer first-s3crets")], false),
            (&[("authorization", "first-s3cret")], false),
            (&[("authorization", "Basic first-s3cret")], false),
            (&[("x-token", "Bearer first-s3cret")], false),
        ] {
            assert_eq!(taken(&server, grpc, headers).await, good, "{headers:?}");
        }
    }
    let lines = log();
    let said = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert_eq!(said("the request has no credentials"), 1);
    assert_eq!(said("are not those that auth of this receiver expects"), 1);
    assert_eq!(said("s3cret"), 0);
}

#[tokio::test]
async fn another_header_and_no_scheme() {
    let auth = built(&ServerAuth::Bearer(BearerToken {
        header: "x-api-key".to_owned(),
        scheme: String::new(),
        ..bearer()
    }));
    for grpc in [true, false] {
        let server = server(grpc, &auth);
        assert!(taken(&server, grpc, &[("x-api-key", "first-s3cret")]).await);
        assert!(!taken(&server, grpc, &[("x-api-key", "Bearer first-s3cret")]).await);
        assert!(!taken(&server, grpc, &[("authorization", "Bearer first-s3cret")]).await);
    }
}

#[tokio::test]
async fn tokens_of_a_file_change_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tokens");
    std::fs::write(&file, "old-s3cret\n\nother-s3cret\n").unwrap();
    let settings = BearerToken {
        file: Some(file.clone()),
        ..bearer()
    };
    let auth = built(&ServerAuth::Bearer(settings));
    let server = server(true, &auth);
    let with = |token| [("authorization", token)];
    assert!(taken(&server, true, &with("Bearer other-s3cret")).await);
    assert!(!taken(&server, true, &with("Bearer ")).await);
    assert!(!taken(&server, true, &with("Bearer first-s3cret")).await);
    std::fs::write(&file, "new-s3cret").unwrap();
    assert!(auth.look());
    assert!(taken(&server, true, &with("Bearer new-s3cret")).await);
    assert!(!taken(&server, true, &with("Bearer old-s3cret")).await);
    // An empty file would lock out everybody, or let in those without.
    std::fs::write(&file, "\n").unwrap();
    assert!(!auth.look());
    assert!(taken(&server, true, &with("Bearer new-s3cret")).await);
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Users whose passwords are kept in each form: `p-` and the user's name.
fn htpasswd() -> String {
    let bcrypt = bcrypt::hash("p-bcrypt", 4).unwrap();
    format!(
        "plain:p-plain\nbcrypt:{bcrypt}\n# sha1 of p-sha\nsha:{}\n",
        {
            let sum = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, b"p-sha");
            format!("{{SHA}}{}", STANDARD.encode(sum))
        }
    )
}

#[tokio::test]
async fn passwords() {
    let auth = built(&ServerAuth::Basic {
        file: None,
        inline: Some(Secret::new(htpasswd())),
    });
    for grpc in [true, false] {
        let server = server(grpc, &auth);
        // Twice: the second time from memory.
        for (user, password, good) in [
            ("plain", "p-plain", true),
            ("bcrypt", "p-bcrypt", true),
            ("bcrypt", "p-bcrypt", true),
            ("sha", "p-sha", true),
            ("bcrypt", "p-plain", false),
            ("bcrypt", "p-plain", false),
            ("plain", "", false),
            ("nobody", "p-bcrypt", false),
            ("", "", false),
        ] {
            let header = basic(user, password);
            let good_now = taken(&server, grpc, &[("authorization", &header)]).await;
            assert_eq!(good_now, good, "{user} {password}");
        }
        assert!(!taken(&server, grpc, &[("authorization", "Basic ???")]).await);
        assert!(!taken(&server, grpc, &[]).await);
    }
}

#[tokio::test]
async fn users_of_a_file_change_and_what_was_remembered_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("htpasswd");
    std::fs::write(&file, htpasswd()).unwrap();
    let auth = built(&ServerAuth::Basic {
        file: Some(file.clone()),
        inline: None,
    });
    let server = server(false, &auth);
    let header = basic("bcrypt", "p-bcrypt");
    let with = [("authorization", header.as_str())];
    assert!(taken(&server, false, &with).await);
    let other = bcrypt::hash("another", 4).unwrap();
    std::fs::write(&file, format!("bcrypt:{other}\n")).unwrap();
    assert!(auth.look());
    assert!(!taken(&server, false, &with).await);
    let header = basic("bcrypt", "another");
    assert!(taken(&server, false, &[("authorization", &header)]).await);
}

#[tokio::test]
async fn many_requests_at_once_wait_for_one_check() {
    let auth = built(&ServerAuth::Basic {
        file: None,
        // Slow enough that all come while it is checked; more than may wait.
        inline: Some(Secret::new(format!("u:{}", bcrypt::hash("p", 8).unwrap()))),
    });
    let server = server(true, &auth);
    let header = basic("u", "p");
    let sends = (0..200).map(|_| send(&server, true, &[]));
    for got in futures_util::future::join_all(sends).await {
        assert_eq!(got.grpc().code(), Code::Unauthenticated);
    }
    let headers = [("authorization", header.as_str())];
    let sends = (0..200).map(|_| send(&server, true, &headers));
    for got in futures_util::future::join_all(sends).await {
        assert_eq!(got.grpc().code(), Code::Ok);
    }
    assert_eq!(server.taken().len(), 200);
}

#[tokio::test]
async fn guesses_beyond_what_can_be_checked_are_told_to_come_again() {
    let auth = built(&ServerAuth::Basic {
        file: None,
        inline: Some(Secret::new(format!("u:{}", bcrypt::hash("p", 8).unwrap()))),
    });
    let server = server(false, &auth);
    let guesses: Vec<String> = (0..200)
        .map(|n| basic("u", &format!("guess-{n}")))
        .collect();
    let sends = guesses.iter().map(|guess| {
        let server = &server;
        async move { send(server, false, &[("authorization", guess)]).await }
    });
    let got = futures_util::future::join_all(sends).await;
    let count = |status| got.iter().filter(|got| got.status == status).count();
    assert_eq!(count(401) + count(429), 200);
    let busy = got
        .iter()
        .find(|got| got.status == 429)
        .expect("some are too many");
    assert_eq!(busy.header("retry-after"), "1");
    let header = basic("u", "p");
    assert!(taken(&server, false, &[("authorization", &header)]).await);
}

#[tokio::test]
async fn the_health_service_needs_none() {
    let auth = built(&ServerAuth::Bearer(bearer()));
    let server = server(true, &auth);
    let channel = Channel::from_shared(format!("http://{}", server.address)).unwrap();
    let mut client = HealthClient::new(channel.connect().await.unwrap());
    client.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(server.counts(), (0, 0));
}

#[test]
fn what_is_wrong_with_a_file_is_named_without_its_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let file = |text: &str| {
        let path = dir.path().join(format!("file-{}", text.len()));
        std::fs::write(&path, text).unwrap();
        path
    };
    let error =
        |settings: &ServerAuth| auth::RequestAuthenticator::build("r", settings).unwrap_err();
    let basic = |text: &str| ServerAuth::Basic {
        file: Some(file(text)),
        inline: None,
    };
    for (settings, words) in [
        (
            basic("a:x\nbob:$6$s3cret"),
            "line 2: user \"bob\": hashes by SHA-crypt",
        ),
        (basic("s3cret"), "line 1: not USER:PASSWORD"),
        (basic("# nobody"), "every sender would be refused"),
    ] {
        let error = error(&settings);
        assert!(
            error.contains("htpasswd.file") && error.contains(words),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
    let empty = error(&ServerAuth::Bearer(BearerToken {
        file: Some(file("\n")),
        ..bearer()
    }));
    assert!(
        empty.contains("filename") && empty.contains("no token"),
        "{empty}"
    );
}
