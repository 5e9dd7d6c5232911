//! A call to RabbitMQ that failed: what was being done, and why. Every call has a deadline.

use std::time::Duration;

use broker::BrokerError;
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use tokio::time::timeout;

/// How long the broker may take to answer one call.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// What a call that opens a connection does.
pub(crate) const CONNECTING: &str = "connecting";

/// A call that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("RabbitMQ failed while {doing}")]
pub(crate) struct CallError {
    pub doing: &'static str,
    #[source]
    pub why: Why,
}

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Why {
    #[error("no answer within {0:?}")]
    TooLong(Duration),
    #[error(transparent)]
    Client(#[from] lapin::Error),
    /// The broker speaks, but it took away what we had.
    #[error("{0}")]
    Ended(&'static str),
}

/// What a refusal by the broker is about, where it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    NotFound,
    /// It exists with other arguments.
    Different,
    /// This user may not.
    Forbidden,
}

impl CallError {
    pub fn ended(doing: &'static str, why: &'static str) -> Self {
        Self { doing, why: Why::Ended(why) }
    }

    pub fn refused(&self) -> Option<Refused> {
        let Why::Client(error) = &self.why else { return None };
        let ErrorKind::ProtocolError(error) = error.kind() else { return None };
        match error.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Some(Refused::NotFound),
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Some(Refused::Different),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Some(Refused::Forbidden),
            AMQPErrorKind::Soft(_) | AMQPErrorKind::Hard(_) => None,
        }
    }

    /// Whether the broker closed the whole connection over it; not when somebody told it to.
    pub fn breaks_the_line(&self) -> bool {
        let Why::Client(error) = &self.why else { return false };
        let ErrorKind::ProtocolError(error) = error.kind() else { return false };
        matches!(error.kind(), AMQPErrorKind::Hard(kind) if *kind != AMQPHardError::CONNECTIONFORCED)
    }

    /// Whether the broker gave the connection up because something of its own broke.
    pub fn is_the_brokers_own(&self) -> bool {
        let Why::Client(error) = &self.why else { return false };
        matches!(error.kind(), ErrorKind::ProtocolError(error) if matches!(error.kind(), AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR)))
    }

    /// Whether it ended the whole connection, for whatever reason.
    pub fn ends_the_line(&self) -> bool {
        let Why::Client(error) = &self.why else { return false };
        matches!(error.kind(), ErrorKind::ProtocolError(error) if matches!(error.kind(), AMQPErrorKind::Hard(_)))
    }
}

impl From<CallError> for BrokerError {
    fn from(error: CallError) -> Self {
        Self::Unavailable { doing: error.doing, source: Box::new(error.why) }
    }
}

/// One call, with its deadline.
pub(crate) async fn call<T>(doing: &'static str, answer: impl Future<Output = lapin::Result<T>>) -> Result<T, CallError> {
    call_within(CALL_TIMEOUT, doing, answer).await
}

pub(crate) async fn call_within<T>(
    deadline: Duration,
    doing: &'static str,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, CallError> {
    match timeout(deadline, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(CallError { doing, why: Why::Client(error) }),
        Err(_) => Err(CallError { doing, why: Why::TooLong(deadline) }),
    }
}
