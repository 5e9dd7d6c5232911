//! Do tests get the servers they ask for, and do these die with them?

mod broken;
mod of_the_run;

use std::time::Duration;

/// A private broker takes a while on a busy machine.
const LONG: Duration = Duration::from_secs(60);
