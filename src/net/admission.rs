/*!
Who may send: credentials judged before a body is read.

A token is compared at once. A password may be kept so that checking it takes
tens of milliseconds, on purpose; that happens on another thread, and what came
of it is remembered under a keyed hash, so that a sender pays once and not with
every request. Requests that come meanwhile wait for the same check. The memory
is the shard's own, is bounded, and is void once the users have changed.

The health service is not asked for credentials: kubelets have none to give.
*/

use crate::auth::{Attempt, Generation, RequestAuthenticator};
use ::http::{HeaderName, HeaderValue};
use std::{cell::RefCell, collections::HashMap, net::IpAddr, rc::Rc, sync::Arc};
use tokio::sync::OnceCell;

/// Credentials remembered; a mesh has a handful.
const REMEMBERED: usize = 1024;

/// One listener's admission on one shard.
#[derive(Debug)]
pub struct Admission {
    server: Arc<RequestAuthenticator>,
    memory: RefCell<Memory>,
}

#[derive(Default)]
struct Memory {
    of: Option<Generation>,
    checks: HashMap<[u8; 32], Rc<OnceCell<bool>>>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({})", self.checks.len())
    }
}

/// Why a request is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It has no credentials.
    Missing,
    /// Its credentials are not those of a user.
    Wrong,
    /// Too many passwords are being checked.
    Crowded,
}

impl Admission {
    /// Asks `server`.
    pub fn new(server: Arc<RequestAuthenticator>) -> Self {
        Self {
            server,
            memory: RefCell::default(),
        }
    }

    /// What `WWW-Authenticate` says.
    pub(crate) fn challenge(&self) -> &HeaderValue {
        self.server.challenge()
    }

    /// The field that credentials stand in.
    pub(crate) fn header(&self) -> &HeaderName {
        self.server.header()
    }

    /// Judges credentials, if that is quick; else see [`Self::check`].
    pub(crate) fn judge(&self, given: Option<&[u8]>) -> Option<Result<(), Denied>> {
        let Some(given) = given else {
            return Some(Err(Denied::Missing));
        };
        let now = self.server.generation();
        match self.server.judge(&now, given) {
            Attempt::Judged(good) => Some(judged(good)),
            Attempt::Slow => {
                let check = self.recall(&now, given);
                check.get().copied().map(judged)
            }
        }
    }

    /// Judges credentials that take a while.
    pub(crate) async fn check(&self, given: &[u8], peer: IpAddr) -> Result<(), Denied> {
        let now = self.server.generation();
        let check = self.recall(&now, given);
        let checked = check.get_or_try_init(|| async {
            let checked = self.server.check(&now, given, peer).await;
            checked.ok_or(Denied::Crowded)
        });
        checked.await.copied().and_then(judged)
    }

    fn recall(&self, now: &Generation, given: &[u8]) -> Rc<OnceCell<bool>> {
        self.memory.borrow_mut().find(now, self.server.memo(given))
    }
}

fn judged(good: bool) -> Result<(), Denied> {
    match good {
        true => Ok(()),
        false => Err(Denied::Wrong),
    }
}

impl Memory {
    fn find(&mut self, now: &Generation, memo: [u8; 32]) -> Rc<OnceCell<bool>> {
        if self.of.as_ref() != Some(now) {
            self.checks.clear();
            self.of = Some(now.clone());
        }
        if let Some(known) = self.checks.get(&memo) {
            return Rc::clone(known);
        }
        if self.checks.len() >= REMEMBERED {
            // Guesses go before what is good.
            self.checks.retain(|_, check| check.get() == Some(&true));
        }
        if self.checks.len() >= REMEMBERED {
            self.checks.clear();
        }
        Rc::clone(self.checks.entry(memo).or_default())
    }
}
