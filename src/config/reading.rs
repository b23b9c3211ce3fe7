/*!
One reading of a file: what every reader of keys is lent.

A reader reports and goes on, so that an operator sees all mistakes at once.
*/

use super::{
    Environment, ListenAddress, UnixAddress,
    diagnostic::{Diagnostic, Findings, Spot},
    manual::Manual,
    scalar,
};
use std::{
    any::Any,
    cell::{OnceCell, RefCell},
    fmt,
    net::SocketAddr,
    ops::RangeInclusive,
    rc::Rc,
};

/// Extensions, as other components name them.
pub(crate) trait Extensions {
    /// What the extension called `reference`, written at `spot`, offers as
    /// `what` ("authenticator"), and its position among those named so far.
    /// Reports through `cx` where there is none.
    fn offer(
        &self,
        what: &str,
        reference: &str,
        spot: Spot,
        cx: &Reading<'_>,
    ) -> Option<(usize, Rc<dyn Any>)>;

    /// What components have been offered as `what`, each once.
    fn taken(&self, what: &str) -> Vec<Rc<dyn Any>>;
}

/// What every reader of keys is lent: where to report, the environment, and
/// what the components of one file may not both have.
pub(crate) struct Reading<'n> {
    report: &'n Findings,
    env: &'n dyn Environment,
    reads_files: bool,
    listeners: RefCell<Vec<Listener>>,
    extensions: OnceCell<Box<dyn Extensions>>,
    manual: Option<RefCell<Manual>>,
}

/// An address to listen on, by what, and where that was written, if it was.
struct Listener {
    address: ListenAddress,
    owner: String,
    spot: Option<Spot>,
}

impl<'n> Reading<'n> {
    /// Reads with `env`. With `reads_files`, the certificates, tokens and users
    /// that the file names are read too, as the start would.
    pub(crate) fn new(report: &'n Findings, env: &'n dyn Environment, reads_files: bool) -> Self {
        Self {
            report,
            env,
            reads_files,
            listeners: RefCell::default(),
            extensions: OnceCell::new(),
            manual: None,
        }
    }

    /// Reads nothing, and gathers what keys there are.
    pub(crate) fn describing(report: &'n Findings, env: &'n dyn Environment) -> Self {
        Self {
            manual: Some(RefCell::default()),
            ..Self::new(report, env, false)
        }
    }

    pub(super) fn manual(&self) -> Option<&RefCell<Manual>> {
        self.manual.as_ref()
    }

    /// The keys gathered.
    pub(crate) fn into_manual(self) -> Manual {
        self.manual.map(RefCell::into_inner).unwrap_or_default()
    }

    pub(crate) fn report(&self) -> &'n Findings {
        self.report
    }

    /// Makes the extensions known that components may name.
    pub(crate) fn set_extensions(&self, extensions: Box<dyn Extensions>) {
        // Set once, before the components that name them are read.
        let _ = self.extensions.set(extensions);
    }

    /// What the extension called `reference` offers as `what`; see
    /// [`Extensions::offer`].
    pub(crate) fn offer<T: 'static>(
        &self,
        what: &str,
        reference: &str,
        spot: Spot,
    ) -> Option<(usize, Rc<T>)> {
        let (at, offer) = (self.extensions.get()?).offer(what, reference, spot, self)?;
        Some((at, offer.downcast().ok()?))
    }

    /// What components have been offered as `what`, each once, at the position
    /// that [`Self::offer`] gave.
    pub(crate) fn taken<T: Clone + 'static>(&self, what: &str) -> Vec<T> {
        let taken = self
            .extensions
            .get()
            .map(|extensions| extensions.taken(what));
        let taken = taken.into_iter().flatten();
        taken
            .filter_map(|offer| offer.downcast_ref().cloned())
            .collect()
    }

    /// Reports an error about the value at `spot`. Without a spot the value is a
    /// default, of which nothing can be wrong.
    pub(crate) fn error(&self, spot: Option<Spot>, message: &str) {
        if let Some(spot) = spot {
            self.report.error_at(spot, message);
        }
    }

    /// Reports a number at `spot` that is not in `range`. Returns true if it is.
    pub(crate) fn in_range<N: PartialOrd + fmt::Display>(
        &self,
        spot: Option<Spot>,
        given: N,
        range: &RangeInclusive<N>,
    ) -> bool {
        let is_in = range.contains(&given);
        if !is_in {
            let (least, most) = (range.start(), range.end());
            self.error(spot, &format!("{given} is not between {least} and {most}"));
        }
        is_in
    }

    /// As [`Self::error`], with what to do about it.
    pub(crate) fn error_with_help(&self, spot: Option<Spot>, message: &str, help: &str) {
        if let Some(spot) = spot {
            self.report.error_at_help(spot, message, help);
        }
    }

    /// As [`Self::error`], shown at the key and not at its value, which may be
    /// secret or missing. `help` may be empty.
    pub(crate) fn error_at_key(&self, spot: Option<Spot>, message: &str, help: &str) {
        if let Some(spot) = spot {
            self.report.error_at_key(spot, message, help);
        }
    }

    /// Reports a warning about the key at `spot`.
    pub(crate) fn warn(&self, spot: Option<Spot>, message: &str) {
        if let Some(spot) = spot {
            self.report.warn_at(spot, message);
        }
    }

    /// Returns true if something is wrong already, so that what follows from it
    /// need not be said too.
    pub(crate) fn has_errors(&self) -> bool {
        self.report.has_errors()
    }

    /// Runs `read`, which reads files that settings name, if this reading does
    /// so. Its error begins with the key at fault (`tls.cert_file /etc/tls.crt:
    /// cannot be read`) and is reported at the one of `keys` that it begins
    /// with, else at `at`.
    pub(crate) fn check_files<T>(
        &self,
        keys: &[(&str, Option<Spot>)],
        at: Option<Spot>,
        read: impl FnOnce() -> Result<T, String>,
    ) {
        if !self.reads_files {
            return;
        }
        let Err(message) = read() else { return };
        let found = keys.iter().find_map(|(key, spot)| {
            let rest = message.strip_prefix(key)?.strip_prefix([' ', ':'])?;
            Some(((*spot)?, rest.trim_start()))
        });
        match found {
            Some((spot, rest)) => self.report.error_at(spot, rest),
            None => self.error_at_key(at, &message, ""),
        }
    }

    /// The value of a variable of the environment, if it is set.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.env.variable(name)
    }

    /// Returns true in a pod of Kubernetes.
    pub(crate) fn is_in_pod(&self) -> bool {
        self.env.variable("KUBERNETES_SERVICE_HOST").is_some()
    }

    /// Finds the address to listen on that `text` says, for `owner`, and reports
    /// what is wrong with it, and one that is taken: at `spot`.
    pub(crate) fn listen(&self, text: &str, owner: &str, spot: Option<Spot>) -> Option<SocketAddr> {
        match scalar::listen_address(text, self.env) {
            Ok(address) => {
                self.take(address.into(), owner, spot);
                Some(address)
            }
            Err(message) => {
                self.complain(spot, owner, &message);
                None
            }
        }
    }

    /// The same for a unix socket.
    pub(crate) fn listen_unix(
        &self,
        address: Result<UnixAddress, String>,
        owner: &str,
        spot: Option<Spot>,
    ) -> Option<UnixAddress> {
        match address {
            Ok(address) => {
                self.take(ListenAddress::Unix(address.clone()), owner, spot);
                Some(address)
            }
            Err(message) => {
                self.complain(spot, owner, &message);
                None
            }
        }
    }

    fn take(&self, address: ListenAddress, owner: &str, spot: Option<Spot>) {
        let mut listeners = self.listeners.borrow_mut();
        if let Some(other) = listeners
            .iter()
            .find(|other| other.address.is_taken_by(&address))
        {
            match (spot, other.spot) {
                // A default has no place; what meets it has.
                (None, Some(place)) => {
                    let message = format!("{address} is also that of {owner}, by default");
                    self.report.error_at(place, &message);
                }
                _ => {
                    let message = format!("{address} is already used by {}", other.owner);
                    self.complain(spot, owner, &message);
                }
            }
        }
        listeners.push(Listener {
            address,
            owner: owner.to_owned(),
            spot,
        });
    }

    fn complain(&self, spot: Option<Spot>, owner: &str, message: &str) {
        match spot {
            Some(spot) => self.report.error_at(spot, message),
            None => (self.report).error(Diagnostic::nowhere(format!("{owner}: {message}"))),
        }
    }
}
