//! An attack: a name, what is sent, and the circumstances.

use crate::target::Target;
use futures_util::future::LocalBoxFuture;
use std::{future::Future, net::Ipv4Addr, rc::Rc, time::Duration};

/// What an attacker does, for as long as it is let.
pub type Conduct = Box<dyn FnOnce(Target) -> LocalBoxFuture<'static, ()>>;

/// An attack whose bytes are made.
pub struct Prepared {
    /// Bytes of one request on the wire; 0 where requests are not what matters.
    pub wire: usize,
    pub conduct: Conduct,
}

impl Prepared {
    pub fn new<F>(wire: usize, conduct: impl FnOnce(Target) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        Self {
            wire,
            conduct: Box::new(|target| Box::pin(conduct(target))),
        }
    }
}

#[derive(Clone)]
pub struct Attack {
    pub name: String,
    /// Makes the bytes, before anybody sends.
    pub prepare: Rc<dyn Fn() -> Prepared>,
    pub circumstances: Circumstances,
    /// It is played only where time does not matter.
    pub is_long: bool,
}

/// How the process runs, and from where it is attacked.
#[derive(Clone)]
pub struct Circumstances {
    /// The largest request, in MiB; None: the manifest's.
    pub request_mib: Option<u64>,
    /// It has the memory limit that the manifest's container gets by default, not a
    /// lower one.
    pub default_limit: bool,
    /// It has a segment log.
    pub logged: bool,
    /// The backend is away for as long as the attack lasts.
    pub away: bool,
    /// Files that it may open.
    pub files: Option<u32>,
    /// Senders must have passwords.
    pub guarded: bool,
    /// It has a receiver of Zipkin's spans, too.
    pub zipkin: bool,
    /// The attackers' address.
    pub from: Ipv4Addr,
    pub lasts: Duration,
}

/// The attackers' own address, where they do not share that of the honest.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

impl Attack {
    pub fn new(name: impl Into<String>, prepare: impl Fn() -> Prepared + 'static) -> Self {
        Self {
            name: name.into(),
            prepare: Rc::new(prepare),
            circumstances: Circumstances {
                request_mib: None,
                default_limit: false,
                logged: false,
                away: false,
                files: None,
                guarded: false,
                zipkin: false,
                from: Ipv4Addr::LOCALHOST,
                lasts: Duration::from_secs(2),
            },
            is_long: false,
        }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Circumstances)) -> Self {
        change(&mut self.circumstances);
        self
    }

    fn called(mut self, addition: &str) -> Self {
        self.name = format!("{} {addition}", self.name);
        self
    }

    /// Played only with `WAYSPAN_LONG`.
    pub fn long(mut self) -> Self {
        self.is_long = true;
        self
    }

    pub fn logged(&self) -> Self {
        let logged = self.clone().called("+log");
        logged.with(|its| its.logged = true)
    }

    pub fn away(&self) -> Self {
        self.clone().called("+away").with(|its| its.away = true)
    }

    pub fn elsewhere(&self) -> Self {
        let elsewhere = self.clone().called("+address");
        elsewhere.with(|its| its.from = ELSEWHERE)
    }

    /// Both at once, which share the bytes a second. The circumstances are those of
    /// the first, but for the memory limit.
    pub fn beside(&self, other: &Self) -> Self {
        let (first, second) = (Rc::clone(&self.prepare), Rc::clone(&other.prepare));
        let prepare = move || {
            let (first, second) = (first(), second());
            Prepared::new(first.wire, |target: Target| async move {
                let first = (first.conduct)(target.clone());
                tokio::join!(first, (second.conduct)(target));
            })
        };
        Self {
            name: format!("{} & {}", self.name, other.name),
            prepare: Rc::new(prepare),
            ..self.clone()
        }
        .with(|its| its.default_limit = true)
    }
}

/// Adds what is played beside each attack: with a segment log, with the backend
/// away, and from another address. `chosen` says of which the variants are always
/// played.
pub fn with_variants(attacks: Vec<Attack>, chosen: impl Fn(&Attack) -> bool) -> Vec<Attack> {
    let mut all = Vec::new();
    for attack in attacks {
        let mut variants = vec![attack.logged(), attack.away(), attack.elsewhere()];
        if !chosen(&attack) {
            variants = variants.into_iter().map(Attack::long).collect();
        }
        all.push(attack);
        all.extend(variants);
    }
    all
}
