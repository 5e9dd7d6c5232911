//! The soak as a program: `cargo xtask soak` builds it with the roles that it breaks, and runs it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to whoever started it")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use chaos::soak::{Ending, HELP, Options};
use tokio::runtime::Builder;

/// From where it is started: the root of the workspace.
const RESULTS: &str = "target/soak";

/// What is still being started or stopped when everything else has ended is not waited for longer: servers end with us.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match Options::read(&arguments) {
        Ok(options) => soak(options).code(),
        Err(why) => {
            eprintln!("error: {why}\n\n{HELP}");
            Ending::Untried.code()
        }
    }
}

fn soak(options: Options) -> Ending {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    let ending = runtime.block_on(chaos::soak::run(options, Path::new(RESULTS)));
    runtime.shutdown_timeout(ENDS_WITHIN);
    ending
}
