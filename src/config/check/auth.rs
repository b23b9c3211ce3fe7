//! `auth` of receivers and exporters, and the extensions it names.

use super::{Component, Context, components::Section};
use crate::{
    config::{
        checked::{BearerToken, ClientAuth, Credential, Secret, ServerAuth},
        de::Field,
        diagnostic::{Spot, did_you_mean},
        inspect::Guard,
        raw::security as raw,
    },
    htpasswd::Users,
};
use std::collections::BTreeMap;

/// The authenticators that may be named.
pub(super) struct Authenticators<'s, 'n> {
    section: &'s Section<'n>,
    read: BTreeMap<usize, Authenticator>,
}

enum Authenticator {
    Bearer(BearerToken),
    Server(ServerAuth),
    Client(ClientAuth),
    /// Wrong, which has been reported.
    Bad,
}

impl<'s, 'n> Authenticators<'s, 'n> {
    pub(super) fn read(section: &'s Section<'n>, cx: &Context<'n>) -> Self {
        let of = |component: &Component<'n>| {
            let read = match component.id.kind.as_str() {
                "bearertokenauth" => bearer(component, cx).map(Authenticator::Bearer),
                "basicauth" => basic(component, cx),
                _ => return None,
            };
            Some(read.unwrap_or(Authenticator::Bad))
        };
        let components = section.components.iter().enumerate();
        Self {
            section,
            read: components
                .filter_map(|(at, component)| Some((at, of(component)?)))
                .collect(),
        }
    }

    pub(super) fn of_receiver(
        &self,
        field: Field<raw::Auth>,
        cx: &Context<'_>,
    ) -> Option<ServerAuth> {
        let (authenticator, spot) = self.named(field, cx)?;
        match authenticator {
            Authenticator::Bearer(bearer) => Some(ServerAuth::Bearer(bearer.clone())),
            Authenticator::Server(server) => Some(server.clone()),
            Authenticator::Client(_) => {
                let message =
                    "a receiver needs a basicauth with htpasswd; this one has client_auth";
                cx.report.error_at(spot, message);
                None
            }
            Authenticator::Bad => None,
        }
    }

    pub(super) fn of_exporter(
        &self,
        field: Field<raw::Auth>,
        cx: &Context<'_>,
    ) -> Option<ClientAuth> {
        let (authenticator, spot) = self.named(field, cx)?;
        match authenticator {
            Authenticator::Bearer(bearer) => Some(ClientAuth::Bearer(bearer.clone())),
            Authenticator::Client(client) => Some(client.clone()),
            Authenticator::Server(_) => {
                let message =
                    "an exporter needs a basicauth with client_auth; this one has htpasswd";
                cx.report.error_at(spot, message);
                None
            }
            Authenticator::Bad => None,
        }
    }

    /// What `auth.authenticator` names. An `auth` that names nothing must not
    /// pass for none.
    fn named(&self, field: Field<raw::Auth>, cx: &Context<'_>) -> Option<(&Authenticator, Spot)> {
        let (auth, spot) = (field.value?, field.spot?);
        let named = auth.authenticator;
        let (Some(reference), Some(at)) = (named.as_ref().filter(|id| !id.is_empty()), named.spot)
        else {
            let help = "set authenticator to the id of a bearertokenauth or basicauth extension";
            cx.report.error_at_key(spot, "names no authenticator", help);
            return None;
        };
        let index = self.section.resolve(reference, at, cx)?;
        let component = self.section.components.get(index)?;
        let Some(authenticator) = self.read.get(&index) else {
            let served = ["bearertokenauth", "basicauth"];
            let kind = &component.id.kind;
            let hint = did_you_mean(kind, &served);
            cx.report.error_at_help(
                at,
                &format!("wayspan has no authenticator \"{kind}\"{hint}"),
                &format!("authenticators wayspan has: {}", served.join(", ")),
            );
            return None;
        };
        if !component.used.get() {
            let help = format!("add {reference} to service.extensions");
            cx.report.error_at_help(
                at,
                "service.extensions does not enable this extension",
                &help,
            );
        }
        Some((authenticator, at))
    }
}

fn given(field: &Field<String>) -> Option<&str> {
    field.as_ref().map(String::as_str).filter(|t| !t.is_empty())
}

fn bearer<'n>(component: &Component<'n>, cx: &Context<'n>) -> Option<BearerToken> {
    let raw: raw::BearerToken = component.read(cx)?;
    if !component.used.get() {
        return None;
    }
    let header = given(&raw.header).unwrap_or("authorization");
    if let (Some(spot), true) = (
        raw.header.spot,
        http::HeaderName::from_bytes(header.as_bytes()).is_err(),
    ) {
        cx.report
            .error_at(spot, "not a name that a header can have");
        return None;
    }
    let fits = |text: &str| http::HeaderValue::from_str(text).is_ok() && text.trim() == text;
    let scheme = raw.scheme.value.clone().unwrap_or("Bearer".to_owned());
    if let (Some(spot), false) = (raw.scheme.spot, fits(&scheme)) {
        cx.report.error_at(spot, "not a scheme such as Bearer");
        return None;
    }
    let listed: Vec<&Field<String>> = raw.tokens.as_ref().into_iter().flatten().collect();
    let (single, many) = (given(&raw.token).is_some(), !listed.is_empty());
    let fields = match many {
        true => listed,
        false => vec![&raw.token],
    };
    let mut tokens = Vec::new();
    for field in fields {
        match (given(field), field.spot) {
            (Some(token), _) if fits(token) => tokens.push(Secret::new(token)),
            // The value is a secret: it is not shown.
            (Some(_), Some(spot)) => {
                let message = "has characters that no header can have, or spaces around it";
                cx.report.error_at_key(spot, message, "");
            }
            (None, Some(spot)) if many => {
                cx.report
                    .error_at_key(spot, "is empty, which would let in who has none", "");
            }
            _ => {}
        }
    }
    let file = given(&raw.filename).map(Into::into);
    let doubled = match (&file, many, single) {
        (Some(_), true, _) | (Some(_), _, true) => Some((raw.filename.spot, "token and tokens")),
        (None, true, true) => Some((raw.tokens.spot, "token")),
        _ => None,
    };
    if let Some((Some(spot), what)) = doubled {
        cx.report
            .warn_at(spot, &format!("stands in place of {what}"));
    }
    if file.is_none() && tokens.is_empty() {
        if !cx.report.has_errors() {
            let help = "set token, tokens or filename; if a variable is to hold it, is it set?";
            cx.report.error_at_key(component.spot, "has no token", help);
        }
        return None;
    }
    let bearer = BearerToken {
        header: header.to_ascii_lowercase(),
        scheme,
        tokens: if file.is_some() { Vec::new() } else { tokens },
        file,
    };
    let keys = [("filename", raw.filename.spot)];
    let guard = ServerAuth::Bearer(bearer.clone());
    cx.inspect(Guard::ServerAuth(&guard), &keys, component.spot);
    Some(bearer)
}

fn basic<'n>(component: &Component<'n>, cx: &Context<'n>) -> Option<Authenticator> {
    let raw: raw::BasicAuth = component.read(cx)?;
    if !component.used.get() {
        return None;
    }
    match (raw.htpasswd.value, raw.client_auth.value) {
        (Some(htpasswd), None) => server(htpasswd, component, cx).map(Authenticator::Server),
        (None, Some(client)) => self::client(client, component, cx).map(Authenticator::Client),
        (both, _) => {
            let message = match both {
                Some(_) => "has both htpasswd and client_auth",
                None => "has neither htpasswd nor client_auth",
            };
            let help = "htpasswd is for receivers, client_auth for exporters: set one";
            if !cx.report.has_errors() {
                cx.report.error_at_key(component.spot, message, help);
            }
            None
        }
    }
}

fn server(raw: raw::Htpasswd, component: &Component<'_>, cx: &Context<'_>) -> Option<ServerAuth> {
    let file = given(&raw.file).map(Into::into);
    let inline = given(&raw.inline).filter(|text| !text.trim().is_empty());
    if let (Some(text), Some(spot)) = (inline, raw.inline.spot)
        && let Err(error) = Users::default().add(text)
    {
        cx.report.error_at_key(spot, &error.to_string(), "");
        return None;
    }
    if file.is_none() && inline.is_none() {
        let help = "set htpasswd.file or htpasswd.inline; if a variable is to hold it, is it set?";
        cx.report.error_at_key(component.spot, "has no users", help);
        return None;
    }
    let inline = inline.map(Secret::new);
    let settings = ServerAuth::Basic { file, inline };
    let keys = [("htpasswd.file", raw.file.spot)];
    cx.inspect(Guard::ServerAuth(&settings), &keys, component.spot);
    Some(settings)
}

fn client(
    raw: raw::BasicClient,
    component: &Component<'_>,
    cx: &Context<'_>,
) -> Option<ClientAuth> {
    let credential = |text: &Field<String>, file: &Field<String>, name: &str| {
        let found = match (given(file), given(text)) {
            (Some(path), _) => Some(Credential::File(path.into())),
            (None, Some(text)) => Some(Credential::Text(Secret::new(text))),
            (None, None) => None,
        };
        if found.is_none() {
            let message = format!("client_auth has no {name}");
            let help = format!("set client_auth.{name} or client_auth.{name}_file");
            cx.report.error_at_key(component.spot, &message, &help);
        }
        found
    };
    let username = credential(&raw.username, &raw.username_file, "username");
    let password = credential(&raw.password, &raw.password_file, "password");
    if let (Some(spot), Some(true)) = (
        raw.username.spot,
        given(&raw.username).map(|name| name.contains(':')),
    ) {
        cx.report
            .error_at(spot, "a user's name cannot have a colon");
    }
    let settings = ClientAuth::Basic {
        username: username?,
        password: password?,
    };
    let keys = [
        ("auth: username_file", raw.username_file.spot),
        ("auth: password_file", raw.password_file.spot),
    ];
    cx.inspect(Guard::ClientAuth(&settings), &keys, component.spot);
    Some(settings)
}
