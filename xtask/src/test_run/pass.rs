//! How is one part of a run carried out? Its commands run one after the other, each passed on, counted, and ended when it goes quiet.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::listing::Binary;
use super::scratch::Scratch;
use super::skips::{self, Skip};
use super::stream;
use super::tally::Tally;
use crate::child_group::ChildGroup;
use crate::python;
use crate::services::Services;
use crate::workspace;

/// Says to tests which type of queues a run is about.
const QUEUE_TYPE: &str = "TEST_BROKER_QUEUE_TYPE";

/// What the tests of all parts are told of, and where they put their files.
pub struct Surroundings {
    pub services: Option<Services>,
    pub python: Option<PathBuf>,
    pub classic: bool,
    directory: PathBuf,
    scratch: Option<Scratch>,
}

/// A part of a run that has ended.
#[derive(Debug, Default)]
pub struct Ended {
    pub name: String,
    /// Names the part in lines about its tests, where the same tests run in other parts as well.
    pub label: Option<String>,
    pub tally: Tally,
    pub skips: Vec<Skip>,
    /// Whether its commands succeeded.
    pub succeeded: bool,
    pub took: Duration,
    /// Why it is bad although perhaps nothing failed.
    pub problems: Vec<String>,
}

/// A command of a part.
pub struct Step {
    command: Command,
    /// For a command that does not say which binary it runs.
    heading: Option<String>,
}

impl Step {
    pub fn cargo(arguments: Vec<String>) -> Self {
        let mut command = workspace::cargo();
        command.args(arguments);
        Self { command, heading: None }
    }

    /// A binary that is built already, as cargo would run it.
    pub fn binary(binary: &Binary, arguments: &[&str]) -> Self {
        let mut command = Command::new(&binary.executable);
        command.args(arguments).current_dir(&binary.directory).env("CARGO_MANIFEST_DIR", &binary.directory);
        let heading = format!("     Running {} ({})", arguments.join(" "), binary.executable.display());
        Self { command, heading: Some(heading) }
    }
}

impl Surroundings {
    pub fn new(services: Option<Services>, python: Option<PathBuf>, classic: bool) -> Result<Self> {
        let directory = workspace::root().join("target/xtask");
        std::fs::create_dir_all(&directory).with_context(|| format!("could not create `{}`", directory.display()))?;
        let scratch = Scratch::create(&directory)?;
        Ok(Self { services, python, classic, directory, scratch })
    }

    /// Runs a part with so many threads in each binary, unless a person has said how many. `adjust` comes last.
    pub fn run(&self, name: &str, steps: Vec<Step>, threads: usize, adjust: impl Fn(&mut Command)) -> Result<Ended> {
        let began = Instant::now();
        let skips_file = SkipsFile::create(&self.directory)?;
        let mut ended = Ended { name: name.to_owned(), succeeded: true, ..Ended::default() };
        for mut step in steps {
            self.prepare(&mut step.command, &skips_file, threads);
            adjust(&mut step.command);
            let (tally, succeeded) = carry_out(step)?;
            ended.succeeded &= succeeded;
            ended.tally.extend(tally);
        }
        ended.skips = skips_file.read()?;
        ended.took = began.elapsed();
        Ok(ended)
    }

    fn prepare(&self, command: &mut Command, skips_file: &SkipsFile, threads: usize) {
        // Colours would have to be taken out again before reading the lines.
        command.env("CARGO_TERM_COLOR", "never").env("FLOTILLA_SKIPS", &skips_file.0);
        command.envs(self.scratch.iter().map(|scratch| ("TMPDIR", scratch.path())));
        if workspace::variable("RUST_TEST_THREADS").is_none() {
            command.env("RUST_TEST_THREADS", threads.to_string());
        }
        if let Some(services) = &self.services {
            services.tell(command);
            command.env_remove(QUEUE_TYPE);
        }
        if self.classic {
            with_classic_queues(command);
        }
        // What a person has set is not the one with the packages.
        command.env_remove(python::VARIABLE).envs(self.python.iter().map(|python| (python::VARIABLE, python)));
    }
}

pub fn with_classic_queues(command: &mut Command) {
    command.env(QUEUE_TYPE, "classic");
}

fn carry_out(step: Step) -> Result<(Tally, bool)> {
    let mut command = step.command;
    // One pipe for both outputs keeps cargo's `Running …` lines in order with those of the tests.
    let (output, mut input) = std::io::pipe()?;
    if let Some(heading) = step.heading {
        writeln!(input, "{heading}")?;
    }
    command.stdout(input.try_clone()?).stderr(input);
    let group = ChildGroup::spawn(&mut command)?;
    // The command holds our copy of the writing end; the reader would wait for it forever.
    drop(command);
    let leash = group.leash();
    let waiting = std::thread::spawn(move || group.wait());
    let tally = stream::stream(output, std::io::stdout(), stream::QUIET_MAX, &leash)?;
    let status = waiting.join().map_err(|_| anyhow::anyhow!("the thread that waits for the tests panicked"))??;
    Ok((tally, status.success()))
}

/// The file that tests append their skips to; each part of each run has its own, and takes it away again.
struct SkipsFile(PathBuf);

impl SkipsFile {
    fn create(directory: &Path) -> Result<Self> {
        let path = directory.join(format!("skips-{}.jsonl", std::process::id()));
        std::fs::write(&path, "").with_context(|| format!("could not write `{}`", path.display()))?;
        Ok(Self(path))
    }

    fn read(&self) -> Result<Vec<Skip>> {
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
