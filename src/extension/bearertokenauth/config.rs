/*! The keys of `bearertokenauth`. */

use crate::{
    auth::{self, Authenticator, BearerToken, ClientAuth, ServerAuth},
    config::{Field, Id, KeyReader, Reading, Secret, Setting},
    extension::{ExtensionOffer, ExtensionSettings},
};
use std::{path::PathBuf, rc::Rc, sync::Arc};

/// The extension's settings.
#[derive(Debug)]
struct Tokens(BearerToken);

impl ExtensionSettings for Tokens {
    fn offer(&self) -> Option<ExtensionOffer> {
        Some(Rc::new(Authenticator {
            server: Some(ServerAuth::Bearer(self.0.clone())),
            client: Some(ClientAuth::Bearer(self.0.clone())),
        }))
    }
}

struct Written {
    header: Setting<String>,
    scheme: Setting<String>,
    token: Field<String>,
    tokens: Field<Vec<Field<String>>>,
    filename: Field<String>,
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<Arc<dyn ExtensionSettings>> {
    let written = Written {
        header: keys.or(
            "header",
            "Authorization".to_owned(),
            "where the token stands",
        ),
        scheme: keys.or(
            "scheme",
            "Bearer".to_owned(),
            "word before the token; `\"\"`: the token alone",
        ),
        token: keys.get("token", "none", "the token"),
        tokens: keys.get("tokens", "none", "several tokens, any of which will do"),
        filename: keys.get(
            "filename",
            "none",
            "a file with a token on each line, which replaces the two above; followed as it changes",
        ),
    };
    if !keys.is_used() {
        return None;
    }
    let cx = keys.reading();
    let bearer = written.check(keys, cx)?;
    let files = [("filename", written.filename.spot)];
    let guard = ServerAuth::Bearer(bearer.clone());
    cx.check_files(&files, keys.spot(), || {
        auth::RequestAuthenticator::build("", &guard)
    });
    Some(Arc::new(Tokens(bearer)))
}

/// Returns true if a header can carry `text`.
fn fits(text: &str) -> bool {
    http::HeaderValue::from_str(text).is_ok() && text.trim() == text
}

impl Written {
    fn check(&self, keys: &KeyReader<'_>, cx: &Reading<'_>) -> Option<BearerToken> {
        let header = match self.header.value.as_str() {
            "" => "authorization",
            header => header,
        };
        if http::HeaderName::from_bytes(header.as_bytes()).is_err() {
            cx.error(self.header.spot, "not a name that a header can have");
            return None;
        }
        if !fits(&self.scheme.value) {
            cx.error(self.scheme.spot, "not a scheme such as Bearer");
            return None;
        }
        let tokens = self.texts(cx);
        let file: Option<PathBuf> = self.filename.given().map(Into::into);
        self.warn_of_replaced(file.is_some(), cx);
        if file.is_none() && tokens.is_empty() {
            if !cx.has_errors() {
                let help = "set token, tokens or filename; if a variable is to hold it, is it set?";
                cx.error_at_key(keys.spot(), "has no token", help);
            }
            return None;
        }
        Some(BearerToken {
            header: header.to_ascii_lowercase(),
            scheme: self.scheme.value.clone(),
            tokens: if file.is_some() { Vec::new() } else { tokens },
            file,
        })
    }

    fn listed(&self) -> &[Field<String>] {
        self.tokens.value.as_deref().unwrap_or_default()
    }

    fn texts(&self, cx: &Reading<'_>) -> Vec<Secret> {
        let is_list = !self.listed().is_empty();
        let fields = match is_list {
            true => self.listed(),
            false => std::slice::from_ref(&self.token),
        };
        let mut tokens = Vec::new();
        // The value is a secret: it is not shown.
        for field in fields {
            match field.given() {
                Some(token) if fits(token) => tokens.push(Secret::new(token)),
                Some(_) => {
                    let message = "has characters that no header can have, or spaces around it";
                    cx.error_at_key(field.spot, message, "");
                }
                None if is_list => {
                    let message = "is empty, which would let in who has none";
                    cx.error_at_key(field.spot, message, "");
                }
                None => {}
            }
        }
        tokens
    }

    fn warn_of_replaced(&self, has_file: bool, cx: &Reading<'_>) {
        let (single, many) = (self.token.given().is_some(), !self.listed().is_empty());
        match (has_file, many, single) {
            (true, true, _) | (true, _, true) => {
                cx.warn(self.filename.spot, "replaces token and tokens");
            }
            (false, true, true) => cx.warn(self.tokens.spot, "replaces token"),
            _ => {}
        }
    }
}
