//! Certificates and keys in the configuration: used or refused with the key
//! that holds them, and never shown.

use super::{Grammar, Target};
use wayspan::{
    tls::{ClientTls, Pem, ServerTls, TlsLimits}, config::Secret,
    tls,
};

pub const TARGET: Target = Target {
    name: "pem",
    run,
    grammar: Grammar::Text,
};

fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pem = || Pem::Inline(Secret::new(text.as_ref()));
    let server = ServerTls {
        cert: pem(),
        key: pem(),
        client_ca: Some(pem()),
        limits: TlsLimits::default(),
        reload_interval: None,
    };
    let client = ClientTls {
        ca: Some(pem()),
        cert: Some(pem()),
        key: Some(pem()),
        ..ClientTls::default()
    };
    let refusals = [
        tls::ReloadedServerTls::build("fuzzed", &server).err(),
        tls::ReloadedClientTls::build("fuzzed", Some(&client), |config| config).err(),
    ];
    for refusal in refusals.into_iter().flatten() {
        assert!(refusal.contains("tls."), "no key: {refusal}");
        let mut lines = text.lines().filter(|line| line.len() > 40 && !line.contains("-----"));
        assert!(lines.all(|line| !refusal.contains(line)), "{refusal}");
    }
}
