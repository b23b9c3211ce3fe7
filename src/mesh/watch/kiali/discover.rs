/*!
Finds the Kiali of the cluster by its Pods, and follows it.

Each time that Kialis come or go, that what is followed cannot be read any more,
or that something better could not be read a while ago, all that is there is
looked at anew: the first source that can be read is followed. A Kiali that has
no Pods for a moment is not given up.
*/

use super::{
    ControlPlane, KialiClient, KialiFollower, Kialis, Place,
    documents::ReadDocument,
    found::{Candidates, FoundKiali},
    object::{PAUSES, Unread},
    poll, watch,
};
use crate::{
    backoff::Backoff,
    mesh::{Described, KialiEndpoint, KialiSource},
};
use futures_util::future;
use kube::Client;
use std::{
    future::{Future, pending},
    pin::Pin,
    time::Duration,
};
use tokio::{
    select,
    sync::watch::Receiver,
    time::{Instant, sleep},
};

/// How long a Kiali without Pods goes before others.
const GRACE: Duration = Duration::from_secs(30);

/// After this time what could not be read is tried again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Where Istio is, unless its ConfigMap is said to be elsewhere.
const ISTIO: &str = "istio-system";

/// Follows the Kiali of the cluster for ever.
pub(super) async fn run<C: KialiClient>(
    follower: &KialiFollower,
    control_plane: Receiver<ControlPlane>,
    connect: impl Fn(&KialiEndpoint) -> C,
) {
    let client = watch::client(follower).await;
    let [first, longest] = PAUSES;
    let istio = follower.follow.istio_config_map.as_ref();
    let search = Search {
        follower,
        client: &client,
        connect,
        istio: istio.map_or(ISTIO, |name| &name.namespace),
        followed: None,
        backoff: Backoff::doubling(first, longest),
    };
    future::join(
        search.run(control_plane),
        watch::trust_domain(follower, &client),
    )
    .await;
}

struct Search<'a, F> {
    follower: &'a KialiFollower,
    client: &'a Client,
    connect: F,
    /// The namespace whose Kiali goes first.
    istio: &'a str,
    followed: Option<Followed<'a>>,
    backoff: Backoff,
}

/// The Kiali that is followed.
struct Followed<'a> {
    kiali: FoundKiali,
    source: KialiSource,
    /// Since when it has no Pods.
    gone: Option<Instant>,
    /// Follows it until it cannot be read any more.
    following: Pin<Box<dyn Future<Output = ()> + 'a>>,
}

/// What came of looking at everything.
enum Choice {
    /// What is followed is still the best.
    Kept(FoundKiali),
    Taken(Box<Taken>),
    NoneReadable,
    /// It cannot be told now.
    Unknown(String),
}

struct Taken {
    kiali: FoundKiali,
    source: KialiSource,
    reading: ReadDocument,
}

impl<'a, C: KialiClient + 'a, F: Fn(&KialiEndpoint) -> C> Search<'a, F> {
    async fn run(mut self, mut control_plane: Receiver<ControlPlane>) {
        loop {
            let now = control_plane.borrow_and_update().kialis.clone();
            let wait = self.look(now).await;
            let following = async {
                match &mut self.followed {
                    Some(followed) => followed.following.as_mut().await,
                    None => pending().await,
                }
            };
            let again = async {
                match wait {
                    Some(wait) => sleep(wait).await,
                    None => pending().await,
                }
            };
            let lost = select! {
                Ok(()) = control_plane.changed() => false,
                () = again => false,
                () = following => true,
            };
            if lost {
                self.followed = None;
                sleep(self.backoff.next_wait()).await;
            }
        }
    }

    /// Looks at everything. Returns when to do so again, whatever happens.
    async fn look(&mut self, kialis: Kialis) -> Option<Duration> {
        let found = match kialis {
            Kialis::NotListed => return None,
            Kialis::Hidden => {
                if self.followed.is_none() {
                    self.follower.failed(
                        "it is found by its Pods, which cannot be listed: kubernetes.pods on the \
                         health page and a line of the log say why",
                    );
                }
                return None;
            }
            Kialis::Known(found) => found,
        };
        let (found, patience) = self.with_absent(found);
        let candidates = Candidates::rank(found, self.istio, self.client.default_namespace());
        let Some(first) = candidates.first() else {
            self.followed = None;
            self.follower.finds_none();
            return None;
        };
        let mut refused = Vec::new();
        match self.choose(&candidates, &mut refused).await {
            Choice::Kept(kiali) => {
                self.follower
                    .keeps(&candidates.taken(&kiali, &refused), &kiali);
                if let Some(followed) = &mut self.followed {
                    followed.kiali = kiali;
                }
            }
            Choice::Taken(taken) => {
                let Taken {
                    kiali,
                    source,
                    reading,
                } = *taken;
                let line = candidates.taken(&kiali, &refused);
                self.follower.takes(&line, &kiali, &source, reading);
                self.backoff.reset();
                self.follow(kiali, source);
            }
            Choice::NoneReadable => {
                self.followed = None;
                let line = candidates.unreadable();
                self.follower.cannot_read(&line, &refused.join("; "), first);
                return Some(self.backoff.next_wait());
            }
            Choice::Unknown(cause) => {
                self.follower.failed(&cause);
                return Some(self.backoff.next_wait());
            }
        }
        let again = (!refused.is_empty()).then_some(LOOK_AGAIN);
        patience.into_iter().chain(again).min()
    }

    /// Returns what was found, with what is followed if that may come back, and for
    /// how long to wait for that.
    fn with_absent(&mut self, mut found: Vec<FoundKiali>) -> (Vec<FoundKiali>, Option<Duration>) {
        let Some(followed) = &mut self.followed else {
            return (found, None);
        };
        if found.iter().any(|kiali| kiali.name == followed.kiali.name) {
            followed.gone = None;
            return (found, None);
        }
        let since = *followed.gone.get_or_insert_with(Instant::now);
        let left = GRACE.saturating_sub(since.elapsed());
        // Scaled to zero it leaves its objects, and asks again one day.
        let is_object = !matches!(followed.source, KialiSource::Url(_));
        let stays = is_object && found.is_empty();
        if stays || !left.is_zero() {
            found.push(followed.kiali.clone());
        }
        (found, (!stays && !left.is_zero()).then_some(left))
    }

    /// Tries the candidates' sources. Those that cannot be read go to `refused`.
    async fn choose(&self, candidates: &Candidates, refused: &mut Vec<String>) -> Choice {
        let followed = self.followed.as_ref().map(|followed| &followed.source);
        for (kiali, source) in candidates.sources() {
            if followed == Some(&source) {
                return Choice::Kept(kiali.clone());
            }
            match self.read(&source).await {
                Ok(reading) => {
                    return Choice::Taken(Box::new(Taken {
                        kiali: kiali.clone(),
                        source,
                        reading,
                    }));
                }
                Err(Unread::Away(cause)) => return Choice::Unknown(format!("{source}: {cause}")),
                // Its name is a guess.
                Err(Unread::Refused(_)) if matches!(source, KialiSource::CustomResource(_)) => {}
                Err(Unread::Refused(cause)) => refused.push(format!("{source}: {cause}")),
            }
        }
        Choice::NoneReadable
    }

    async fn read(&self, source: &KialiSource) -> Result<ReadDocument, Unread> {
        match source {
            KialiSource::Url(endpoint) => {
                let answer = poll::read(endpoint, (self.connect)(endpoint)).await;
                answer.map_err(Unread::Refused)
            }
            object => watch::read(self.client, object).await,
        }
    }

    fn follow(&mut self, kiali: FoundKiali, source: KialiSource) {
        let (follower, client) = (self.follower, self.client);
        let following: Pin<Box<dyn Future<Output = ()> + 'a>> = match source.clone() {
            KialiSource::Url(endpoint) => {
                let kiali = (self.connect)(&endpoint);
                Box::pin(async move { poll::run(follower, &endpoint, kiali).await })
            }
            object => {
                Box::pin(async move { watch::follow_until_lost(follower, client, &object).await })
            }
        };
        self.followed = Some(Followed {
            kiali,
            source,
            gone: None,
            following,
        });
    }
}

impl KialiFollower {
    /// Says which Kiali was taken, if that is new.
    fn says(&self, line: &str) {
        if self.status.set_choice(line) {
            tracing::info!("{}: {line}", self.processor);
        }
    }

    /// Names are for this Kiali from now on.
    fn takes(&self, line: &str, kiali: &FoundKiali, source: &KialiSource, reading: ReadDocument) {
        self.says(line);
        *self.place.borrow_mut() = Place::of(source);
        let mut learned = self.learned.borrow_mut();
        learned.of = Some(kiali.name.clone());
        learned.version = kiali.version;
        learned.unreadable = false;
        drop(learned);
        self.learned(reading, false);
    }

    /// Names are for this Kiali still.
    fn keeps(&self, line: &str, kiali: &FoundKiali) {
        self.says(line);
        let before = std::mem::replace(&mut self.learned.borrow_mut().version, kiali.version);
        if before != kiali.version {
            self.apply();
        }
    }

    /// Nothing can be read of any Kiali: `kiali` is the one that names would be for.
    /// Its version is known all the same.
    fn cannot_read(&self, line: &str, cause: &str, kiali: &FoundKiali) {
        let mut learned = self.learned.borrow_mut();
        if learned.of.as_ref() != Some(&kiali.name) {
            learned.of = Some(kiali.name.clone());
            learned.kiali = Described::default();
        }
        learned.version = kiali.version;
        learned.unreadable = true;
        let known = learned.version.is_some();
        let read_before = learned.kiali != Described::default();
        drop(learned);
        self.status.set_choice(line);
        if !read_before {
            *self.place.borrow_mut() = Place {
                kind: "pods",
                text: format!("Kiali {}, found by its Pods", kiali.name),
            };
        }
        if known {
            self.apply();
        }
        self.failed(cause);
    }

    /// There is no Kiali.
    fn finds_none(&self) {
        let namespaces = match &self.kubernetes.namespaces[..] {
            [] => "all namespaces".to_owned(),
            some => format!("the namespaces {}", some.join(", ")),
        };
        self.status.nothing_to_read();
        self.says(&format!(
            "no Kiali is among the Pods of {namespaces}, none is labelled app.kubernetes.io/name or \
             app: kiali. Names stay as for Kiali {} until one comes; describe one that is elsewhere by \
             the keys of kiali",
            self.current.get().scheme.version()
        ));
    }
}

#[cfg(test)]
mod tests;
