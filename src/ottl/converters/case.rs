/*! Upper and lower case, letter by letter as Go has it, and names in snake and camel case. */

/// Go maps each letter to one letter.
pub(super) fn lower(c: char) -> impl Iterator<Item = char> {
    single(c, c.to_lowercase())
}

pub(super) fn upper(c: char) -> impl Iterator<Item = char> {
    single(c, c.to_uppercase())
}

/// The letter that `mapped` is, or `c` where it is several.
fn single(c: char, mut mapped: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let first = mapped.next();
    let only = if mapped.next().is_none() { first } else { None };
    // The one letter whose lower case is two in Unicode's full mapping, and one in Go's.
    let only = if c == 'İ' { Some('i') } else { only };
    std::iter::once(only.unwrap_or(c))
}

/// `HTTPStatusCode` becomes `http_status_code`.
pub(super) fn snake(text: &str, out: &mut String) {
    let text = text.trim();
    let bytes = text.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or_default();
    for (i, c) in text.char_indices() {
        let b = at(i);
        let lowered = c.to_ascii_lowercase();
        let next = at(i + c.len_utf8());
        let (cap, low, num) = (
            b.is_ascii_uppercase(),
            b.is_ascii_lowercase(),
            b.is_ascii_digit(),
        );
        let (next_cap, next_low, next_num) = (
            next.is_ascii_uppercase(),
            next.is_ascii_lowercase(),
            next.is_ascii_digit(),
        );
        let ends_word = cap && (next_low || next_num)
            || low && (next_cap || next_num)
            || num && (next_cap || next_low);
        if ends_word {
            if cap && next_low && i > 0 && at(i - 1).is_ascii_uppercase() {
                out.push('_');
            }
            out.push(lowered);
            if low || num || next_num {
                out.push('_');
            }
        } else if matches!(c, ' ' | '_' | '-' | '.') {
            out.push('_');
        } else {
            out.push(lowered);
        }
    }
}

/// `http_status-code` becomes `HttpStatusCode`.
pub(super) fn camel(text: &str, out: &mut String) {
    let text = text.trim();
    if text == "ID" {
        return out.push_str("Id");
    }
    let (mut cap_next, mut was_cap) = (true, false);
    for c in text.chars() {
        let is_cap = c.is_ascii_uppercase();
        let written = match () {
            () if cap_next => c.to_ascii_uppercase(),
            () if was_cap && is_cap => c.to_ascii_lowercase(),
            () => c,
        };
        was_cap = is_cap;
        if c.is_ascii_alphabetic() {
            out.push(written);
            cap_next = false;
        } else if c.is_ascii_digit() {
            out.push(c);
            cap_next = true;
        } else {
            cap_next = matches!(c, '_' | ' ' | '-' | '.');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_case_as_in_the_collector() {
        for (text, in_snake, in_camel) in [
            ("simpleTest", "simple_test", "SimpleTest"),
            ("HTTPStatusCode", "http_status_code", "HttpstatusCode"),
            ("http.status_code", "http_status_code", "HttpStatusCode"),
            ("numbers2and55", "numbers_2_and_55", "Numbers2And55"),
            ("  padded ", "padded", "Padded"),
            ("", "", ""),
        ] {
            let (mut snaked, mut cameled) = (String::new(), String::new());
            snake(text, &mut snaked);
            camel(text, &mut cameled);
            assert_eq!(
                (snaked.as_str(), cameled.as_str()),
                (in_snake, in_camel),
                "{text}"
            );
        }
    }
}
