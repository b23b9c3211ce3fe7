/*!
Who is asking: credentials that receivers demand and exporters present.

[`RequestAuthenticator`] holds what is expected and is shared by all shards; files are read
anew when they change ([`crate::reload`]). Secrets are compared in constant time
and are in no message. [`RequestCredentials`] makes an exporter's header.
*/

mod check_queue;
mod client;
pub(crate) mod config;
mod server;
mod settings;

pub(crate) use client::RequestCredentials;
pub(crate) use config::Authenticator;
pub use server::RequestAuthenticator;
pub(crate) use server::{Attempt, Generation};
pub use settings::{BearerToken, ClientAuth, Credential, ServerAuth};
