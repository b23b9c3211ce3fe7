/*!
The keys of `auth`, which names an extension: whom a receiver lets in, and what
an exporter presents.
*/

use super::{ClientAuth, ServerAuth};
use crate::config::{Field, KeyReader};
use std::rc::Rc;

/// What extensions call what they offer here.
pub(crate) const OFFER: &str = "authenticator";

/// What an extension offers to those whose `auth` names it. One of the two at
/// least is there.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// What a receiver asks for.
    pub(crate) server: Option<ServerAuth>,
    /// What an exporter presents.
    pub(crate) client: Option<ClientAuth>,
}

/// Reads `auth` of a receiver; None: whoever can connect, or wrong.
pub(crate) fn server(keys: &mut KeyReader<'_>) -> Option<ServerAuth> {
    keys.section("auth", |keys| {
        let named: Field<String> = keys.get(
            "authenticator",
            "none",
            "the [extension](#authenticators) whose credentials senders must have",
        );
        keys.refused(&["request_params"]);
        let found = authenticator(&named, keys)?;
        if found.server.is_none() {
            let message = "a receiver needs a basicauth with htpasswd; this one has client_auth";
            keys.reading().error(named.spot, message);
        }
        found.server.clone()
    })
}

/// Reads `auth` of an exporter; None: no credentials, or wrong.
pub(crate) fn client(keys: &mut KeyReader<'_>) -> Option<ClientAuth> {
    keys.section("auth", |keys| {
        let named: Field<String> = keys.get(
            "authenticator",
            "none",
            "a `bearertokenauth` (its first token is sent) or `basicauth` with `client_auth`, in place of a header of the same name. Also sent in plaintext, with a warning at the start: the mesh may encrypt the connection",
        );
        keys.refused(&["request_params"]);
        client_named(&named, keys)
    })
}

/// What the extension that `named` names gives to an exporter; None, which has been
/// reported: nothing.
pub(crate) fn client_named(named: &Field<String>, keys: &KeyReader<'_>) -> Option<ClientAuth> {
    let found = authenticator(named, keys)?;
    if found.client.is_none() {
        let message = "an exporter needs a basicauth with client_auth; this one has htpasswd";
        keys.reading().error(named.spot, message);
    }
    found.client.clone()
}

/// The extension that `named` names. An `auth` that names nothing must not pass
/// for none.
fn authenticator(named: &Field<String>, keys: &KeyReader<'_>) -> Option<Rc<Authenticator>> {
    if !keys.has_value() || !keys.is_used() {
        return None;
    }
    let cx = keys.reading();
    let (Some(reference), Some(spot)) = (named.given(), named.spot) else {
        let help = "set authenticator to the id of a bearertokenauth or basicauth extension";
        cx.error_at_key(keys.spot(), "names no authenticator", help);
        return None;
    };
    let (_, found) = cx.offer(OFFER, reference, spot)?;
    Some(found)
}
