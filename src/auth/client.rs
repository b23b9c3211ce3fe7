//! What an exporter presents.

use super::server::{first, tokens};
use crate::{
    auth::{ClientAuth, Credential},
    reload::{File, Files, Reloaded},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header};

/// A header, made anew when the files it comes from change.
#[derive(Debug)]
pub(crate) struct RequestCredentials {
    name: HeaderName,
    value: Reloaded<HeaderValue>,
}

impl RequestCredentials {
    /// From checked settings; `what` is whose they are, for the log.
    ///
    /// # Errors
    ///
    /// Says which file cannot be read, or what does not fit.
    pub(crate) fn build(what: impl Into<String>, settings: &ClientAuth) -> Result<Self, String> {
        let name = match settings {
            ClientAuth::Bearer(bearer) => HeaderName::try_from(&bearer.header)
                .map_err(|error| format!("auth: header: {error}"))?,
            ClientAuth::Basic { .. } => header::AUTHORIZATION,
        };
        let file = |key, credential: &Credential| match credential {
            Credential::File(path) => Some(File {
                key,
                path: path.clone(),
            }),
            Credential::Text(_) => None,
        };
        let files = match settings {
            ClientAuth::Bearer(bearer) => vec![bearer.file.clone().map(|path| File {
                key: "auth: filename",
                path,
            })],
            ClientAuth::Basic { username, password } => vec![
                file("auth: username_file", username),
                file("auth: password_file", password),
            ],
        };
        let settings = settings.clone();
        let files = files.into_iter().flatten().collect();
        Ok(Self {
            name,
            value: Reloaded::load(what, files, move |files| value(&settings, files))?,
        })
    }

    /// The header for a request about to be sent. A request is a batch, so that
    /// looking at a small file each time costs nothing that shows.
    pub(crate) fn header(&self) -> (HeaderName, HeaderValue) {
        self.value.look();
        (self.name.clone(), (*self.value.current()).clone())
    }
}

fn value(settings: &ClientAuth, files: &Files) -> Result<HeaderValue, String> {
    let read = |key: &str| -> Result<Option<String>, String> {
        let Some((place, bytes)) = files.get(key) else {
            return Ok(None);
        };
        match std::str::from_utf8(bytes).map(str::trim) {
            Ok(text) if !text.is_empty() => Ok(Some(text.to_owned())),
            _ => Err(format!("{place}: empty, or not text")),
        }
    };
    let text = match settings {
        ClientAuth::Bearer(bearer) => {
            let file = read("auth: filename")?.map(|text| tokens(&text));
            let token = match &file {
                Some(tokens) => tokens.first(),
                None => first(bearer),
            };
            let token = token.ok_or("auth: there is no token")?;
            match bearer.scheme.as_str() {
                "" => token.reveal().to_owned(),
                scheme => format!("{scheme} {}", token.reveal()),
            }
        }
        ClientAuth::Basic { username, password } => {
            let of = |credential: &Credential, key| match credential {
                Credential::Text(text) => Ok(text.reveal().to_owned()),
                Credential::File(_) => read(key).map(Option::unwrap_or_default),
            };
            let user = of(username, "auth: username_file")?;
            let password = of(password, "auth: password_file")?;
            if user.contains(':') {
                return Err("auth: a user's name cannot have a colon".to_owned());
            }
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        }
    };
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| "auth: the credentials have characters that no header can have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
