/*!
Who may send: credentials judged before a body is read.

A token is compared at once. A password may be kept so that checking it takes
tens of milliseconds, on purpose; that happens on another thread, and what came
of it is remembered under a keyed hash, so that a sender pays once and not with
every request. Requests that come meanwhile wait for the same check. The memory
is the shard's own, is bounded, and is void once the users have changed.

The health service is not asked for credentials: kubelets have none to give.
*/

use super::{notice::Notice, status::Refusal};
use crate::auth::{Attempt, Generation, Server};
use ::http::{HeaderMap, HeaderValue};
use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::OnceCell;
use tonic::Code;

/// Credentials remembered; a mesh has a handful.
const REMEMBERED: usize = 1024;
const CROWDED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// One listener's admission on one shard.
#[derive(Debug)]
pub struct Admission {
    server: Arc<Server>,
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

/// Why a request is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Denied {
    /// Missing or wrong credentials.
    Unauthenticated(Notice, &'static str),
    /// Too many are being checked.
    Crowded,
}

impl Denied {
    /// In the protocol's words.
    pub fn refusal(&self) -> (Notice, Refusal) {
        match self {
            Self::Unauthenticated(notice, message) => {
                (*notice, Refusal::new(Code::Unauthenticated, *message))
            }
            Self::Crowded => (
                Notice::Busy,
                Refusal::busy(CROWDED_RETRY_AFTER, "too many passwords to check at once"),
            ),
        }
    }
}

impl Admission {
    /// Asks `server`.
    pub fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            memory: RefCell::default(),
        }
    }

    /// What `WWW-Authenticate` says.
    pub fn challenge(&self) -> &HeaderValue {
        self.server.challenge()
    }

    /// Judges a request by its headers.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let Some(given) = headers.get(self.server.header()) else {
            return Err(Denied::Unauthenticated(
                Notice::NoCredentials,
                "the request has no credentials, which auth of this receiver demands",
            ));
        };
        let now = self.server.generation();
        let good = match self.server.judge(&now, given.as_bytes()) {
            Attempt::Judged(good) => good,
            Attempt::Slow => self.check(&now, given.as_bytes()).await?,
        };
        match good {
            true => Ok(()),
            false => Err(Denied::Unauthenticated(
                Notice::WrongCredentials,
                "the request's credentials are not those that auth of this receiver expects",
            )),
        }
    }

    async fn check(&self, now: &Generation, given: &[u8]) -> Result<bool, Denied> {
        let check = self.memory.borrow_mut().find(now, self.server.memo(given));
        let checked = check.get_or_try_init(|| async {
            let checked = self.server.check(now, given).await;
            checked.ok_or(Denied::Crowded)
        });
        checked.await.copied()
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
