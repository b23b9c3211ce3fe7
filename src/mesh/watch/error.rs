/*!
What goes wrong with lists and watches, in words that say what to do.
*/

use super::{api::ApiError, resource::Resource};
use crate::mesh::ObjectName;
use kube::core::Status as Answer;
use std::fmt::Write as _;

/// Kinds of errors, which metrics tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchErrorKind {
    /// 403: a rule is missing.
    Forbidden,
    /// 401: the API server does not know who we are.
    Unauthorized,
    /// 410: the server no longer knows where to go on; everything is listed again.
    Expired,
    /// 429 and 5xx.
    Refused,
    /// No connection, or no answer.
    Unreachable,
    /// An answer that cannot be read.
    Malformed,
    /// More objects than are kept.
    TooMany,
}

impl WatchErrorKind {
    /// All kinds, in the order of their counters.
    pub(crate) const ALL: [WatchErrorKind; 7] = [
        WatchErrorKind::Forbidden,
        WatchErrorKind::Unauthorized,
        WatchErrorKind::Expired,
        WatchErrorKind::Refused,
        WatchErrorKind::Unreachable,
        WatchErrorKind::Malformed,
        WatchErrorKind::TooMany,
    ];

    /// Returns the label's value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            WatchErrorKind::Forbidden => "forbidden",
            WatchErrorKind::Unauthorized => "unauthorized",
            WatchErrorKind::Expired => "expired",
            WatchErrorKind::Refused => "refused",
            WatchErrorKind::Unreachable => "unreachable",
            WatchErrorKind::Malformed => "malformed",
            WatchErrorKind::TooMany => "too_many",
        }
    }
}

/// What was asked of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    List,
    Watch,
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Verb::List => "list",
            Verb::Watch => "watch",
        }
    }
}

/// A failed list or watch.
#[derive(Debug)]
pub(crate) struct WatchError {
    pub(crate) kind: WatchErrorKind,
    pub(crate) verb: Verb,
    /// The status of an answer with an error in it.
    pub(crate) code: Option<u16>,
    /// The API server's or the system's own words.
    pub(crate) message: String,
}

impl WatchError {
    pub(crate) fn new(kind: WatchErrorKind, verb: Verb, message: impl Into<String>) -> Self {
        Self {
            kind,
            verb,
            code: None,
            message: message.into(),
        }
    }

    /// Returns the error that an answer holds.
    pub(crate) fn answer(verb: Verb, answer: &Answer) -> Self {
        let kind = match answer.code {
            401 => WatchErrorKind::Unauthorized,
            403 => WatchErrorKind::Forbidden,
            410 => WatchErrorKind::Expired,
            _ => WatchErrorKind::Refused,
        };
        Self {
            code: Some(answer.code),
            ..Self::new(kind, verb, &answer.message)
        }
    }

    /// Returns the error of a request that failed.
    pub(crate) fn of(verb: Verb, error: &ApiError) -> Self {
        let kind = match error {
            ApiError::Client(kube::Error::Api(answer)) => return Self::answer(verb, answer),
            ApiError::TooLong(_) | ApiError::Malformed(_) => WatchErrorKind::Malformed,
            _ => WatchErrorKind::Unreachable,
        };
        Self::new(kind, verb, causes(error))
    }

    /// Returns the message, with the status if there is one.
    fn said(&self) -> String {
        match self.code {
            Some(code) => format!("{} ({code})", self.message),
            None => self.message.clone(),
        }
    }

    /// Describes the error in one line: what fails, why, what is done meanwhile, and the remedy.
    pub(crate) fn line(&self, resource: Resource, namespace: Option<&str>) -> String {
        let (what, verb) = (resource.plural(), self.verb.as_str());
        let place = match namespace {
            Some(namespace) => format!("in namespace {namespace}"),
            None => "cluster-wide".to_owned(),
        };
        match self.kind {
            WatchErrorKind::Forbidden => {
                let user = user(&self.message);
                let place = match namespace {
                    Some(name) if resource == Resource::Namespaces => {
                        format!("resourceNames [\"{name}\"]")
                    }
                    _ => place,
                };
                let who = user.map_or("this process".to_owned(), |user| user.to_string());
                let effect = match Resource::OF_DIRECTORY.contains(&resource) {
                    true => format!("Spans are named without {what}"),
                    false => format!("Attributes that come from {what} are missing"),
                };
                format!(
                    "kubernetes: {who} may not {verb} {what}: the missing rule is apiGroups \
                     [\"{group}\"], resources [\"{what}\"], verbs [\"list\", \"watch\"], {place}. \
                     {effect} until it is there; trying again within a minute. To grant it: {}",
                    grant(resource, namespace, user),
                    group = resource.group()
                )
            }
            WatchErrorKind::Unauthorized => format!(
                "kubernetes: the API server does not accept the credentials when asked to {verb} \
                 {what} {place}: {}. Check the service account's token or the kubeconfig; trying \
                 again",
                self.said()
            ),
            WatchErrorKind::TooMany => format!("kubernetes: {}", self.message),
            _ => format!(
                "kubernetes: cannot {verb} {what} {place}: {}. Spans are named by what was known \
                 before; trying again",
                self.said()
            ),
        }
    }
}

/// Returns the words of an error with its causes: the outermost of a connection's says
/// nothing.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// Whom the API server takes us for.
#[derive(Clone, Copy)]
enum User<'a> {
    ServiceAccount { namespace: &'a str, name: &'a str },
    Other(&'a str),
}

impl std::fmt::Display for User<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ServiceAccount { namespace, name } => {
                write!(f, "service account {namespace}/{name}")
            }
            Self::Other(name) => write!(f, "user \"{name}\""),
        }
    }
}

/// Returns the user in `pods is forbidden: User "…" cannot list resource …`.
fn user(message: &str) -> Option<User<'_>> {
    let (_, rest) = message.split_once("User \"")?;
    let (user, _) = rest.split_once('"')?;
    let account = user.strip_prefix("system:serviceaccount:");
    Some(match account.and_then(|account| account.split_once(':')) {
        Some((namespace, name)) => User::ServiceAccount { namespace, name },
        None => User::Other(user),
    })
}

/// Returns the option that names whom a rule is given to.
fn subject(user: Option<User<'_>>) -> String {
    match user {
        Some(User::ServiceAccount { namespace, name }) => {
            format!("--serviceaccount={namespace}:{name}")
        }
        Some(User::Other(name)) => format!("--user='{name}'"),
        None => "--serviceaccount=NAMESPACE:NAME".to_owned(),
    }
}

/// Returns the option that names whom a rule is given to, of a refusal's own words.
pub(crate) fn subject_of(refusal: &str) -> String {
    subject(user(refusal))
}

/// Returns the commands that permit reading one object; `message` is the refusal.
pub(crate) fn grant_one(resource: Resource, object: &ObjectName, message: &str) -> String {
    let (what, subject) = (resource.plural(), subject(user(message)));
    let (space, own) = (&object.namespace, &object.name);
    let kind = resource.qualified();
    let name = format!("wayspan-{what}-{own}");
    format!(
        "kubectl -n {space} create role {name} --verb=list,watch --resource={kind} \
         --resource-name={own} && kubectl -n {space} create rolebinding {name} --role={name} {subject}"
    )
}

/// Returns the commands that give the rule.
fn grant(resource: Resource, namespace: Option<&str>, user: Option<User<'_>>) -> String {
    let what = resource.plural();
    let subject = subject(user);
    let name = format!("wayspan-{what}");
    let verbs = format!("--verb=list,watch --resource={}", resource.qualified());
    match namespace {
        // Namespaces lie in no namespace: a Role cannot name them.
        Some(namespace) if resource == Resource::Namespaces => format!(
            "kubectl create clusterrole {name}-{namespace} {verbs} --resource-name={namespace} && \
             kubectl create clusterrolebinding {name}-{namespace} \
             --clusterrole={name}-{namespace} {subject}"
        ),
        Some(namespace) if resource.is_namespaced() => format!(
            "kubectl -n {namespace} create role {name} {verbs} && kubectl -n {namespace} create \
             rolebinding {name} --role={name} {subject}"
        ),
        _ => format!(
            "kubectl create clusterrole {name} {verbs} && kubectl create clusterrolebinding \
             {name} --clusterrole={name} {subject}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_rule_is_named_with_its_remedy() {
        let message = "pods is forbidden: User \"system:serviceaccount:istio-system:wayspan\" \
                       cannot list resource \"pods\" in API group \"\" at the cluster scope";
        let trouble = WatchError::new(WatchErrorKind::Forbidden, Verb::List, message);
        let line = trouble.line(Resource::Pods, None);
        for part in [
            "service account istio-system/wayspan may not list pods",
            "apiGroups [\"\"], resources [\"pods\"], verbs [\"list\", \"watch\"], cluster-wide",
            "kubectl create clusterrole wayspan-pods --verb=list,watch --resource=pods",
            "--serviceaccount=istio-system:wayspan",
        ] {
            assert!(line.contains(part), "{part}\n{line}");
        }
        let trouble = WatchError::new(
            WatchErrorKind::Forbidden,
            Verb::Watch,
            "User \"ann\" cannot",
        );
        let line = trouble.line(Resource::Services, Some("shop"));
        for part in [
            "user \"ann\" may not watch services",
            "in namespace shop",
            "kubectl -n shop create rolebinding wayspan-services --role=wayspan-services \
             --user='ann'",
        ] {
            assert!(line.contains(part), "{part}\n{line}");
        }
        let line = WatchError::new(WatchErrorKind::Forbidden, Verb::List, "no")
            .line(Resource::Namespaces, Some("shop"));
        assert!(
            line.contains("clusterrole wayspan-namespaces-shop"),
            "{line}"
        );
    }
}
