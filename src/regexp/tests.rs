//! Patterns and what they find, as Go 1.25 found it.

use super::Pattern;

/// Pattern, text, and the first match; `None`: there is none.
const FOUND: &[(&str, &str, Option<&str>)] = &[
    (
        "4[0-9]{12}(?:[0-9]{3})?",
        "card 4111111111111111.",
        Some("4111111111111111"),
    ),
    (r"\d+", "٣ 12", Some("12")),
    (r"\w+", "é_a1-", Some("_a1")),
    (r"\W", "aé", Some("é")),
    (r"(?i)\w", "ſ", Some("ſ")),
    (r"[^\w]", "aé", Some("é")),
    (r"\s", "\u{a0}\u{b}", None),
    (r"[\S]", " \u{a0}", Some("\u{a0}")),
    (r"\bb", "éb", Some("b")),
    (r"a\B.", "aé ab", Some("ab")),
    (r"[[]", "a[b", Some("[")),
    (r"[]a]+", "x]a", Some("]a")),
    (r"[a&&b]+", "&", Some("&")),
    (r"[a-]+", "b-a", Some("-a")),
    (r"[a~~b]+", "~", Some("~")),
    (r"[[:alpha:]_]+", "1ab_", Some("ab_")),
    (r"[[:^alpha:]]+", "ab12", Some("12")),
    (r"[\d\-x]+", "a1-x", Some("1-x")),
    (r"\Qa.b\E.", "axb a.bc", Some("a.bc")),
    (r"\x41\x{42}\103", "ABC", Some("ABC")),
    (r"a{,2}", "aa a{,2}", Some("a{,2}")),
    (r"a{2", "aa a{2", Some("a{2")),
    (r"a{2,}?", "aaaa", Some("aa")),
    (r"x*", "", Some("")),
    (r"\<a\>", "<a>", Some("<a>")),
    (r"\p{Lu}\pL", "aÉt", Some("Ét")),
    (r"\p{Greek}+", "abγδ", Some("γδ")),
    (r"[\p{^Lu}]+", "ABc", Some("c")),
    (r"(?s)a.b", "a\nb", Some("a\nb")),
    (r"a.b", "a\nb", None),
    (r"(?m)^b$", "a\nb\nc", Some("b")),
    (r"b$", "b\n", None),
    (r"(?U)a+", "aaa", Some("a")),
    (r"a|ab", "ab", Some("a")),
    (r"#x y", "#x y", Some("#x y")),
    (r"}]", "}]", Some("}]")),
    ("\\_\\\"\\ ", "_\" ", Some("_\" ")),
];

#[test]
fn patterns_find_what_go_finds() {
    for (pattern, text, expected) in FOUND {
        let compiled = Pattern::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        let found = compiled.regex().find(text).map(|found| found.as_str());
        assert_eq!(found, *expected, "{pattern} in {text:?}");
        assert_eq!(compiled.is_match(text), expected.is_some());
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for pattern in [
        "a**",
        "a+*",
        "a{2}{3}",
        "a{1001}",
        "a{3,2}",
        r"\1",
        r"\8",
        r"\y",
        r"\_a\e",
        "(?=a)",
        "(?<=a)",
        "(?x)a",
        "[a--]",
        "(?P<a-b>.)",
        "(?P=a)",
        "[",
        "[a",
        "[b-a]",
        "[[:nope:]]",
        "*a",
        "(a",
        "a)",
        r"\",
        r"\x",
        r"\x{110000}",
        r"\pX",
        r"\p{Nope}",
        r"\C",
        r"\Z",
        r"[a-\d]",
    ] {
        assert!(Pattern::new(pattern).is_err(), "{pattern} is taken");
    }
}

#[test]
fn groups_have_their_names() {
    let pattern = Pattern::new(r"(a)(?P<name>b)(?<other_1>c)(?:d)(?P<2nd>e)").unwrap();
    assert_eq!(pattern.groups(), ["", "name", "other_1", "2nd"]);
    // Go takes a name twice.
    assert_eq!(
        Pattern::new("(?P<a>.)(?P<a>.)").unwrap().groups(),
        ["a", "a"]
    );
    let found = pattern.regex().captures("abcde").unwrap();
    assert_eq!((&found[2], &found["other_1"], &found[4]), ("b", "c", "e"));
}

#[test]
fn no_pattern_panics() {
    use proptest::prelude::*;
    proptest!(|(pattern in r"[\\\[\](){}?*+|^$.:=<>PpLdDwbQEx0-9a&~,-]{0,24}")| {
        let _ = Pattern::new(&pattern);
    });
}
