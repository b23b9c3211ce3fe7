/*!
Where configuration text comes from: what `--config` and `--set` accept.
*/

use super::diagnostic::{Diagnostic, Findings, Text};
use std::{
    convert::Infallible,
    fmt, fs,
    io::{self, Read as _},
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    str::FromStr,
};

/// Larger files are a mistake, and reading them would only hide it.
const MAX_BYTES: u64 = 4 << 20;

/// One source of configuration. Later sources are merged over earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// What runs when no file is given; see [`super::default_source`].
    Default,
    /// A file (`path` or `file:path`).
    File(PathBuf),
    /// An environment variable that holds YAML (`env:NAME`).
    Env(String),
    /// YAML on the command line (`yaml:processors::batch::timeout: 1s`); `::`
    /// in keys descends, as it does in all sources.
    Inline(String),
    /// What a server answers to a GET of this URL (`https://host/path`), asked at the start
    /// and at each reload.
    Http(String),
    /// One value: `processors.batch.timeout=1s`.
    Set(String),
    /// Text from elsewhere, and what to call it in messages.
    Text {
        /// Its name.
        name: String,
        /// YAML.
        text: String,
    },
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        Ok(match argument.split_once(':') {
            Some(("file", path)) => Self::File(PathBuf::from(path)),
            Some(("env", name)) => Self::Env(name.to_owned()),
            Some(("yaml", text)) => Self::Inline(text.to_owned()),
            Some(("http" | "https", _)) => Self::Http(argument.to_owned()),
            _ => Self::File(PathBuf::from(argument)),
        })
    }
}

/// What the loader asks of the process and the machine it runs on. A function
/// from a variable's name to its value is one, with the machine's own resolver.
pub trait Environment {
    /// The value of a variable, if it is set.
    fn variable(&self, name: &str) -> Option<String>;

    /// The addresses of a host to listen on.
    ///
    /// # Errors
    /// When the name cannot be resolved.
    fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        (host, port).to_socket_addrs().map(Iterator::collect)
    }

    /// What a server answers to a GET of `url`, or the first bytes beyond `limit`.
    ///
    /// # Errors
    /// Why it does not answer, or does not have it.
    fn fetch(&self, url: &str, limit: usize) -> Result<Vec<u8>, String> {
        let _ = (url, limit);
        Err("nothing is fetched over the network here".to_owned())
    }
}

impl<F: Fn(&str) -> Option<String>> Environment for F {
    fn variable(&self, name: &str) -> Option<String> {
        self(name)
    }
}

impl Source {
    /// YAML made by the program itself or given on the command line.
    pub fn inline(text: &str) -> Self {
        Self::Inline(text.to_owned())
    }

    /// What messages call it.
    fn name(&self) -> String {
        match self {
            Self::Default => "default.yaml (built in)".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Env(name) => format!("env:{name}"),
            Self::Http(url) => without_query(url).to_owned(),
            Self::Inline(_) => "yaml:".to_owned(),
            Self::Set(_) => "--set".to_owned(),
            Self::Text { name, .. } => name.clone(),
        }
    }

    /// Reads its texts; all but the built-in default have one.
    pub(super) fn read(
        &self,
        env: &dyn Environment,
        report: &Findings,
    ) -> Result<Vec<Text>, Diagnostic> {
        let text = match self {
            Self::Default => return Ok(default_texts(self.name(), env)),
            Self::File(path) => read_file(path, report)?,
            Self::Env(name) => env.variable(name).ok_or_else(|| {
                Diagnostic::nowhere(format!("env:{name}: this environment variable is not set"))
            })?,
            Self::Http(url) => fetch(url, env)?,
            Self::Inline(text) | Self::Text { text, .. } => text.clone(),
            Self::Set(assignment) => set(assignment)?,
        };
        Ok(vec![Text {
            name: self.name(),
            text,
        }])
    }
}

/// The built-in file, and its second part where there is something to export to.
fn default_texts(name: String, env: &dyn Environment) -> Vec<Text> {
    let mut texts = vec![Text {
        name,
        text: include_str!("default.yaml").to_owned(),
    }];
    let endpoint = env.variable("WAYSPAN_EXPORT_ENDPOINT");
    if endpoint.is_some_and(|endpoint| !endpoint.trim().is_empty()) {
        texts.push(Text {
            name: "default-export.yaml (built in)".to_owned(),
            text: include_str!("default-export.yaml").to_owned(),
        });
    }
    texts
}

/// `a.b=c` as YAML: `a::b: c`.
fn set(assignment: &str) -> Result<String, Diagnostic> {
    match assignment.split_once('=') {
        Some((path, value)) if !path.trim().is_empty() => {
            Ok(format!("{}: {value}", path.trim().replace('.', "::")))
        }
        _ => {
            // What follows a word may be a secret.
            let end = assignment.find(|c: char| c.is_whitespace() || ":=\"'{[".contains(c));
            let (shown, cut) = match end.and_then(|end| assignment.get(..end)) {
                Some(shown) => (shown, "…"),
                None => (assignment, ""),
            };
            Err(Diagnostic::nowhere(format!(
                "--set {shown}{cut}: expected KEY=VALUE, such as processors.batch.timeout=1s"
            )))
        }
    }
}

/// Reads a file of reasonable size as UTF-8, and notes that it was wanted.
pub(super) fn read_file(path: &std::path::Path, report: &Findings) -> Result<String, Diagnostic> {
    report.note_file(path);
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let shown = path.display();
    let bytes = read().map_err(|e| Diagnostic::nowhere(format!("{shown}: cannot read: {e}")))?;
    text_of(bytes, &shown)
}

/// Fetches a text of reasonable size.
pub(super) fn fetch(url: &str, env: &dyn Environment) -> Result<String, Diagnostic> {
    let shown = without_query(url);
    let fetched = env.fetch(url, MAX_BYTES as usize + 1);
    let failed = |why: String| Diagnostic::nowhere(format!("{shown}: cannot fetch: {why}"));
    text_of(fetched.map_err(failed)?, &shown)
}

/// A URL as messages show it: what follows may be a secret.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

fn text_of(bytes: Vec<u8>, shown: &dyn fmt::Display) -> Result<String, Diagnostic> {
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!(
            "{shown}: larger than {} MiB, not a configuration",
            MAX_BYTES >> 20
        );
        return Err(Diagnostic::nowhere(message));
    }
    String::from_utf8(bytes).map_err(|_| Diagnostic::nowhere(format!("{shown}: not UTF-8 text")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn arguments_are_recognised_by_scheme() {
        let source = |s: &str| s.parse::<Source>().unwrap();
        assert_eq!(source("/etc/x.yaml"), Source::File("/etc/x.yaml".into()));
        assert_eq!(source("file:x.yaml"), Source::File("x.yaml".into()));
        assert_eq!(source("env:CONF"), Source::Env("CONF".into()));
        assert_eq!(source("yaml:a::b: c"), Source::Inline("a::b: c".into()));
        assert_eq!(source("https://h/x"), Source::Http("https://h/x".into()));
    }

    fn unset(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn set_is_inline_yaml() {
        let read = |s: &str| {
            Source::Set(s.to_owned())
                .read(&unset, &Findings::default())
                .map(|mut t| t.remove(0).text)
        };
        assert_eq!(read("a.b=c=d").unwrap(), "a::b: c=d");
        assert!(read("a.b").is_err());
        assert!(read("=c").is_err());
    }
}
