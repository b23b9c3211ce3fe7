/*! The keys of `basicauth`. */

use crate::{
    auth::{self, Authenticator, ClientAuth, Credential, ServerAuth},
    config::{Field, Id, KeyReader, Secret, Spot},
    extension::{ExtensionOffer, ExtensionSettings},
    htpasswd::Users,
};
use std::{rc::Rc, sync::Arc};

/// The extension's settings, for one of the two sides.
#[derive(Debug)]
enum Side {
    Server(ServerAuth),
    Client(ClientAuth),
}

impl ExtensionSettings for Side {
    fn offer(&self) -> Option<ExtensionOffer> {
        let (server, client) = match self {
            Self::Server(server) => (Some(server.clone()), None),
            Self::Client(client) => (None, Some(client.clone())),
        };
        Some(Rc::new(Authenticator { server, client }))
    }
}

pub(crate) fn read(_: &Id, keys: &mut KeyReader<'_>) -> Option<Arc<dyn ExtensionSettings>> {
    let at = keys.spot();
    let server = keys.section("htpasswd", |keys| {
        let htpasswd = Htpasswd {
            file: keys.get(
                "file",
                "none",
                "for receivers: lines of `USER:PASSWORD`; followed as it changes",
            ),
            inline: keys.get(
                "inline",
                "none",
                "the same as text, which comes before the file",
            ),
        };
        keys.has_value().then_some(htpasswd)
    });
    let client = keys.section("client_auth", |keys| {
        let client = Client {
            username: keys.get("username", "none", "for exporters"),
            username_file: keys.get(
                "username_file",
                "none",
                "a file with it, which comes before the text; followed",
            ),
            password: keys.get("password", "none", "for exporters"),
            password_file: keys.get(
                "password_file",
                "none",
                "a file with it, which comes before the text; followed",
            ),
        };
        keys.refused(&["aws_secrets_manager"]);
        keys.has_value().then_some(client)
    });
    if !keys.is_used() {
        return None;
    }
    let cx = keys.reading();
    match (server, client) {
        (Some(htpasswd), None) => Some(Arc::new(Side::Server(htpasswd.check(keys, at)?))),
        (None, Some(client)) => Some(Arc::new(Side::Client(client.check(keys, at)?))),
        (both, _) => {
            let message = match both {
                Some(_) => "has both htpasswd and client_auth",
                None => "has neither htpasswd nor client_auth",
            };
            let help = "htpasswd is for receivers, client_auth for exporters: set one";
            if !cx.has_errors() {
                cx.error_at_key(at, message, help);
            }
            None
        }
    }
}

struct Htpasswd {
    file: Field<String>,
    inline: Field<String>,
}

impl Htpasswd {
    fn check(&self, keys: &KeyReader<'_>, at: Option<Spot>) -> Option<ServerAuth> {
        let cx = keys.reading();
        let inline = self.inline.given().filter(|text| !text.trim().is_empty());
        if let Some(text) = inline
            && let Err(error) = Users::default().add(text)
        {
            cx.error_at_key(self.inline.spot, &error.to_string(), "");
            return None;
        }
        let file = self.file.given().map(Into::into);
        if file.is_none() && inline.is_none() {
            let help =
                "set htpasswd.file or htpasswd.inline; if a variable is to hold it, is it set?";
            cx.error_at_key(at, "has no users", help);
            return None;
        }
        let inline = inline.map(Secret::new);
        let settings = ServerAuth::Basic { file, inline };
        let files = [("htpasswd.file", self.file.spot)];
        cx.check_files(&files, at, || {
            auth::RequestAuthenticator::build("", &settings)
        });
        Some(settings)
    }
}

struct Client {
    username: Field<String>,
    username_file: Field<String>,
    password: Field<String>,
    password_file: Field<String>,
}

impl Client {
    fn check(&self, keys: &KeyReader<'_>, at: Option<Spot>) -> Option<ClientAuth> {
        let cx = keys.reading();
        let credential = |text: &Field<String>, file: &Field<String>, name: &str| {
            let found = match (file.given(), text.given()) {
                (Some(path), _) => Some(Credential::File(path.into())),
                (None, Some(text)) => Some(Credential::Text(Secret::new(text))),
                (None, None) => None,
            };
            if found.is_none() {
                let message = format!("client_auth has no {name}");
                let help = format!("set client_auth.{name} or client_auth.{name}_file");
                cx.error_at_key(at, &message, &help);
            }
            found
        };
        let username = credential(&self.username, &self.username_file, "username");
        let password = credential(&self.password, &self.password_file, "password");
        if self.username.given().is_some_and(|name| name.contains(':')) {
            let message = "a user's name cannot have a colon";
            cx.error(self.username.spot, message);
        }
        let settings = ClientAuth::Basic {
            username: username?,
            password: password?,
        };
        let files = [
            ("auth: username_file", self.username_file.spot),
            ("auth: password_file", self.password_file.spot),
        ];
        cx.check_files(&files, at, || {
            auth::RequestCredentials::build("", &settings)
        });
        Some(settings)
    }
}
