//! A cluster that refuses: by its ACLs, and by passwords and certificates where records are read.
//!
//! Idea: what is refused is said and held, and goes on by itself once someone has given the right.

use crate::broker::{Broker, PASSWORD, USER};
use crate::kafka::{exporting, send};
use crate::kafka_receiver::{receiving, wait_all};
use krafka::Kafka;
use krafka::admin::{
    AclBinding, AclOperation, AclPatternType, AclPermissionType, AclResourceType, CreateAclsOptions,
};
use serde_json::{Value, json};
use testkit::{Backend, Wayspan};

/// All the rights that ACLs can name, for who signs in with a password.
async fn allow_all(broker: &Broker) {
    let acls = [
        (AclResourceType::Topic, "*"),
        (AclResourceType::Group, "*"),
        (AclResourceType::Cluster, "kafka-cluster"),
    ];
    let allow = |(kind, name)| {
        let user = format!("User:{USER}");
        let (all, allow) = (AclOperation::All, AclPermissionType::Allow);
        let acl = AclBinding::new(kind, name, user, "*", all, allow);
        // The numbers of krafka 0.28 are one too low: this is what Kafka calls LITERAL.
        acl.with_pattern_type(AclPatternType::Prefixed)
    };
    let kafka = Kafka::builder(broker.address()).connect().await.unwrap();
    let options = CreateAclsOptions::default();
    let admin = kafka.admin();
    let made = admin.create_acls(acls.map(allow).to_vec(), options).await;
    for (acl, result) in made.unwrap() {
        assert!(result.is_ok(), "{acl:?}: {result:?}");
    }
}

/// With a password, by a mechanism.
fn signed_in(broker: &Broker, mechanism: &str, password: &str) -> Value {
    json!({
        "brokers": [format!("127.0.0.1:{}", broker.sasl)],
        "auth": {"sasl": {"mechanism": mechanism, "username": USER, "password": password}},
    })
}

/// Makes the topic, with ten spans in it, as somebody who need not sign in.
async fn write_ten(broker: &Broker) {
    let writer = Wayspan::start(exporting(broker, json!({})));
    send(&writer, 0..10).await;
    writer.wait_metric("otelcol_exporter_sent_spans", |spans| spans == 10.0);
}

/// A user without rights can neither write nor read. Both are told so, lose nothing, and go on once
/// the rights are given.
#[tokio::test(flavor = "multi_thread")]
async fn acls_that_refuse_hold_spans_until_they_allow() {
    let broker = Broker::start_with(
        2,
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS",
    );
    let keys = signed_in(&broker, "SCRAM-SHA-512", PASSWORD);
    write_ten(&broker).await;
    let writer = Wayspan::start(exporting(&broker, keys.clone()));
    send(&writer, 10..20).await;
    let backend = Backend::grpc();
    let more = json!({"receivers": {"kafka": keys}});
    let reader = Wayspan::start(receiving(&broker, &backend, more));
    writer.wait_said("the cluster's ACLs do not let this user do it");
    reader.wait_said("not there, or not to be seen by this user: topic otlp_spans");
    assert_eq!(
        writer.metric("otelcol_exporter_send_failed_spans"),
        Some(0.0)
    );
    assert_eq!(backend.spans().len(), 0);
    allow_all(&broker).await;
    assert_eq!(wait_all(&backend, 20), 0);
}

/// Passwords and certificates of the receiver, right and wrong: what is wrong is said, and nothing is
/// read.
#[tokio::test(flavor = "multi_thread")]
async fn readers_sign_in() {
    let broker = Broker::start(2);
    write_ten(&broker).await;
    let tls = |tls: Value| json!({"brokers": [format!("localhost:{}", broker.tls)], "tls": tls});
    let sasl = |mechanism: &str, password: &str| signed_in(&broker, mechanism, password);
    let ca = broker.ca.path("ca.crt");
    for (name, keys, said) in [
        ("PLAIN", sasl("PLAIN", PASSWORD), None),
        ("SCRAM-SHA-256", sasl("SCRAM-SHA-256", PASSWORD), None),
        ("SCRAM-SHA-512", sasl("SCRAM-SHA-512", PASSWORD), None),
        ("TLS", tls(json!({"ca_file": ca})), None),
        (
            "a wrong password",
            sasl("SCRAM-SHA-512", "guessed"),
            Some("check auth.sasl"),
        ),
        ("an unknown authority", tls(json!({})), Some("certificate")),
    ] {
        let backend = Backend::grpc();
        let mut more = json!({"receivers": {"kafka": keys}});
        more["receivers"]["kafka"]["group_id"] = name.into();
        let reader = Wayspan::start(receiving(&broker, &backend, more));
        match said {
            None => assert_eq!(wait_all(&backend, 10), 0, "{name}"),
            Some(words) => {
                reader.wait_said(words);
                assert_eq!(backend.spans().len(), 0, "{name}");
            }
        }
    }
}
