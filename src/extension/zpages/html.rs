/*! The frame of every page, and text in it. Pages need no script and nothing from elsewhere. */

use std::fmt::{self, Write as _};

const STYLE: &str = "\
body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}\
nav a{margin-right:1em}h1{font-size:1.4em}h2{font-size:1.1em}\
table{border-collapse:collapse;margin:1em 0}\
th,td{border:1px solid #ccc;padding:.25em .6em;text-align:left;vertical-align:top}\
th{background:#f2f2f2}.error td{background:#fdecea}small{color:#666}pre{overflow:auto}";

const PAGES: [(&str, &str); 5] = [
    ("servicez", "Service"),
    ("pipelinez", "Pipelines"),
    ("extensionz", "Extensions"),
    ("featurez", "Feature gates"),
    ("tracez", "Spans"),
];

/// Text that means only itself in HTML, in attributes too.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// Returns a whole page, which a browser asks for again after so many seconds.
pub(super) fn frame(title: &str, refresh: Option<u32>, body: &str) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} - wayspan</title>"
    );
    // Writing to a String cannot fail.
    if let Some(seconds) = refresh {
        let _ = write!(page, "<meta http-equiv=\"refresh\" content=\"{seconds}\">");
    }
    let _ = write!(page, "<style>{STYLE}</style></head><body><nav>");
    for (path, title) in PAGES {
        let _ = write!(page, "<a href=\"/debug/{path}\">{title}</a>");
    }
    let _ = writeln!(page, "</nav><h1>{title}</h1>{body}</body></html>");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let text = "<script>\"a\" & 'b'</script>";
        let safe = "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;";
        assert_eq!(Escaped(text).to_string(), safe);
    }
}
