/*!
What goes wrong with a watch, in words that say what to do.
*/

use super::{api, status::Kind};
use kube::core::Status as Answer;
use std::fmt::Write as _;

/// Kinds of errors, as metrics tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 403: a rule is missing.
    Forbidden,
    /// 401: the API server does not know who we are.
    Unauthorized,
    /// 410: what was to be continued is over; it is listed anew.
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

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 7] = [
        Reason::Forbidden,
        Reason::Unauthorized,
        Reason::Expired,
        Reason::Refused,
        Reason::Unreachable,
        Reason::Malformed,
        Reason::TooMany,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Forbidden => "forbidden",
            Reason::Unauthorized => "unauthorized",
            Reason::Expired => "expired",
            Reason::Refused => "refused",
            Reason::Unreachable => "unreachable",
            Reason::Malformed => "malformed",
            Reason::TooMany => "too_many",
        }
    }
}

/// What was asked of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
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

/// An error, told apart.
#[derive(Debug)]
pub struct Trouble {
    pub reason: Reason,
    pub verb: Verb,
    /// The API server's or the system's own words.
    message: String,
}

impl Trouble {
    pub fn new(reason: Reason, verb: Verb, message: impl Into<String>) -> Self {
        Self {
            reason,
            verb,
            message: message.into(),
        }
    }

    /// An answer with an error in it.
    pub fn answer(verb: Verb, answer: &Answer) -> Self {
        let reason = match answer.code {
            401 => Reason::Unauthorized,
            403 => Reason::Forbidden,
            410 => Reason::Expired,
            _ => Reason::Refused,
        };
        Self::new(
            reason,
            verb,
            format!("{} ({})", answer.message, answer.code),
        )
    }

    /// An error of a request.
    pub fn error(verb: Verb, error: &api::Error) -> Self {
        let reason = match error {
            api::Error::Client(kube::Error::Api(answer)) => return Self::answer(verb, answer),
            api::Error::TooLong(_) | api::Error::Malformed(_) => Reason::Malformed,
            _ => Reason::Unreachable,
        };
        Self::new(reason, verb, causes(error))
    }

    /// One line: what does not work, why, what is done meanwhile, what to do.
    pub fn line(&self, kind: Kind, namespace: Option<&str>) -> String {
        let (what, verb) = (kind.as_str(), self.verb.as_str());
        let place = match namespace {
            Some(namespace) => format!("in namespace {namespace}"),
            None => "cluster-wide".to_owned(),
        };
        match self.reason {
            Reason::Forbidden => {
                let user = user(&self.message);
                let place = match namespace {
                    Some(name) if kind == Kind::Namespaces => {
                        format!("resourceNames [\"{name}\"]")
                    }
                    _ => place,
                };
                let who = user.map_or("this process".to_owned(), |user| user.to_string());
                format!(
                    "kubernetes: {who} may not {verb} {what}: the missing rule is apiGroups \
                     [\"\"], resources [\"{what}\"], verbs [\"list\", \"watch\"], {place}. Spans \
                     are named without {what} until it is there; trying again within a minute. \
                     To grant it: {}",
                    grant(kind, namespace, user)
                )
            }
            Reason::Unauthorized => format!(
                "kubernetes: the API server does not accept the credentials when asked to {verb} \
                 {what} {place}: {}. Check the service account's token or the kubeconfig; trying \
                 again",
                self.message
            ),
            Reason::TooMany => format!("kubernetes: {}", self.message),
            _ => format!(
                "kubernetes: cannot {verb} {what} {place}: {}. Spans are named by what was known \
                 before; trying again",
                self.message
            ),
        }
    }
}

/// An error with its causes: the outermost of a connection's says nothing.
pub fn causes(error: &dyn std::error::Error) -> String {
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

/// The user in `pods is forbidden: User "…" cannot list resource …`.
fn user(message: &str) -> Option<User<'_>> {
    let (_, rest) = message.split_once("User \"")?;
    let (user, _) = rest.split_once('"')?;
    let account = user.strip_prefix("system:serviceaccount:");
    Some(match account.and_then(|account| account.split_once(':')) {
        Some((namespace, name)) => User::ServiceAccount { namespace, name },
        None => User::Other(user),
    })
}

/// The commands that give the rule.
fn grant(kind: Kind, namespace: Option<&str>, user: Option<User<'_>>) -> String {
    let what = kind.as_str();
    let subject = match user {
        Some(User::ServiceAccount { namespace, name }) => {
            format!("--serviceaccount={namespace}:{name}")
        }
        Some(User::Other(name)) => format!("--user='{name}'"),
        None => "--serviceaccount=NAMESPACE:NAME".to_owned(),
    };
    let name = format!("wayspan-{what}");
    let verbs = format!("--verb=list,watch --resource={what}");
    match namespace {
        // Namespaces lie in no namespace: a Role cannot name them.
        Some(namespace) if kind == Kind::Namespaces => format!(
            "kubectl create clusterrole {name}-{namespace} {verbs} --resource-name={namespace} && \
             kubectl create clusterrolebinding {name}-{namespace} \
             --clusterrole={name}-{namespace} {subject}"
        ),
        Some(namespace) => format!(
            "kubectl -n {namespace} create role {name} {verbs} && kubectl -n {namespace} create \
             rolebinding {name} --role={name} {subject}"
        ),
        None => format!(
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
        let trouble = Trouble::new(Reason::Forbidden, Verb::List, message);
        let line = trouble.line(Kind::Pods, None);
        for part in [
            "service account istio-system/wayspan may not list pods",
            "apiGroups [\"\"], resources [\"pods\"], verbs [\"list\", \"watch\"], cluster-wide",
            "kubectl create clusterrole wayspan-pods --verb=list,watch --resource=pods",
            "--serviceaccount=istio-system:wayspan",
        ] {
            assert!(line.contains(part), "{part}\n{line}");
        }
        let trouble = Trouble::new(Reason::Forbidden, Verb::Watch, "User \"ann\" cannot");
        let line = trouble.line(Kind::Services, Some("shop"));
        for part in [
            "user \"ann\" may not watch services",
            "in namespace shop",
            "kubectl -n shop create rolebinding wayspan-services --role=wayspan-services \
             --user='ann'",
        ] {
            assert!(line.contains(part), "{part}\n{line}");
        }
        let line =
            Trouble::new(Reason::Forbidden, Verb::List, "no").line(Kind::Namespaces, Some("shop"));
        assert!(
            line.contains("clusterrole wayspan-namespaces-shop"),
            "{line}"
        );
    }
}
