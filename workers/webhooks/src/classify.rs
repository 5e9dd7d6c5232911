//! What a receiver's answer means for the job. Pure: the clock is an argument.

use domain::{Failure, Timestamp};

use crate::retry_after::wait_of;

/// The receiver will never want anything again: its endpoint is disabled.
pub const GONE: &str = "endpoint_gone";

/// Success is 2xx and nothing else (Standard Webhooks).
pub fn of_status(status: u16, retry_after: Option<&str>, now: Timestamp) -> Result<(), Failure> {
    let wait = retry_after.and_then(|header| wait_of(header, now));
    let answered = format!("the receiver answered {status}");
    let code = format!("http_{status}");
    match status {
        200..=299 => Ok(()),
        // Not followed: it may lead where the guard would not. Not permanent: a moved or half-deployed receiver often
        // redirects for a while (to a login page, to its new host), and giving up at once would lose the webhook.
        300..=399 => Err(Failure::transient("redirect_refused", format!("{answered}, a redirect, which is not followed"))
            .with_hint("register the URL that finally answers")),
        410 => Err(Failure::permanent(GONE, format!("{answered}: it is gone for good"))),
        429 => Err(match wait {
            Some(wait) => Failure::rate_limited(now + wait, code, answered),
            None => Failure::transient(code, answered),
        }),
        408 | 425 | 500..=599 => Err(not_before(Failure::transient(code, answered), wait.map(|wait| now + wait))),
        400..=499 => Err(Failure::permanent(code, answered)
            .with_hint("the receiver refuses this request; correct it or the receiver, then retry the job")),
        _ => Err(Failure::transient(code, format!("{answered}, which is no answer of HTTP"))),
    }
}

fn not_before(failure: Failure, at: Option<Timestamp>) -> Failure {
    match at {
        Some(at) => failure.not_before(at),
        None => failure,
    }
}
