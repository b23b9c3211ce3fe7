/*! The keys that say how a cluster is reached. */

use super::{Connection, Mechanism, Sasl};
use crate::{
    auth::{self, ClientAuth},
    config::{Field, KeyReader, Secret, Spot, Word, host_port, shorten},
    tls::{self, TlsLimits},
};
use std::time::Duration;

/// Where a broker listens by default.
const LOCAL: &str = "localhost:9092";

/// `auth.sasl.mechanism`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Password(Mechanism),
    Bearer,
    Msk,
}

impl Word for Named {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("PLAIN", Self::Password(Mechanism::Plain)),
        ("SCRAM-SHA-256", Self::Password(Mechanism::ScramSha256)),
        ("SCRAM-SHA-512", Self::Password(Mechanism::ScramSha512)),
        ("OAUTHBEARER", Self::Bearer),
        ("AWS_MSK_IAM_OAUTHBEARER", Self::Msk),
    ];
}

/// Reads them. What is wrong has been reported.
pub(crate) fn connection(keys: &mut KeyReader<'_>) -> Connection {
    let brokers: Field<Vec<Field<String>>> = keys.get(
        "brokers",
        "`[localhost:9092]`",
        "`host:port`; one has to answer, and names the others",
    );
    let client_id = keys.or(
        "client_id",
        "otel-collector".to_owned(),
        "what a cluster's quotas know it by",
    );
    let dial_timeout = keys.or(
        "dial_timeout",
        Duration::from_secs(10),
        "of a connection to one broker",
    );
    let idle_timeout = keys.or(
        "conn_idle_timeout",
        Duration::from_secs(540),
        "connections unused for so long are closed",
    );
    let metadata_refresh = keys.section("metadata", |keys| {
        keys.ignored(&["full"]);
        keys.section("retry", |keys| keys.ignored(&["max", "backoff"]));
        keys.or(
            "refresh_interval",
            Duration::from_secs(600),
            "how often brokers and partitions are asked for, besides when one is missed",
        )
    });
    // What a broker speaks is negotiated.
    keys.ignored(&["protocol_version", "use_leader_epoch"]);
    keys.refused(&["resolve_canonical_bootstrap_servers_only"]);
    let tls = tls::config::client_where_written(keys);
    let sasl = keys.section("auth", auth_keys);

    let cx = keys.reading();
    let is_encrypted = keys.spot_of("tls").is_some() && !tls.insecure;
    if is_encrypted && keys.is_used() {
        tls.check_files(keys.spot(), cx);
        if tls.settings.limits != TlsLimits::default() {
            let message = "versions, suites and curves cannot be chosen for Kafka";
            cx.error_at_key(keys.spot_of("tls"), message, "");
        }
    }
    let is_plain = matches!(
        &sasl,
        Some(Sasl::Password {
            mechanism: Mechanism::Plain,
            ..
        }) | Some(Sasl::Bearer(_))
    );
    if is_plain && !is_encrypted {
        let message =
            "credentials are sent in plaintext: set tls, unless the mesh encrypts the connection";
        cx.warn(keys.spot_of("auth"), message);
    }
    for (setting, least) in [(&dial_timeout, 1), (&metadata_refresh, 100)] {
        if setting.value < Duration::from_millis(least) {
            cx.error(setting.spot, &format!("at least {least}ms"));
        }
    }
    Connection {
        brokers: check_brokers(brokers, keys),
        client_id: client_id.value,
        tls: is_encrypted.then_some(tls.settings),
        sasl,
        dial_timeout: dial_timeout.value,
        idle_timeout: idle_timeout.value,
        metadata_refresh: metadata_refresh.value,
    }
}

fn check_brokers(field: Field<Vec<Field<String>>>, keys: &KeyReader<'_>) -> Vec<String> {
    let cx = keys.reading();
    let Some(brokers) = field.value else {
        return vec![LOCAL.to_owned()];
    };
    if brokers.is_empty() {
        cx.error(field.spot, "names no broker");
    }
    let mut checked = Vec::new();
    for broker in &brokers {
        let Some(text) = broker.trimmed() else {
            continue;
        };
        match host_port(text) {
            Ok(_) => checked.push(text.to_owned()),
            Err(error) => cx.error(broker.spot, &error),
        }
    }
    checked
}

/// Reports a name that no topic can have.
pub(crate) fn check_topic(name: &str, spot: Option<Spot>, keys: &KeyReader<'_>) {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !(1..=249).contains(&name.len())
        || matches!(name, "." | "..")
        || !name.chars().all(is_allowed)
    {
        let name = shorten(name);
        let message =
            format!("\"{name}\" cannot be the name of a topic: up to 249 of a-z A-Z 0-9 . _ -");
        keys.reading().error(spot, &message);
    }
}

fn auth_keys(keys: &mut KeyReader<'_>) -> Option<Sasl> {
    let old = keys.section("plain_text", |keys| {
        let user: Field<String> = keys.get(
            "username",
            "none",
            "the same as `sasl.username`, with `PLAIN`",
        );
        let password: Field<String> = keys.get("password", "none", "the same as `sasl.password`");
        password_of(keys, Mechanism::Plain, &user, &password)
    });
    let sasl = keys.section("sasl", sasl_keys);
    keys.misplaced(
        "kerberos",
        "wayspan does not speak Kerberos: use SASL/SCRAM, or a client certificate in tls",
    );
    keys.misplaced("tls", "belongs one level up: write tls beside brokers");
    sasl.or(old)
}

fn sasl_keys(keys: &mut KeyReader<'_>) -> Option<Sasl> {
    let username: Field<String> = keys.get("username", "none", "of PLAIN and SCRAM");
    let password: Field<String> = keys.get("password", "none", "its password");
    let mechanism: Field<Named> = keys.get(
        "mechanism",
        "required",
        "how to sign in; `AWS_MSK_IAM_OAUTHBEARER` is an error",
    );
    let source: Field<String> = keys.get(
        "oauthbearer_token_source",
        "none",
        "the `bearertokenauth` whose first token OAUTHBEARER presents",
    );
    keys.ignored(&["version"]);
    keys.section("aws_msk", |keys| keys.ignored(&["region"]));

    if !keys.has_value() || !keys.is_used() {
        return None;
    }
    let cx = keys.reading();
    match mechanism.value {
        Some(Named::Password(mechanism)) => password_of(keys, mechanism, &username, &password),
        Some(Named::Bearer) => {
            let found = auth::config::client_named(&source, keys)?;
            if let ClientAuth::Bearer(_) = &found {
                return Some(Sasl::Bearer(found));
            }
            cx.error(source.spot, "OAUTHBEARER needs a bearertokenauth");
            None
        }
        Some(Named::Msk) => {
            let message = "wayspan does not sign requests to AWS: let the cluster offer SCRAM, or \
                let a Collector stand between";
            cx.error(mechanism.spot, message);
            None
        }
        None => {
            if mechanism.spot.is_none() {
                cx.error_at_key(keys.spot(), "needs a mechanism", "such as SCRAM-SHA-512");
            }
            None
        }
    }
}

fn password_of(
    keys: &KeyReader<'_>,
    mechanism: Mechanism,
    username: &Field<String>,
    password: &Field<String>,
) -> Option<Sasl> {
    if !keys.has_value() || !keys.is_used() {
        return None;
    }
    let cx = keys.reading();
    let (Some(user), Some(secret)) = (username.given(), password.given()) else {
        let message = format!("{} needs username and password", mechanism.name());
        cx.error_at_key(keys.spot(), &message, "");
        return None;
    };
    Some(Sasl::Password {
        mechanism,
        username: user.to_owned(),
        password: Secret::new(secret),
    })
}
