//! When shall a job be due? `run_at`, or `delay` from now on.

use domain::bounds::RUN_AT_AHEAD_MAX;
use domain::{Timestamp, format_duration, parse_duration};

use crate::form::Form;

/// The time that a form must name in one of the two ways. A time that has passed is fine: it means now.
pub fn due(form: &mut Form, now: Timestamp) -> Option<Timestamp> {
    let run_at: Option<Timestamp> = form.text("run_at", str::parse);
    let delay = form.text("delay", parse_duration);
    let (name, at) = match (run_at, delay) {
        (Some(_), Some(_)) => {
            form.fault("delay", "cannot be given together with `run_at`");
            return None;
        }
        (Some(at), None) => ("run_at", at),
        (None, Some(delay)) => ("delay", now + delay),
        (None, None) => {
            // What was given and could not be read has been said already.
            if !form.is_at_fault() {
                form.fault("run_at", "is required, unless there is a `delay`");
            }
            return None;
        }
    };
    if at > now + RUN_AT_AHEAD_MAX {
        form.fault(name, format!("must be at most {} ahead", format_duration(RUN_AT_AHEAD_MAX)));
    }
    Some(at)
}
