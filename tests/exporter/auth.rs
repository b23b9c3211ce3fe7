//! Credentials that exporters present.

use crate::support::*;
use wayspan::{
    auth::{BearerToken, ClientAuth, Credential},
    config::Secret,
    exporter::Exporter,
};

fn bearer(file: &std::path::Path) -> ClientAuth {
    ClientAuth::Bearer(BearerToken {
        header: "authorization".to_owned(),
        scheme: "Bearer".to_owned(),
        tokens: vec![],
        file: Some(file.to_owned()),
    })
}

fn with(
    mut settings: wayspan::exporter::ConfiguredExporter,
    auth: ClientAuth,
) -> wayspan::exporter::ConfiguredExporter {
    change(&mut settings, |client| {
        client.auth = Some(auth);
        client
            .headers
            .push(("authorization".into(), "is replaced".into()));
    });
    settings
}

#[tokio::test]
async fn a_token_is_presented_and_follows_its_file() {
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "one\nunused\n").unwrap();
    let running = Running::start(&with(grpc(address), bearer(&file)));
    running.push(batch(0..5));
    until(|| log.all().len() == 1).await;
    std::fs::write(&file, "two").unwrap();
    running.push(batch(5..10));
    until(|| log.all().len() == 2).await;
    // What cannot be used is not: the last good one is.
    std::fs::remove_file(&file).unwrap();
    running.push(batch(10..15));
    running.finish().await;
    let sent: Vec<_> = log
        .all()
        .iter()
        .map(|got| got.headers["authorization"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(sent, ["Bearer one", "Bearer two", "Bearer two"]);
}

#[tokio::test]
async fn a_password_is_presented() {
    let (address, log) = grpc_server(|_, _| Reply::Ok).await;
    let auth = ClientAuth::Basic {
        username: Credential::Text(Secret::new("user")),
        password: Credential::Text(Secret::new("pass:word")),
    };
    let running = Running::start(&with(grpc(address), auth));
    running.push(batch(0..5));
    running.finish().await;
    assert_eq!(
        log.all()[0].headers["authorization"],
        "Basic dXNlcjpwYXNzOndvcmQ="
    );
}

#[test]
fn what_cannot_be_presented_is_refused_at_build_without_being_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let address = "127.0.0.1:1".parse().unwrap();
    for (text, words) in [
        (None, "cannot be read"),
        (Some("\n"), "empty"),
        (Some("hunter2\u{1}"), "characters that no header can have"),
    ] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let settings = with(http(address), bearer(&file));
        let error = Exporter::build(&settings).unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains("otlp/test"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}
