//! Parses the command line and runs the command.

use std::process::ExitCode;

use clap::Parser;
use flotilla::cli::{Cli, exit_code};

fn main() -> ExitCode {
    exit_code(Cli::parse().run())
}
