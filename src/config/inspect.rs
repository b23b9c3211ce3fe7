/*!
Looking at the files that a configuration names, for `wayspan validate`.

To load a configuration is to read that and nothing else; certificates, tokens
and users are read by those who use them, at the start. Whoever wants to know
earlier lends the loader eyes, and a fault gets its place in the configuration.
*/

use super::{ClientAuth, ClientTls, ServerAuth, ServerTls};

/// Settings that name files, or hold what could stand in one.
#[derive(Clone, Copy, Debug)]
pub enum Guard<'a> {
    /// `tls` of a receiver or of an extension.
    ServerTls(&'a ServerTls),
    /// `tls` of an exporter.
    ClientTls(&'a ClientTls),
    /// Whom a receiver lets in.
    ServerAuth(&'a ServerAuth),
    /// What an exporter presents.
    ClientAuth(&'a ClientAuth),
}

/// Reads what settings name, as the start would. What is wrong begins with the
/// key at fault: `tls.cert_file /etc/tls.crt: cannot be read: …`.
pub type Inspect<'a> = &'a dyn Fn(Guard<'_>) -> Result<(), String>;
