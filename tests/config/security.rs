//! `tls` and `auth`: what keys mean, what is wrong, and that secrets stay secret.

use super::{MINIMAL, bad, load, over, text};
use std::{process::Command, time::Duration};
use wayspan::auth::{BearerToken, ClientAuth, Credential, ServerAuth};
use wayspan::config::Secret;
use wayspan::tls::{ClientTls, Pem, ServerTls, TlsLimits, TlsVersion};

fn grpc_tls(yaml: &str) -> Option<ServerTls> {
    let config = over(&format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{tls: {yaml}}}}}}}}}"
    ));
    super::otlp(&config, 0).grpc.unwrap().tls
}

#[test]
fn receiver_tls() {
    let file = |path: &str| Pem::File(path.into());
    let plain = ServerTls {
        cert: file("c"),
        key: file("k"),
        client_ca: None,
        limits: TlsLimits::default(),
        reload_interval: Some(Duration::from_secs(60)),
    };
    assert_eq!(grpc_tls("{cert_file: c, key_file: k}"), Some(plain.clone()));
    assert_eq!(grpc_tls(""), None);
    let all = grpc_tls(
        "{cert_pem: C, key_pem: K, client_ca_file: a, client_ca_file_reload: true, \
         min_version: '1.3', max_version: '1.3', reload_interval: 5s, \
         cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], \
         curve_preferences: [P256, X25519MLKEM768]}",
    );
    let expected = ServerTls {
        cert: Pem::Inline(Secret::new("C")),
        key: Pem::Inline(Secret::new("K")),
        client_ca: Some(file("a")),
        limits: TlsLimits {
            min: TlsVersion::Tls13,
            max: TlsVersion::Tls13,
            cipher_suites: vec!["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".to_owned()],
            groups: vec!["secp256r1".to_owned()],
        },
        reload_interval: Some(Duration::from_secs(5)),
    };
    assert_eq!(all, Some(expected));
    let never = grpc_tls("{cert_file: c, key_file: k, reload_interval: 0}").unwrap();
    assert_eq!(never.reload_interval, None);
    let http = over("receivers: {otlp: {protocols: {http: {tls: {cert_file: c, key_file: k}}}}}");
    assert_eq!(super::otlp(&http, 0).http.unwrap().server.tls, Some(plain));
}

/// `MINIMAL` with extensions and the receiver's `auth`.
fn receiver_auth(extension: &str, yaml: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{auth: {{authenticator: {extension}}}}}}}}}}}\n\
         extensions:\n  {extension}: {yaml}\nservice: {{extensions: [{extension}]}}\n"
    )
}

fn exporter_auth(extension: &str, yaml: &str) -> String {
    format!(
        "exporters: {{otlp_grpc: {{endpoint: 'j:1', auth: {{authenticator: {extension}}}}}}}\n\
         extensions:\n  {extension}: {yaml}\n\
         service: {{extensions: [{extension}], pipelines: {{traces: {{exporters: [otlp_grpc]}}}}}}\n"
    )
}

fn bearer(header: &str, scheme: &str, tokens: &[&str], file: Option<&str>) -> BearerToken {
    BearerToken {
        header: header.to_owned(),
        scheme: scheme.to_owned(),
        tokens: tokens.iter().map(|token| Secret::new(*token)).collect(),
        file: file.map(Into::into),
    }
}

#[test]
fn authenticators() {
    for (extension, yaml, expected) in [
        (
            "bearertokenauth",
            "{token: t}",
            ServerAuth::Bearer(bearer("authorization", "Bearer", &["t"], None)),
        ),
        (
            "bearertokenauth/x",
            "{tokens: [t, u], header: X-Key, scheme: ''}",
            ServerAuth::Bearer(bearer("x-key", "", &["t", "u"], None)),
        ),
        (
            "bearertokenauth",
            "{token: t, filename: /f}",
            ServerAuth::Bearer(bearer("authorization", "Bearer", &[], Some("/f"))),
        ),
        (
            "basicauth",
            "{htpasswd: {file: /f, inline: 'u:p'}}",
            ServerAuth::Basic {
                file: Some("/f".into()),
                inline: Some(Secret::new("u:p")),
            },
        ),
    ] {
        let config = over(&receiver_auth(extension, yaml));
        let grpc = super::otlp(&config, 0).grpc.unwrap();
        assert_eq!(grpc.auth, Some(expected), "{yaml}");
    }
    for (extension, yaml, expected) in [
        (
            "bearertokenauth",
            "{token: t}",
            ClientAuth::Bearer(bearer("authorization", "Bearer", &["t"], None)),
        ),
        (
            "basicauth/client",
            "{client_auth: {username: u, password_file: /p}}",
            ClientAuth::Basic {
                username: Credential::Text(Secret::new("u")),
                password: Credential::File("/p".into()),
            },
        ),
    ] {
        let config = over(&exporter_auth(extension, yaml));
        let client = super::otlp_client(&config.exporters[0]);
        assert_eq!(client.auth, Some(expected), "{yaml}");
    }
}

#[test]
fn exporter_tls() {
    let config = over(
        "exporters: {otlp_grpc: {endpoint: 'j:1', tls: {ca_pem: A, cert_pem: C, key_file: k, \
         min_version: '1.3', reload_interval: 0}}}\n\
         service: {pipelines: {traces: {exporters: [otlp_grpc]}}}\n",
    );
    let client = super::otlp_client(&config.exporters[0]);
    let expected = ClientTls {
        ca: Some(Pem::Inline(Secret::new("A"))),
        cert: Some(Pem::Inline(Secret::new("C"))),
        key: Some(Pem::File("k".into())),
        limits: TlsLimits {
            min: TlsVersion::Tls13,
            ..TlsLimits::default()
        },
        reload_interval: None,
        ..ClientTls::default()
    };
    assert_eq!(client.tls, Some(expected));
}

#[test]
fn mistakes_have_their_place_and_remedy() {
    let tls = |yaml: &str| format!("receivers: {{otlp: {{protocols: {{grpc: {{tls: {yaml}}}}}}}}}");
    for (yaml, words) in [
        (tls("{key_file: k}"), "and cert_file is not set"),
        (tls("{}"), "set both, or remove tls"),
        (tls("{insecure: true}"), "is a key of clients"),
        (
            tls("{cert_file: c, cert_pem: C, key_file: k}"),
            "beside cert_file: remove one",
        ),
        (
            tls("{cert_file: c, key_file: k, min_version: '1.3', max_version: '1.2'}"),
            "less than min_version",
        ),
        (
            tls("{cert_file: c, key_file: k, max_version: '1.1'}"),
            "TLS 1.2 and newer only",
        ),
        (
            tls("{cert_file: c, key_file: k, min_version: 2}"),
            "one of 1.0, 1.1, 1.2, 1.3",
        ),
        (
            tls("{cert_file: c, key_file: k, cipher_suites: [TLS_RSA_X]}"),
            "wayspan has TLS_ECDHE_",
        ),
        (
            tls("{cert_file: c, key_file: k, curve_preferences: [P521]}"),
            "wayspan has X25519, P256",
        ),
        (
            tls("{cert_file: c, key_file: k, reload_interval: 1ms}"),
            "less than 100ms",
        ),
        (
            tls("{cert_file: c, key_file: k, tpm: {enabled: true}}"),
            "not supported by wayspan yet",
        ),
        (
            "receivers: {otlp: {protocols: {grpc: {auth: {}}}}}".to_owned(),
            "names no authenticator",
        ),
        (
            "receivers: {otlp: {protocols: {grpc: {auth: {authenticator: oidc}}}}}\n\
             extensions: {oidc: }\nservice: {extensions: [oidc]}"
                .to_owned(),
            "wayspan has no authenticator \"oidc\"",
        ),
        (
            receiver_auth("bearertokenauth", "{}"),
            "set token, tokens or filename",
        ),
        (
            receiver_auth("bearertokenauth", "{token: ''}"),
            "set token, tokens or filename",
        ),
        (
            receiver_auth("bearertokenauth", "{tokens: [t, '']}"),
            "would let in who has none",
        ),
        (
            receiver_auth("bearertokenauth", "{token: t, header: 'a b'}"),
            "not a name that a header",
        ),
        (
            receiver_auth("basicauth", "{}"),
            "neither htpasswd nor client_auth",
        ),
        (
            receiver_auth("basicauth", "{htpasswd: {inline: ''}}"),
            "set htpasswd.file or htpasswd.inline",
        ),
        (
            receiver_auth("basicauth", "{client_auth: {username: u, password: p}}"),
            "a receiver needs a basicauth with htpasswd",
        ),
        (
            exporter_auth("basicauth", "{htpasswd: {inline: 'u:p'}}"),
            "an exporter needs a basicauth with client_auth",
        ),
        (
            exporter_auth("basicauth", "{client_auth: {username: 'u:v', password: p}}"),
            "cannot have a colon",
        ),
        (
            exporter_auth("basicauth", "{client_auth: {username: u}}"),
            "set client_auth.password",
        ),
    ] {
        let message = bad(&yaml);
        assert!(message.contains(words), "{yaml}\n{message}");
        assert!(message.contains("config.yaml:"), "{message}");
    }
}

/// Whatever is wrong around a secret, the message does not show it.
#[test]
fn no_message_shows_a_secret() {
    for yaml in [
        receiver_auth("bearertokenauth", "{token: 'hunter2 '}"),
        receiver_auth("bearertokenauth", "{token: hunter2, x: 1}"),
        receiver_auth("bearertokenauth", "{tokens: hunter2}"),
        receiver_auth("bearertokenauth", "\n    tokens:\n    - hunter2: x"),
        receiver_auth("bearertokenauth", "\n    tokens:\n    - [hunter2]"),
        receiver_auth("bearertokenauth", "hunter2"),
        receiver_auth("basicauth", "{htpasswd: 'u:hunter2'}"),
        receiver_auth("basicauth", "{htpasswd: {inline: 'u:$6$hunter2'}}"),
        receiver_auth(
            "basicauth",
            "\n    htpasswd:\n      inline: |\n        u:{SHA}hunter2",
        ),
        receiver_auth(
            "basicauth",
            "\n    htpasswd:\n      inline: |\n        hunter2",
        ),
        receiver_auth(
            "basicauth",
            "{client_auth: {username: 'u:v', password: hunter2}}",
        ),
        exporter_auth("bearertokenauth", "\n    token: hunter2\n     bad: indent"),
        exporter_auth(
            "bearertokenauth",
            "\n    tokens:\n    - hunter2\n    - [hunter2",
        ),
        "exporters: {otlp_grpc: {headers: hunter2}}".to_owned(),
        "receivers: {otlp: {protocols: {grpc: {tls: {key_pem: hunter2}}}}}".to_owned(),
        "receivers: {otlp: {protocols: {grpc: {tls: {key_pem: [hunter2], x: 1}}}}}".to_owned(),
    ] {
        let message = bad(&yaml);
        assert!(!message.contains("hunter2"), "{yaml}\n{message}");
    }
    // What would also be in a log: the warnings, and the configuration itself.
    let yaml = exporter_auth("bearertokenauth", "{token: hunter2}").replace(
        "endpoint: 'j:1'",
        "endpoint: 'http://j:1', headers: {x: hunter2}",
    );
    let config = load(&[text(MINIMAL), text(&yaml)]).unwrap();
    assert!(
        config.warnings.iter().any(|w| w.contains("in plaintext")),
        "{:?}",
        config.warnings
    );
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn print_config_takes_secrets_out() {
    let file = "\
extensions:
  bearertokenauth:
    token: hunter2
    tokens: [hunter2, hunter2]
  basicauth:
    htpasswd:
      inline: 'u:hunter2'
    client_auth: {username: u, password: hunter2}
receivers:
  otlp: {protocols: {grpc: {tls: {key_pem: hunter2, key_file: /shown}}}}
exporters:
  otlp: {headers: {x: hunter2}}
";
    let output = Command::new(env!("CARGO_BIN_EXE_wayspan"))
        .args(["print-config", "--config", &format!("yaml:{file}")])
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && shown.contains("/shown"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}
