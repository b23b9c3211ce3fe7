/*!
The keys of `tls`, of receivers and extensions and of exporters.
*/

use super::{
    ClientTls, Pem, ReloadedClientTls, ReloadedServerTls, ServerTls, TlsLimits, TlsVersion,
};
use crate::config::{Field, KeyReader, Reading, Secret, Spot, Word, shorten};
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
/// The suites of TLS 1.3, which are always on, here as in the Collector.
const SUITES_OF_13: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];
/// Groups: the Collector's name and IANA's.
const GROUPS: [(&str, &str); 3] = [
    ("X25519", "X25519"),
    ("P256", "secp256r1"),
    ("P384", "secp384r1"),
];

/// The versions of TLS that a file may name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// 1.0 or 1.1, which wayspan does not speak.
    Old,
    Speaks(TlsVersion),
}

impl Word for Named {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("1.0", Self::Old),
        ("1.1", Self::Old),
        ("1.2", Self::Speaks(TlsVersion::Tls12)),
        ("1.3", Self::Speaks(TlsVersion::Tls13)),
    ];
}

type Texts = Vec<Field<String>>;

/// A certificate or a key: one of `…_file` and `…_pem`.
struct PemKeys {
    file: Field<String>,
    text: Field<String>,
}

impl PemKeys {
    fn spot(&self) -> Option<Spot> {
        let set = [&self.file, &self.text];
        let set = set.into_iter().find(|field| field.given().is_some());
        set.and_then(|field| field.spot)
    }

    fn check(&self, name: &str, cx: &Reading<'_>) -> Option<Pem> {
        match (self.file.given(), self.text.given()) {
            (Some(_), Some(_)) => {
                let message = format!("beside {name}_file: remove one of the two");
                cx.error_at_key(self.text.spot, &message, "");
                None
            }
            (Some(path), None) => Some(Pem::File(path.into())),
            (None, Some(text)) => Some(Pem::Inline(Secret::new(text))),
            (None, None) => None,
        }
    }
}

/// What may be negotiated, as written.
struct LimitKeys {
    min: Field<Named>,
    max: Field<Named>,
    cipher_suites: Field<Texts>,
    curve_preferences: Field<Texts>,
}

impl LimitKeys {
    fn read(keys: &mut KeyReader<'_>) -> Self {
        Self {
            min: keys.get(
                "min_version",
                "`1.2`",
                "`1.0` and `1.1` mean `1.2`, with a warning",
            ),
            max: keys.get("max_version", "`1.3`", "`1.0` and `1.1` are errors"),
            cipher_suites: keys.get(
                "cipher_suites",
                "all",
                "suites of TLS 1.2 by IANA's names; those wayspan lacks (CBC, RSA key exchange) are left out with a warning. Those of 1.3 are always on; with them alone nothing older is spoken",
            ),
            curve_preferences: keys.get("curve_preferences", "all", "of `X25519`, `P256`, `P384`"),
        }
    }

    fn check(&self, cx: &Reading<'_>) -> TlsLimits {
        const OLD: &str = "wayspan speaks TLS 1.2 and newer only";
        let default = TlsLimits::default();
        let is_of_12 = |suite: &Field<String>| {
            let name = suite.value.as_deref().unwrap_or_default().trim();
            !SUITES_OF_13.contains(&name)
        };
        let mut suites = self.cipher_suites.clone();
        let named = suites.value.as_mut().filter(|list| !list.is_empty());
        let none_of_12 = named.is_some_and(|list| {
            list.retain(is_of_12);
            list.is_empty()
        });
        let min = match self.min.value {
            _ if none_of_12 => TlsVersion::Tls13,
            Some(Named::Speaks(version)) => version,
            Some(Named::Old) => {
                cx.warn(self.min.spot, OLD);
                default.min
            }
            None => default.min,
        };
        let max = match self.max.value {
            Some(Named::Speaks(version)) => version,
            Some(Named::Old) => {
                cx.error(self.max.spot, OLD);
                default.max
            }
            None => default.max,
        };
        if min > max {
            let message = "less than min_version, so that nothing is left to speak";
            cx.error(self.max.spot, message);
        }
        let suite = |name: &str| SUITES.into_iter().find(|suite| *suite == name);
        let group = |name: &str| {
            let found = GROUPS.iter().find(|(go, _)| *go == name);
            found.map(|(_, iana)| *iana)
        };
        TlsLimits {
            min,
            max,
            cipher_suites: chosen(&suites, suite, &SUITES, cx),
            groups: chosen(
                &self.curve_preferences,
                group,
                &GROUPS.map(|(go, _)| go),
                cx,
            ),
        }
    }
}

/// Those of a list that wayspan has. What it lacks is weaker or newer and is
/// left out with a warning; that all are lacking is an error.
fn chosen(
    list: &Field<Texts>,
    find: impl Fn(&str) -> Option<&'static str>,
    all: &[&str],
    cx: &Reading<'_>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut lacking: Vec<(Option<Spot>, &str)> = Vec::new();
    for item in list.value.iter().flatten() {
        let Some(name) = item.value.as_deref() else {
            continue;
        };
        match find(name.trim()) {
            Some(name) => found.push(name.to_owned()),
            None => lacking.push((item.spot, name)),
        }
    }
    let has = format!("wayspan has {}", all.join(", "));
    if found.is_empty()
        && let Some((spot, _)) = lacking.first()
    {
        let message = "none of these is one that wayspan has";
        cx.error_with_help(*spot, message, &has);
    } else {
        for (spot, name) in lacking {
            let name = shorten(name);
            cx.warn(spot, &format!("\"{name}\" is left out: {has}"));
        }
    }
    found
}

/// Reads `tls` of a server; None: plaintext, or wrong.
pub(crate) fn server(keys: &mut KeyReader<'_>) -> Option<ServerTls> {
    const TABLE: (&str, &str) = (
        "tls of a server",
        "[TLS](#tls-on-receivers); without it the port takes plaintext",
    );
    keys.shared("tls", TABLE, server_keys)
}

fn server_keys(keys: &mut KeyReader<'_>) -> Option<ServerTls> {
    let cert = PemKeys {
        file: keys.get("cert_file", "required", "certificate chain, in PEM"),
        text: keys.get("cert_pem", "none", "the same as text, in place of the file"),
    };
    let key = PemKeys {
        file: keys.get("key_file", "required", "its key, in PEM"),
        text: keys.get("key_pem", "none", "the same as text, in place of the file"),
    };
    let client_ca: Field<String> = keys.get(
        "client_ca_file",
        "none",
        "mutual TLS: senders must present a certificate of these CAs",
    );
    let client_ca_reload = keys.or(
        "client_ca_file_reload",
        true,
        "`client_ca_file` is followed as the other files are, whatever this says",
    );
    let limits = LimitKeys::read(keys);
    let interval = keys.or(
        "reload_interval",
        DEFAULT_INTERVAL,
        "how often the files are looked at; `0s`: never, which is the Collector's default",
    );
    let ca: Field<String> = keys.get(
        "ca_file",
        "none",
        "has no effect on a server, and is warned of: the Collector uses it for clients",
    );
    keys.ignored(&["ca_pem", "include_system_ca_certs_pool"]);
    keys.ignored(&["include_insecure_cipher_suites"]);
    keys.refused(&["tpm"]);
    const CLIENT: &str = "is a key of clients; to receive plaintext leave tls out";
    let is_of_client = [
        keys.misplaced("insecure", CLIENT),
        keys.misplaced("insecure_skip_verify", CLIENT),
    ];

    if !keys.has_value() || !keys.is_used() || is_of_client.contains(&true) {
        return None;
    }
    let cx = keys.reading();
    if ca.given().is_some() {
        let message =
            "has no effect on a receiver; client_ca_file names the CA of senders' certificates";
        cx.warn(ca.spot, message);
    }
    if !client_ca_reload.value {
        let message = "client_ca_file is looked at together with the other files; ignored";
        cx.warn(client_ca_reload.spot, message);
    }
    let reload_interval = Some(interval.value).filter(|interval| !interval.is_zero());
    if reload_interval.is_some_and(|interval| interval < LEAST_INTERVAL) {
        let message = "less than 100ms would only keep the machine busy";
        cx.error(interval.spot, message);
    }
    let limits = limits.check(cx);
    let found = (cert.check("cert", cx), key.check("key", cx));
    let (Some(cert_pem), Some(key_pem)) = found else {
        let missing = match found.0 {
            Some(_) => "key_file",
            None => "cert_file",
        };
        if !cx.has_errors() {
            let message =
                format!("a server needs cert_file and key_file, and {missing} is not set");
            let help = "set both, or remove tls to receive plaintext";
            cx.error_at_key(keys.spot(), &message, help);
        }
        return None;
    };
    let settings = ServerTls {
        cert: cert_pem,
        key: key_pem,
        client_ca: client_ca.given().map(|path| Pem::File(path.into())),
        limits,
        reload_interval,
    };
    let files = [
        ("tls.cert_file", cert.file.spot),
        ("tls.cert_pem", cert.text.spot),
        ("tls.key_file", key.file.spot),
        ("tls.key_pem", key.text.spot),
        ("tls.client_ca_file", client_ca.spot),
    ];
    cx.check_files(&files, keys.spot(), || {
        ReloadedServerTls::build("", &settings)
    });
    Some(settings)
}

/// `tls` of a client, and where its files are named.
pub(crate) struct TlsClientKeys {
    /// `insecure`: plaintext, where the endpoint does not say.
    pub(crate) insecure: bool,
    /// Where it is written, if it is.
    pub(crate) insecure_spot: Option<Spot>,
    /// The settings.
    pub(crate) settings: ClientTls,
    files: [(&'static str, Option<Spot>); 6],
}

impl TlsClientKeys {
    /// Has the files looked at, where this reading does so. What has no place of
    /// its own is reported at `at`.
    pub(crate) fn check_files(&self, at: Option<Spot>, cx: &Reading<'_>) {
        cx.check_files(&self.files, at, || {
            ReloadedClientTls::build("", Some(&self.settings), drop)
        });
    }
}

/// Reads `tls` of a client.
pub(crate) fn client(keys: &mut KeyReader<'_>) -> TlsClientKeys {
    const TABLE: (&str, &str) = (
        "tls of a client",
        "[TLS](#tls-on-exporters); it is on unless the endpoint or `insecure` says otherwise",
    );
    keys.shared("tls", TABLE, client_keys)
}

/// Reads `tls` of a client that speaks plaintext unless the section is written.
#[cfg(feature = "kafka")]
pub(crate) fn client_where_written(keys: &mut KeyReader<'_>) -> TlsClientKeys {
    const TABLE: (&str, &str) = (
        "tls of a client",
        "[TLS](#tls-on-exporters); it is on where this is written, unless with `insecure: true`",
    );
    keys.shared("tls", TABLE, client_keys)
}

fn client_keys(keys: &mut KeyReader<'_>) -> TlsClientKeys {
    let insecure = keys.or("insecure", false, "`otlp_grpc` without a scheme: plaintext");
    let insecure_skip_verify = keys.or("insecure_skip_verify", false, "do not verify the server");
    let ca = PemKeys {
        file: keys.get(
            "ca_file",
            "the system's",
            "trust these certificate authorities instead",
        ),
        text: keys.get("ca_pem", "none", "the same as text"),
    };
    let cert = PemKeys {
        file: keys.get("cert_file", "none", "client certificate chain"),
        text: keys.get("cert_pem", "none", "the same as text"),
    };
    let key = PemKeys {
        file: keys.get("key_file", "none", "its key"),
        text: keys.get("key_pem", "none", "the same as text"),
    };
    let server_name: Field<String> = keys.get("server_name_override", "the host", "name to verify");
    let limits = LimitKeys::read(keys);
    let interval: Field<Duration> = keys.get(
        "reload_interval",
        "at each connection",
        "files are looked at when a connection is made, if the last look is this long ago; `0s`: never",
    );
    keys.ignored(&["include_system_ca_certs_pool"]);
    keys.ignored(&["include_insecure_cipher_suites"]);
    keys.refused(&["tpm"]);

    let cx = keys.reading();
    let settings = ClientTls {
        insecure_skip_verify: insecure_skip_verify.value,
        ca: ca.check("ca", cx),
        cert: cert.check("cert", cx),
        key: key.check("key", cx),
        server_name_override: server_name.given().map(str::to_owned),
        limits: limits.check(cx),
        reload_interval: match interval.value {
            Some(given) => Some(given).filter(|given| !given.is_zero()),
            None => Some(Duration::ZERO),
        },
    };
    for (set, other, missing) in [
        (&cert, &settings.key, "key_file"),
        (&key, &settings.cert, "cert_file"),
    ] {
        if other.is_none() {
            cx.error(set.spot(), &format!("needs {missing} beside it"));
        }
    }
    TlsClientKeys {
        insecure: insecure.value,
        insecure_spot: insecure.spot,
        settings,
        files: [
            ("tls.ca_file", ca.file.spot),
            ("tls.ca_pem", ca.text.spot),
            ("tls.cert_file", cert.file.spot),
            ("tls.cert_pem", cert.text.spot),
            ("tls.key_file", key.file.spot),
            ("tls.key_pem", key.text.spot),
        ],
    }
}
