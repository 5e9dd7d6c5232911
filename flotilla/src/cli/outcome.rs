//! How a command ended, as a sentence for people and an exit code that scripts can use.

use std::fmt::Write as _;
use std::process::ExitCode;

use bootstrap::EngineError;
use flotilla_client::{Error, Problem};

use super::say;
use crate::CredentialsError;

/// A command ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It ran, but what it was about did not end well: a watched job died, a check failed.
    NotWell,
    /// There is nothing yet; there may be later.
    NotYet,
}

/// The command line is not wrong, but it lacks something that only now is known to be needed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

const NOT_WELL: u8 = 1;
const USAGE: u8 = 2;
const REFUSED: u8 = 3;
const LATER: u8 = 4;

/// A job's end that is not a success, said by the server as a refusal to show its result.
const ENDED_OTHERWISE: [&str; 3] = ["job_dead", "job_cancelled", "job_expired"];

/// Says what went wrong, if anything, and picks the code.
pub fn exit_code(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NotWell) => ExitCode::from(NOT_WELL),
        Ok(Outcome::NotYet) => ExitCode::from(LATER),
        Err(error) => {
            say::error(&sentence(&error));
            ExitCode::from(code_of(&error))
        }
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<EngineError>().is_some_and(EngineError::is_of_the_moment) {
        return LATER;
    }
    if error.is::<Usage>() {
        return USAGE;
    }
    if let Some(missing) = error.downcast_ref::<CredentialsError>() {
        return if matches!(missing, CredentialsError::Half) { USAGE } else { LATER };
    }
    match error.downcast_ref::<Error>() {
        Some(Error::Unusable { .. }) => USAGE,
        Some(error) if error.code().is_some_and(|code| ENDED_OTHERWISE.contains(&code)) => NOT_WELL,
        Some(error) if error.is_temporary() => LATER,
        Some(_) => REFUSED,
        None => NOT_WELL,
    }
}

/// What happened, what to do, and by which the server's log knows it.
fn sentence(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error::Problem(problem)) => of_problem(problem),
        Some(unreachable @ Error::Unreachable { .. }) => {
            format!("{unreachable}\n  hint: is `flotilla up` running there? `flotilla doctor` looks closer")
        }
        Some(stranger @ Error::Unexpected { .. }) => {
            format!("{stranger}\n  hint: is this the address of a fleet's API? See FLOTILLA_URL")
        }
        _ => format!("{error:#}"),
    }
}

fn of_problem(problem: &Problem) -> String {
    let mut text = if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() };
    // One fault is told by the sentence already.
    let more = if problem.errors.len() > 1 { problem.errors.as_slice() } else { &[] };
    for invalid in more {
        let _ = write!(text, "\n  {}: {}", invalid.pointer, invalid.message);
    }
    if let Some(hint) = &problem.hint {
        let _ = write!(text, "\n  hint: {hint}");
    }
    if let Some(wait) = &problem.retry_after {
        let _ = write!(text, "\n  again after: {} s", wait.as_secs());
    }
    let _ = write!(text, "\n  code: {} (request {})", problem.code, problem.request_id);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, code: &str) -> anyhow::Error {
        let body = serde_json::json!({
            "status": status, "code": code, "detail": "two things", "hint": "mend them", "request_id": "r-1",
            "errors": [{ "pointer": "/a", "message": "is missing" }, { "pointer": "/b", "message": "is odd" }],
        });
        Error::Problem(Box::new(serde_json::from_value(body).expect("a problem"))).into()
    }

    #[test]
    fn a_refusal_is_told_with_what_to_do() {
        let said = sentence(&problem(422, "invalid_job"));
        assert_eq!(said, "two things\n  /a: is missing\n  /b: is odd\n  hint: mend them\n  code: invalid_job (request r-1)");
    }

    #[test]
    fn each_sort_of_failure_has_its_code() {
        let away = Error::Unreachable { url: "http://x".to_owned(), why: "refused".to_owned() };
        assert!(sentence(&away.clone().into()).contains("flotilla up"));
        let rows: [(anyhow::Error, u8); 9] = [
            (CredentialsError::Half.into(), 2),
            (anyhow::anyhow!("a file is missing"), 1),
            (problem(409, "job_dead"), 1),
            (Usage("say --yes".to_owned()).into(), 2),
            (problem(404, "not_found"), 3),
            (problem(422, "invalid_job"), 3),
            (problem(429, "rate_limited"), 4),
            (problem(503, "store_unavailable"), 4),
            (away.into(), 4),
        ];
        for (error, code) in rows {
            assert_eq!(code_of(&error), code, "{error:#}");
        }
    }
}
