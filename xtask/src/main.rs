//! What does this project automate? `cargo xtask <command>` runs one of the commands of [`HELP`].
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks on standard output")]

mod bench;
mod child_group;
mod pages;
mod python;
mod services;
mod soak;
mod test_run;
mod tidy;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask <command> [arguments]

Commands:
  test [options] [-- <arguments>]
                                Builds and runs the whole test suite, or what the arguments of `cargo test` select,
                                and ends with the line `N passed, N failed, N skipped`. Ten minutes of silence end it.
                                Meanwhile it starts the PostgreSQL, RabbitMQ and Redis that these tests need, fresh ones,
                                thrown away at the end. For tests that run Python it has its packages ready below `target/python`.
                                The fleet under faults is a tier of its own, after everything else; a run without arguments then
                                tries the broker's contract, restart and loss of data on other versions of RabbitMQ.
                                Options: --no-services        start none: tests use what TEST_* name
                                         --no-faults          leave the tier of faults out
                                         --rabbitmq <version> run on 3.10, 4.0 or 4.3 instead of the system's
                                         --classic            with classic queues
                                Examples: cargo xtask test -- -p producer
                                          cargo xtask test --rabbitmq 4.3 -- -p chaos wiped_broker
                                          cargo xtask test -- retry -- --nocapture
  services up [--rabbitmq <version>]
                                Starts a private PostgreSQL, RabbitMQ and Redis on free ports of 127.0.0.1, below `target`,
                                or finds them running, and prints their URLs; `. target/services/env` sets them.
                                What is not installed is installed (Debian, as root), or it says what to install. Another version
                                of RabbitMQ than the system's (3.10, 4.0, 4.3) is laid out in a folder of its own.
  services down [--wipe]        Stops them. Their data stays for the next `up`, unless it is wiped.
  tidy                          Checks the house rules that the compiler cannot check (docs/STYLE.md).
  gen                           Writes what of the documents is made of the code: settings, metrics, fields of log lines, the command line.
  bench core [embedded|distributed] [-- <arguments>]
                                Measures both engines, or one: builds the benchmark and the roles in the release profile, starts
                                fresh servers for the distributed engine, and prints figures beside their targets (raw ones go
                                to `target/bench`). Arguments: --quick, --rounds N, --pick-up (that alone), --no-build. docs/benchmarks.md says what is measured.
  soak [--release] [<arguments>]
                                Builds the programs and lets `chaos-soak` break a fleet for as long as it is told to:
                                --minutes N --seed S. docs/reliability.md says what it looks for.
  help                          Prints this text.

Environment of `test`:
  FLOTILLA_REQUIRE=a,b          Resources, like `postgres`, whose absence fails the run instead of skipping tests;
                                `all` means every one of them.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = args.split_first().map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    let asks_for_help = rest.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--help" || arg == "-h");
    let ended = match command {
        "help" | "--help" | "-h" => Ok(help()),
        _ if asks_for_help => Ok(help()),
        "test" => test_run::run(rest),
        "services" => services::run(rest),
        "tidy" => tidy::run(rest),
        "gen" => pages::run(rest),
        "bench" => bench::run(rest),
        "soak" => soak::run(rest),
        unknown => Err(anyhow::anyhow!("there is no command `{unknown}`; `cargo xtask help` lists them")),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn help() -> ExitCode {
    println!("{HELP}");
    ExitCode::SUCCESS
}
