//! `flotilla` is the one-process fleet as a library, and the operator's command line. It composes roles; it has no rules of its own.

pub mod cli;
mod credentials;
mod demo;
mod fleet;

pub use credentials::{Credentials, CredentialsError};
pub use fleet::{Down, Fleet, FleetOptions, start_logs};
pub use flotilla_client::{Client, Error as ClientError};
