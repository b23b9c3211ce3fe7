//! `tls` of receivers and exporters.

use super::Context;
use crate::config::{
    checked::{ClientTls, Pem, Secret, ServerTls, TlsLimits, TlsVersion},
    de::Field,
    diagnostic::Spot,
    inspect::Guard,
    raw::security as raw,
    scalar::GoDuration,
};
use std::time::Duration;

/// How often a receiver's files are looked at. The Collector never does unless
/// told to, and serves expired certificates then.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// TLS 1.2's suites, by the names that IANA and Go give them.
const SUITES: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];
/// Groups: the Collector's name and IANA's.
const GROUPS: [(&str, &str); 3] = [
    ("X25519", "X25519"),
    ("P256", "secp256r1"),
    ("P384", "secp384r1"),
];

pub(super) fn server(field: Field<raw::ServerTls>, cx: &Context<'_>) -> Option<ServerTls> {
    let (raw, spot) = (field.value?, field.spot?);
    let cert = pem("cert", &raw.cert_file, &raw.cert_pem, cx);
    let key = pem("key", &raw.key_file, &raw.key_pem, cx);
    let limits = limits(
        (&raw.min_version, &raw.max_version),
        &raw.cipher_suites,
        &raw.curve_preferences,
        cx,
    );
    if let (Some(spot), Some(_)) = (raw.ca_file.spot, given(&raw.ca_file)) {
        cx.report.warn_at(
            spot,
            "has no effect on a receiver; client_ca_file names the CA of senders' certificates",
        );
    }
    if let (Some(spot), Some(false)) = (
        raw.client_ca_file_reload.spot,
        raw.client_ca_file_reload.value,
    ) {
        cx.report.warn_at(
            spot,
            "client_ca_file is looked at together with the other files; ignored",
        );
    }
    let client_ca = given(&raw.client_ca_file).map(|path| Pem::File(path.into()));
    let reload_interval = match (raw.reload_interval.value, raw.reload_interval.spot) {
        (Some(GoDuration(given)), _) if given.is_zero() => None,
        (Some(GoDuration(given)), Some(spot)) if given < LEAST_INTERVAL => {
            cx.report
                .error_at(spot, "less than 100ms would only keep the machine busy");
            None
        }
        (Some(GoDuration(given)), _) => Some(given),
        (None, _) => Some(DEFAULT_INTERVAL),
    };
    match (cert, key) {
        (Some(cert), Some(key)) => {
            let settings = ServerTls {
                cert,
                key,
                client_ca,
                limits,
                reload_interval,
            };
            let keys = [
                ("tls.cert_file", raw.cert_file.spot),
                ("tls.cert_pem", raw.cert_pem.spot),
                ("tls.key_file", raw.key_file.spot),
                ("tls.key_pem", raw.key_pem.spot),
                ("tls.client_ca_file", raw.client_ca_file.spot),
            ];
            cx.inspect(Guard::ServerTls(&settings), &keys, spot);
            Some(settings)
        }
        (cert, _) => {
            let missing = match cert {
                Some(_) => "key_file",
                None => "cert_file",
            };
            if !cx.report.has_errors() {
                cx.report.error_at_key(
                    spot,
                    &format!("a server needs cert_file and key_file, and {missing} is not set"),
                    "set both, or remove tls to receive plaintext",
                );
            }
            None
        }
    }
}

pub(super) fn client(raw: &raw::ClientTls, cx: &Context<'_>) -> ClientTls {
    let settings = ClientTls {
        insecure_skip_verify: raw.insecure_skip_verify.value.unwrap_or(false),
        ca: pem("ca", &raw.ca_file, &raw.ca_pem, cx),
        cert: pem("cert", &raw.cert_file, &raw.cert_pem, cx),
        key: pem("key", &raw.key_file, &raw.key_pem, cx),
        server_name_override: given(&raw.server_name_override).map(str::to_owned),
        limits: limits(
            (&raw.min_version, &raw.max_version),
            &raw.cipher_suites,
            &raw.curve_preferences,
            cx,
        ),
        reload_interval: match raw.reload_interval.value {
            Some(GoDuration(given)) => Some(given).filter(|given| !given.is_zero()),
            None => Some(Duration::ZERO),
        },
    };
    for (fields, other, missing) in [
        ([&raw.cert_file, &raw.cert_pem], &settings.key, "key_file"),
        ([&raw.key_file, &raw.key_pem], &settings.cert, "cert_file"),
    ] {
        let set = fields.into_iter().find(|field| given(field).is_some());
        if let (Some(spot), None) = (set.and_then(|field| field.spot), other) {
            cx.report
                .error_at(spot, &format!("needs {missing} beside it"));
        }
    }
    settings
}

/// Has the files of an exporter's `tls` looked at.
pub(super) fn inspect(settings: &ClientTls, raw: &raw::ClientTls, at: Spot, cx: &Context<'_>) {
    let keys = [
        ("tls.ca_file", raw.ca_file.spot),
        ("tls.ca_pem", raw.ca_pem.spot),
        ("tls.cert_file", raw.cert_file.spot),
        ("tls.cert_pem", raw.cert_pem.spot),
        ("tls.key_file", raw.key_file.spot),
        ("tls.key_pem", raw.key_pem.spot),
    ];
    cx.inspect(Guard::ClientTls(settings), &keys, at);
}

fn given(field: &Field<String>) -> Option<&str> {
    field.as_ref().map(String::as_str).filter(|t| !t.is_empty())
}

/// One of `…_file` and `…_pem`.
fn pem(name: &str, file: &Field<String>, text: &Field<String>, cx: &Context<'_>) -> Option<Pem> {
    match (given(file), given(text)) {
        (Some(_), Some(_)) => {
            if let Some(spot) = text.spot {
                let message = format!("beside {name}_file: remove one of the two");
                cx.report.error_at_key(spot, &message, "");
            }
            None
        }
        (Some(path), None) => Some(Pem::File(path.into())),
        (None, Some(text)) => Some(Pem::Inline(Secret::new(text))),
        (None, None) => None,
    }
}

fn limits(
    (min, max): (&Field<raw::TlsVersion>, &Field<raw::TlsVersion>),
    suites: &Field<Vec<Field<String>>>,
    groups: &Field<Vec<Field<String>>>,
    cx: &Context<'_>,
) -> TlsLimits {
    let default = TlsLimits::default();
    let min_version = match (min.value, min.spot) {
        (Some(raw::TlsVersion::Tls13), _) => TlsVersion::Tls13,
        (Some(raw::TlsVersion::Tls10 | raw::TlsVersion::Tls11), Some(spot)) => {
            cx.report
                .warn_at(spot, "wayspan speaks TLS 1.2 and newer only");
            default.min
        }
        _ => default.min,
    };
    let max_version = match (max.value, max.spot) {
        (Some(raw::TlsVersion::Tls12), _) => TlsVersion::Tls12,
        (Some(raw::TlsVersion::Tls10 | raw::TlsVersion::Tls11), Some(spot)) => {
            cx.report
                .error_at(spot, "wayspan speaks TLS 1.2 and newer only");
            default.max
        }
        _ => default.max,
    };
    if let (Some(spot), true) = (max.spot, min_version > max_version) {
        cx.report.error_at(
            spot,
            "less than min_version, so that nothing is left to speak",
        );
    }
    TlsLimits {
        min: min_version,
        max: max_version,
        cipher_suites: chosen(
            suites,
            |name| SUITES.into_iter().find(|s| *s == name),
            &SUITES,
            cx,
        ),
        groups: chosen(
            groups,
            |name| {
                GROUPS
                    .iter()
                    .find(|(go, _)| *go == name)
                    .map(|(_, iana)| *iana)
            },
            &GROUPS.map(|(go, _)| go),
            cx,
        ),
    }
}

/// Those of a list that wayspan has. What it lacks is weaker or newer and is
/// left out with a warning; that all are lacking is an error.
fn chosen(
    list: &Field<Vec<Field<String>>>,
    find: impl Fn(&str) -> Option<&'static str>,
    all: &[&str],
    cx: &Context<'_>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut lacking: Vec<(Spot, &str)> = Vec::new();
    for item in list.as_ref().into_iter().flatten() {
        let (Some(name), Some(spot)) = (item.as_ref(), item.spot) else {
            continue;
        };
        match find(name.trim()) {
            Some(name) => found.push(name.to_owned()),
            None => lacking.push((spot, name)),
        }
    }
    let has = format!("wayspan has {}", all.join(", "));
    if found.is_empty()
        && let Some((spot, _)) = lacking.first()
    {
        let message = "none of these is one that wayspan has";
        cx.report.error_at_help(*spot, message, &has);
    } else {
        for (spot, name) in lacking {
            let name = crate::config::node::shorten(name);
            cx.report
                .warn_at(spot, &format!("\"{name}\" is left out: {has}"));
        }
    }
    found
}
