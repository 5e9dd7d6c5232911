//! Does the product work? Builds all tests once, runs them all, and counts what passed, failed and was skipped.
//!
//! A test that cannot run is skipped, never passed: it says so through `testkit::skip!`, which appends to the
//! file named by `FLOTILLA_SKIPS`. A run that goes quiet is ended and has failed. The last line on standard output is always `N passed, N failed, N skipped`.

mod arguments;
mod listing;
mod report;
mod scratch;
mod skips;
mod stream;
mod tally;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::child_group::ChildGroup;
use crate::python::{self, Preparing};
use crate::services::{self, Services, Starting};
use crate::workspace;
use arguments::Arguments;
use listing::Binaries;
use report::{Report, Run};
use scratch::Scratch;

/// Builds, runs, reports.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let arguments = Arguments::read(args);
    let starting = arguments.starts_services().then(|| Starting::of(services::wanted(arguments.packages().as_deref())));
    let preparing = Preparing::of(arguments.packages().as_deref());
    let binaries = build(&arguments)?;
    let services = starting.map(Starting::wait).transpose()?;
    let (python, complaint) = match preparing.map(Preparing::wait).transpose() {
        Ok(python) => (python, None),
        Err(complaint) => (None, Some(complaint)),
    };
    services.iter().flat_map(Services::started).for_each(|line| println!("started {line}"));
    let surroundings = Surroundings { services: services.as_ref(), python: python.as_deref() };
    let report = match binaries {
        Some(binaries) => execute(&arguments, &binaries, &surroundings)?,
        None => Report::of_failed_build(),
    };
    services.iter().flat_map(Services::complaints).chain(&complaint).for_each(|complaint| println!("note: {complaint}"));
    drop(services);
    println!("{report}");
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds every test; `None` when something does not compile, which cargo has explained by then.
fn build(arguments: &Arguments) -> Result<Option<Binaries>> {
    println!("building the tests");
    let mut command = workspace::cargo();
    command.args(arguments.build()).stdout(Stdio::piped());
    let mut group = ChildGroup::spawn(&mut command)?;
    let stdout = group.take_stdout().context("cargo has no output to read")?;
    let binaries = Binaries::read(BufReader::new(stdout).lines().map_while(Result::ok));
    Ok(group.wait()?.success().then_some(binaries))
}

/// What the tests are told of, besides each other's skips.
struct Surroundings<'a> {
    services: Option<&'a Services>,
    python: Option<&'a Path>,
}

impl Surroundings<'_> {
    fn tell(&self, command: &mut Command) {
        if let Some(services) = self.services {
            services.tell(command);
        }
        // What a person has set is not the one with the packages.
        command.env_remove(python::VARIABLE).envs(self.python.map(|python| (python::VARIABLE, python)));
    }
}

fn execute(arguments: &Arguments, binaries: &Binaries, surroundings: &Surroundings<'_>) -> Result<Report> {
    let directory = workspace::root().join("target/xtask");
    let (skips_file, scratch) = (SkipsFile::create(&directory)?, Scratch::create(&directory)?);
    let mut command = workspace::cargo();
    // Colours would have to be taken out again before reading the lines.
    command.args(arguments.run()).env("CARGO_TERM_COLOR", "never").env("FLOTILLA_SKIPS", &skips_file.0);
    if let Some(scratch) = &scratch {
        command.env("TMPDIR", scratch.path());
    }
    surroundings.tell(&mut command);
    if workspace::variable("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", test_threads().to_string());
    }
    // One pipe for both outputs keeps cargo's `Running …` lines in order with those of the tests.
    let (output, input) = std::io::pipe()?;
    command.stdout(input.try_clone()?).stderr(input);
    let group = ChildGroup::spawn(&mut command)?;
    // The command holds our copy of the writing end; the reader would wait for it forever.
    drop(command);
    let leash = group.leash();
    let waiting = std::thread::spawn(move || group.wait());
    let tally = stream::stream(output, std::io::stdout(), stream::QUIET_MAX, &leash)?;
    let status = waiting.join().map_err(|_| anyhow::anyhow!("the thread that waits for cargo panicked"))??;
    let run = Run {
        tally,
        skips: skips_file.read()?,
        required: skips::required(workspace::variable("FLOTILLA_REQUIRE").as_deref()),
        cargo_succeeded: status.success(),
    };
    Ok(Report::new(&run, binaries))
}

/// At least two, because with one thread libtest runs tests on `main` and a skip could not tell which test it is.
fn test_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

/// The file that tests append their skips to; each run has its own, and takes it away again.
struct SkipsFile(PathBuf);

impl SkipsFile {
    fn create(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory).with_context(|| format!("could not create `{}`", directory.display()))?;
        let path = directory.join(format!("skips-{}.jsonl", std::process::id()));
        std::fs::write(&path, "").with_context(|| format!("could not write `{}`", path.display()))?;
        Ok(Self(path))
    }

    fn read(&self) -> Result<Vec<skips::Skip>> {
        let path: &Path = &self.0;
        let text = std::fs::read_to_string(path).with_context(|| format!("could not read `{}`", path.display()))?;
        skips::parse(&text)
    }
}

impl Drop for SkipsFile {
    fn drop(&mut self) {
        // A file left behind harms nobody: a run that gets its name empties it first.
        drop(std::fs::remove_file(&self.0));
    }
}
