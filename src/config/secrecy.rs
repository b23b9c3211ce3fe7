/*!
What in a configuration may be a secret, and how it is kept out of messages and
of what `print-config` prints: both end in logs and in tickets.
*/

/// Words in the keys of secrets.
const SECRETS: [&str; 11] = [
    "token",
    "passw",
    "secret",
    "credential",
    "authorization",
    "key_pem",
    "htpasswd",
    "inline",
    "headers",
    "client_auth",
    "hmac",
];
/// Keys beside secrets whose values are none.
const OPEN: [&str; 6] = ["filename", "file", "scheme", "header", "username", "realm"];

/// Returns true if what is below `key`, as far as it is not [`is_open`], may be
/// a secret.
pub(super) fn hides(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    // Where a secret is, is none. A lone header is a misspelling of headers.
    !key.ends_with("_file") && (key == "header" || SECRETS.iter().any(|word| key.contains(word)))
}

/// Returns true if the value of `key`, though below another that [`hides`], is
/// no secret.
pub(super) fn is_open(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.ends_with("_file") || OPEN.contains(&&*key)
}

/// Returns true if a value at `path`, or at a part of it, may be a secret.
pub(super) fn is_secret(path: &str) -> bool {
    path.split('.').any(hides)
}

pub(super) fn stars(text: &str) -> String {
    let star = |c: char| if c.is_whitespace() { c } else { '*' };
    text.chars().map(star).collect()
}

/// `text` with stars over all but its first `shown` characters.
pub(super) fn stars_after(text: &str, shown: usize) -> String {
    let end = text
        .char_indices()
        .nth(shown)
        .map_or(text.len(), |(at, _)| at);
    let (shown, hidden) = text.split_at(end);
    format!("{shown}{}", stars(hidden))
}

/// Returns true if the line is part of a secret of many lines: of a list, or of
/// a text, below a key that holds one.
pub(super) fn below_secret(lines: &[&str], at: usize) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let item = |line: &str| line.trim_start().starts_with("- ");
    let Some(line) = lines.get(at) else {
        return false;
    };
    let (mut depth, mut is_item) = (indent(line), item(line));
    for line in lines.iter().take(at).rev() {
        let above = indent(line);
        let is_parent = above < depth || (above == depth && is_item && !item(line));
        if line.trim().is_empty() || !is_parent {
            continue;
        }
        let key = line.trim_start().trim_start_matches("- ");
        let key = key
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        // Below these there are keys, which messages should show.
        let word = |word: &str| !matches!(word, "htpasswd" | "client_auth") && key.contains(word);
        if SECRETS.iter().any(|w| word(w)) && !key.contains("_file") {
            return true;
        }
        (depth, is_item) = (above, item(line));
        if depth == 0 && !is_item {
            return false;
        }
    }
    false
}

/// `line` with stars over what follows a key that holds a secret: messages end
/// in logs.
pub(super) fn masked(line: &str) -> String {
    let line = &without_userinfo(line);
    let lower = line.to_ascii_lowercase();
    let value_after = |end: usize| {
        // `token: x`, `"client_secret": x`, but not `token_file: x`.
        let rest = lower.get(end..)?;
        let part = |c: char| c.is_ascii_alphanumeric() || "_-\"'".contains(c);
        let behind = rest.trim_start_matches(part);
        let key = rest.strip_suffix(behind)?;
        let value = behind.trim_start().strip_prefix([':', '='])?;
        (!key.contains("_file")).then(|| line.len() - value.trim_start().len())
    };
    let keys = SECRETS.iter().flat_map(|word| {
        let found = lower.match_indices(word);
        found.map(|(at, word)| at + word.len())
    });
    let Some(from) = keys.filter_map(value_after).min() else {
        return line.to_owned();
    };
    let (shown, hidden) = line.split_at(from);
    format!("{shown}{}", stars(hidden))
}

/// `line` with stars over `USER:PASSWORD` in URLs.
pub(super) fn without_userinfo(line: &str) -> String {
    let words = line.split_inclusive(|c: char| c.is_whitespace() || "'\",".contains(c));
    let mask = |word: &str| {
        let from = word.find("://").map_or(0, |at| at + 3);
        let until = word.rfind('@').unwrap_or(0);
        match word.get(from..until) {
            Some(user) if user.contains(':') => {
                let (before, after) = (&word[..from], &word[until..]);
                format!("{before}{}{after}", stars(user))
            }
            _ => word.to_owned(),
        }
    };
    words.map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_quoted() {
        for (line, want) in [
            ("  token: abc", "  token: ***"),
            ("k: {Password: \"a b\", x: 1}", "k: {Password: ** *** ** **"),
            (
                "{\"client_secret\": x, token: y}",
                "{\"client_secret\": ** ****** **",
            ),
            (
                "headers: {authorization: Bearer x}",
                "headers: *************** ****** **",
            ),
            ("kiali.token=abc", "kiali.token=***"),
            ("token_file: /t", "token_file: /t"),
            ("# a token or a secret", "# a token or a secret"),
            ("endpoint: tokenizer:4317", "endpoint: tokenizer:****"),
            ("größe: 1, token: ä", "größe: 1, token: *"),
        ] {
            assert_eq!(masked(line), want);
        }
    }

    #[test]
    fn secrets_of_many_lines_are_not_quoted() {
        let text = "\
a:
  tokens:
    - one
    - two: x
  flat:
  - plain
  token_file:
    x: y
  key_pem: |
    -----BEGIN

    abc
  tokens:
  - three
b: c";
        let lines: Vec<&str> = text.lines().collect();
        let hidden: Vec<usize> = (0..lines.len())
            .filter(|at| below_secret(&lines, *at))
            .collect();
        assert_eq!(hidden, [2, 3, 9, 11, 13]);
    }

    #[test]
    fn what_follows_an_unknown_key_is_not_quoted() {
        assert_eq!(stars_after("a: {größ: x y}", 8), "a: {größ* * **");
        assert_eq!(stars_after("a", 8), "a");
    }
}
