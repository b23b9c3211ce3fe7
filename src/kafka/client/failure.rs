/*! What a failure of the library means. */

use krafka::{KrafkaError, error::ErrorCode};

/// What to do about a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Try again: it may pass by itself.
    Passing,
    /// Try again once someone has changed a setting, here or in the cluster.
    Misconfigured,
    /// Send less in one record.
    TooLarge,
    /// The record will never be taken.
    Refused,
    /// The partition is not there: ask again how many there are.
    NoPartition,
}

/// Why a record was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// What happened, and what to do about it where that is known.
    pub(crate) cause: String,
    /// The client will not work again: another has to take its place.
    pub(crate) ends_client: bool,
}

impl Failure {
    /// A setting that someone has to change.
    pub(crate) fn misconfigured(cause: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Misconfigured,
            cause: cause.into(),
            ends_client: false,
        }
    }
}

impl From<KrafkaError> for Failure {
    fn from(error: KrafkaError) -> Self {
        let (kind, advice) = judge(&error);
        let cause = match advice {
            "" => error.to_string(),
            advice => format!("{error}: {advice}"),
        };
        let cause = cause.replace(|c: char| c.is_control(), " ");
        Self {
            kind,
            cause,
            ends_client: error.is_fatal(),
        }
    }
}

/// What an error means, and what to do about it. What is not known is taken to pass: a record is
/// not given up for an error of a broker to come.
fn judge(error: &KrafkaError) -> (FailureKind, &'static str) {
    use FailureKind::{Misconfigured, NoPartition, Passing, Refused, TooLarge};
    const RIGHTS: &str = "the cluster's ACLs do not let this user do it";
    const SIGN_IN: &str = "check auth.sasl and tls, and which listener the brokers' port is";
    match error {
        KrafkaError::Auth { .. } => (Misconfigured, SIGN_IN),
        KrafkaError::Config { .. } => (Misconfigured, ""),
        KrafkaError::UnknownTopic { .. } => (
            Misconfigured,
            "make the topic, or let the cluster make topics (auto.create.topics.enable)",
        ),
        KrafkaError::Broker { code, .. } => match code {
            ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => (TooLarge, ""),
            ErrorCode::InvalidRecord | ErrorCode::InvalidTimestamp => (Refused, ""),
            ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => (NoPartition, ""),
            ErrorCode::TopicAuthorizationFailed
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::ClusterAuthorizationFailed => (Misconfigured, RIGHTS),
            ErrorCode::SaslAuthenticationFailed
            | ErrorCode::UnsupportedSaslMechanism
            | ErrorCode::IllegalSaslState
            | ErrorCode::SecurityDisabled => (Misconfigured, SIGN_IN),
            ErrorCode::InvalidTopic
            | ErrorCode::InvalidRequiredAcks
            | ErrorCode::PolicyViolation
            | ErrorCode::UnsupportedCompressionType
            | ErrorCode::InvalidSessionTimeout
            | ErrorCode::InvalidGroupId => (Misconfigured, ""),
            _ => (Passing, ""),
        },
        _ => (Passing, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_to_do_about_the_record() {
        let broker = |code| KrafkaError::broker(code, "m");
        for (error, kind) in [
            (broker(ErrorCode::MessageTooLarge), FailureKind::TooLarge),
            (broker(ErrorCode::NotEnoughReplicas), FailureKind::Passing),
            (
                broker(ErrorCode::KafkaStorageException),
                FailureKind::Passing,
            ),
            (
                broker(ErrorCode::TopicAuthorizationFailed),
                FailureKind::Misconfigured,
            ),
            (
                broker(ErrorCode::SaslAuthenticationFailed),
                FailureKind::Misconfigured,
            ),
            (broker(ErrorCode::InvalidRecord), FailureKind::Refused),
            (
                broker(ErrorCode::UnknownTopicOrPartition),
                FailureKind::NoPartition,
            ),
            (broker(ErrorCode::UnknownServerError), FailureKind::Passing),
            (KrafkaError::auth("no"), FailureKind::Misconfigured),
            (KrafkaError::timeout("produce"), FailureKind::Passing),
            (
                KrafkaError::delivery_timeout(true, "m"),
                FailureKind::Passing,
            ),
            (KrafkaError::unknown_topic("t"), FailureKind::Misconfigured),
        ] {
            assert_eq!(Failure::from(error.clone()).kind, kind, "{error:?}");
        }
    }

    #[test]
    fn a_cause_is_one_line() {
        let failure = Failure::from(KrafkaError::auth("a\nb"));
        assert!(failure.cause.contains("a b"), "{failure}");
        assert!(failure.ends_client);
    }
}
