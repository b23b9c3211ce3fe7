/*! What guards a receiver, and what an exporter presents, checked. */

use crate::config::Secret;
use std::path::PathBuf;

/// An authenticator that a receiver asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAuth {
    /// `bearertokenauth`.
    Bearer(BearerToken),
    /// `basicauth` with `htpasswd`.
    Basic {
        /// `htpasswd.file`.
        file: Option<PathBuf>,
        /// `htpasswd.inline`, whose users come before the file's.
        inline: Option<Secret>,
    },
}

/// An authenticator that an exporter uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `bearertokenauth`: the first token.
    Bearer(BearerToken),
    /// `basicauth` with `client_auth`.
    Basic {
        /// `username` or `username_file`.
        username: Credential,
        /// `password` or `password_file`.
        password: Credential,
    },
}

/// A text, or a file that holds it and may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The text.
    Text(Secret),
    /// Where it is.
    File(PathBuf),
}

/// `bearertokenauth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerToken {
    /// `header`, in lower case. Default `authorization`.
    pub header: String,
    /// `scheme`, before the token. Default `Bearer`; empty: the token alone.
    pub scheme: String,
    /// `tokens` or `token`.
    pub tokens: Vec<Secret>,
    /// `filename`, a token on each line, in place of the above.
    pub file: Option<PathBuf>,
}
