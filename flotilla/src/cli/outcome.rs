//! How a command ended, as an exit code that scripts can use.

use std::process::ExitCode;

use bootstrap::EngineError;

use super::say;
use crate::{ClientError, CredentialsError};

/// A command ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It ran, but what it was about did not end well: a watched job died, a check failed.
    NotWell,
}

const NOT_WELL: u8 = 1;
const REFUSED: u8 = 3;
const UNREACHABLE: u8 = 4;

/// Says what went wrong, if anything, and picks the code.
pub fn exit_code(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NotWell) => ExitCode::from(NOT_WELL),
        Err(error) => {
            say::error(&format!("{error:#}"));
            ExitCode::from(code_of(&error))
        }
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<EngineError>().is_some_and(EngineError::is_of_the_moment) {
        return UNREACHABLE;
    }
    match (error.downcast_ref::<ClientError>(), error.downcast_ref::<CredentialsError>()) {
        (Some(ClientError::Refused { .. } | ClientError::NotUnderstood { .. }), _) => REFUSED,
        (Some(ClientError::Unreachable { .. }), _) | (_, Some(_)) => UNREACHABLE,
        (None, None) => NOT_WELL,
    }
}
