/*! The keys of `redaction`. */

use super::{
    RedactionFactory,
    mask::Mask,
    rules::{ALWAYS_ALLOWED, Rules, Summary},
};
use crate::{
    config::{Field, Id, KeyReader, Node, Setting, Word, did_you_mean},
    pipeline::ProcessorFactory,
    processor::{BuildContext, ProcessorRole, ProcessorSettings},
    regexp::Pattern,
};
use ring::hmac::{HMAC_SHA256, HMAC_SHA512, Key};
use std::sync::Arc;

/// What a value is replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HashFunction {
    None,
    Sha1,
    Sha3,
    Md5,
    HmacSha256,
    HmacSha512,
}

/// Words of the file, which may be written in any letters.
const HASH_FUNCTIONS: [(&str, HashFunction); 6] = [
    ("", HashFunction::None),
    ("sha1", HashFunction::Sha1),
    ("sha3", HashFunction::Sha3),
    ("md5", HashFunction::Md5),
    ("hmac-sha256", HashFunction::HmacSha256),
    ("hmac-sha512", HashFunction::HmacSha512),
];

impl Word for Summary {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("silent", Self::Silent),
        ("", Self::Silent),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];
}

/// Checked settings.
#[derive(Clone, Debug)]
struct RedactionSettings {
    rules: Rules,
    /// Keys that the file allows.
    allowed: usize,
}

impl ProcessorSettings for RedactionSettings {
    fn describe(&self) -> Vec<String> {
        let rules = &self.rules;
        let keys = match (rules.allows_all_keys, self.allowed) {
            (true, _) => "all attributes may leave".to_owned(),
            (false, 0) => "no attribute may leave".to_owned(),
            (false, allowed) => format!("{allowed} attributes may leave"),
        };
        let masked = [
            (rules.blocked_values.len(), "values"),
            (rules.blocked_key_patterns.len(), "keys"),
        ];
        let masked = masked.into_iter().filter(|(patterns, _)| *patterns > 0);
        let masked =
            masked.map(|(patterns, of)| format!("; {patterns} patterns of {of} are masked"));
        vec![keys + &masked.collect::<String>()]
    }

    fn build(&self, with: &mut BuildContext<'_>) -> Arc<dyn ProcessorFactory> {
        Arc::new(RedactionFactory {
            rules: self.rules.clone(),
            signal: with.signal,
        })
    }
}

/// A list of texts, as it is written.
type Strings = Field<Vec<Field<String>>>;

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<ProcessorRole> {
    let all = keys.or(
        "allow_all_keys",
        false,
        "attributes may leave whatever their key; `allowed_keys` does not count then",
    );
    let allowed: Strings = keys.get(
        "allowed_keys",
        "none",
        "keys of attributes that may leave; all others are removed",
    );
    let ignored: Strings = keys.get(
        "ignored_keys",
        "none",
        "keys of attributes that leave as they are",
    );
    let ignored_patterns: Strings =
        keys.get("ignored_key_patterns", "none", "the same by patterns");
    let all_types = keys.or(
        "redact_all_types",
        false,
        "values that are no text are looked at as text, and become one where they match",
    );
    let blocked_keys: Strings = keys.get(
        "blocked_key_patterns",
        "none",
        "attributes whose key matches have their value masked",
    );
    let blocked: Strings = keys.get(
        "blocked_values",
        "none",
        "what matches in the value of an allowed attribute is masked",
    );
    let allowed_values: Strings = keys.get(
        "allowed_values",
        "none",
        "values that match leave as they are",
    );
    let hash: Setting<String> = keys.or(
        "hash_function",
        String::new(),
        "mask by this hash in place of `****`: `sha1`, `sha3`, `md5`, `hmac-sha256`, `hmac-sha512`; the same text has the same hash",
    );
    let hmac_key: Setting<String> = keys.or(
        "hmac_key",
        String::new(),
        "with `hmac-…`: the key, 32 or 64 bytes at least",
    );
    let summary = keys.or(
        "summary",
        Summary::Silent,
        "attributes `redaction.*` tell how many were removed, masked, allowed and ignored (`info`), and which (`debug`)",
    );
    let url = keys.node(
        "url_sanitizer",
        ("map", "none"),
        "an error, unless it is not `enabled`",
    );
    let db = keys.node(
        "db_sanitizer",
        ("map", "none"),
        "an error, unless nothing in it is `enabled`",
    );
    let is_whole = refuse_sanitizers(keys, [("url_sanitizer", url), ("db_sanitizer", db)]);

    let allowed_set = texts(allowed.value.as_ref());
    warn(keys, all.value, (&allowed, allowed_set.len()));
    let patterns = |list: &Strings| patterns(list, keys);
    let lists = (
        patterns(&ignored_patterns),
        patterns(&blocked_keys),
        patterns(&blocked),
        patterns(&allowed_values),
    );
    let mask = mask(keys, &hash, &hmac_key);
    let (
        Some(ignored_key_patterns),
        Some(blocked_key_patterns),
        Some(blocked_values),
        Some(allowed_values),
    ) = lists
    else {
        return None;
    };
    let count = allowed_set.len();
    let always = ALWAYS_ALLOWED.map(str::to_owned);
    // The pattern is a constant.
    let everything = Pattern::new(".*").ok()?;
    let rules = Rules {
        allows_all_keys: all.value,
        allowed_keys: allowed_set.into_iter().chain(always).collect(),
        ignored_keys: texts(ignored.value.as_ref()).into_iter().collect(),
        ignored_key_patterns,
        blocked_key_patterns,
        blocked_values,
        allowed_values,
        redacts_all_types: all_types.value,
        mask: mask?,
        summary: summary.value,
        everything,
    };
    is_whole.then(|| {
        let settings = RedactionSettings {
            rules,
            allowed: count,
        };
        ProcessorRole::Item(Arc::new(settings))
    })
}

fn texts(list: Option<&Vec<Field<String>>>) -> Vec<String> {
    let texts = list.into_iter().flatten();
    texts.filter_map(|text| text.value.clone()).collect()
}

fn patterns(list: &Strings, keys: &KeyReader<'_>) -> Option<Vec<Pattern>> {
    let texts = list.value.iter().flatten();
    let patterns = texts.map(|text| {
        let pattern = Pattern::new(text.value.as_deref()?);
        let report = |message: String| keys.reading().error(text.spot, &message);
        pattern.map_err(report).ok()
    });
    patterns.collect()
}

fn warn(keys: &KeyReader<'_>, all: bool, (allowed, count): (&Strings, usize)) {
    let cx = keys.reading();
    if !keys.is_used() {
        return;
    }
    if all && count > 0 {
        cx.warn(
            allowed.spot,
            "has no effect, since allow_all_keys allows all",
        );
    }
    if !all && count == 0 {
        let message = "allows no key, so that all attributes are removed, service.name of resources \
                       among them: list allowed_keys, or set allow_all_keys";
        cx.warn(allowed.spot.or(keys.spot()), message);
    }
}

fn mask(keys: &KeyReader<'_>, hash: &Setting<String>, key: &Setting<String>) -> Option<Mask> {
    let cx = keys.reading();
    let lower = hash.value.to_lowercase();
    let Some((_, function)) = HASH_FUNCTIONS.iter().find(|(word, _)| *word == lower) else {
        let words = HASH_FUNCTIONS.map(|(word, _)| word);
        let hint = did_you_mean(&lower, &words);
        let valid = words[1..].join(", ");
        let message = format!("expected one of {valid}, found {:?}{hint}", hash.value);
        cx.error(hash.spot, &message);
        return None;
    };
    let (algorithm, least) = match function {
        HashFunction::None => return Some(Mask::Stars),
        HashFunction::Sha1 => return Some(Mask::Sha1),
        HashFunction::Sha3 => return Some(Mask::Sha3),
        HashFunction::Md5 => return Some(Mask::Md5),
        HashFunction::HmacSha256 => (HMAC_SHA256, 32),
        HashFunction::HmacSha512 => (HMAC_SHA512, 64),
    };
    if key.value.len() < least {
        let message = format!("hmac_key must have {least} bytes at least for this hash_function");
        cx.error_at_key(key.spot.or(hash.spot), &message, "");
        return None;
    }
    Some(Mask::Hmac(Key::new(algorithm, key.value.as_bytes())))
}

/// Reports sanitizers that are enabled. Returns true if none is.
fn refuse_sanitizers(keys: &KeyReader<'_>, sections: [(&str, Option<&Node>); 2]) -> bool {
    let is_true = |node: Option<&Node>| {
        node.and_then(Node::text)
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    };
    let mut is_whole = true;
    for (key, node) in sections {
        let Some(node) = node else { continue };
        let mut parts = node.entries().iter();
        if is_true(node.get("enabled")) || parts.any(|(_, part)| is_true(part.get("enabled"))) {
            let message = format!("wayspan has no {key}: what it takes away would leave");
            let help = "mask it with blocked_key_patterns or blocked_values, or let a Collector with \
                        this processor stand behind wayspan (otlp_grpc)";
            keys.reading()
                .error_at_key(keys.spot_of(key), &message, help);
            is_whole = false;
        }
    }
    is_whole
}
