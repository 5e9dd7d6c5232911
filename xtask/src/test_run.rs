//! Does the product work? Builds all tests once, runs them all, and counts what passed, failed and was skipped.
//!
//! A test that cannot run is skipped, never passed: it says so through `testkit::skip!`, which appends to the
//! file named by `FLOTILLA_SKIPS`. A run that goes quiet is ended and has failed. The last line on standard output is always `N passed, N failed, N skipped`.

mod arguments;
mod listing;
mod pass;
mod report;
mod scratch;
mod skips;
mod stream;
mod tally;
mod tiers;
mod versions;

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::child_group::ChildGroup;
use crate::python::Preparing;
use crate::services::{self, Services, Starting, Wish};
use crate::workspace;
use arguments::Arguments;
use listing::Binaries;
use pass::Surroundings;
use report::{Report, Run};
use versions::LayingOut;

/// Builds, runs, reports.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let arguments = Arguments::read(args)?;
    let packages = arguments.packages();
    let wish = || Wish { resources: services::wanted(packages.as_deref()), rabbitmq: arguments.rabbitmq() };
    let starting = arguments.starts_services().then(|| Starting::of(wish()));
    let preparing = Preparing::of(packages.as_deref());
    let laying_out = arguments.is_whole().then(LayingOut::begin);
    let binaries = build(&arguments)?;
    let services = starting.map(Starting::wait).transpose()?;
    let (python, complaint) = match preparing.map(Preparing::wait).transpose() {
        Ok(python) => (python, None),
        Err(complaint) => (None, Some(complaint)),
    };
    services.iter().flat_map(Services::started).for_each(|line| println!("started {line}"));
    let surroundings = Surroundings::new(services, python, arguments.is_classic())?;
    let report = match &binaries {
        Some(binaries) => execute(&arguments, binaries, &surroundings, laying_out)?,
        None => Report::of_failed_build(),
    };
    let complaints = surroundings.services.iter().flat_map(Services::complaints).chain(&complaint);
    complaints.for_each(|complaint| println!("note: {complaint}"));
    left_out(&arguments).for_each(|sentence| println!("note: {sentence}"));
    drop(surroundings);
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

fn execute(arguments: &Arguments, binaries: &Binaries, surroundings: &Surroundings, laying_out: Option<LayingOut>) -> Result<Report> {
    let mut parts = tiers::run(arguments, binaries, surroundings)?;
    if let Some(laying_out) = laying_out {
        parts.extend(versions::run(laying_out, binaries, surroundings)?);
    }
    let required = skips::required(workspace::variable("FLOTILLA_REQUIRE").as_deref());
    Ok(Report::new(&Run { parts, required }, binaries))
}

/// What a person might take for having passed.
fn left_out(arguments: &Arguments) -> impl Iterator<Item = &'static str> {
    let faults = arguments.leaves_out_faults().then_some("the tier of faults was not run (`--no-faults`)");
    let whole = arguments.packages().is_none() && !arguments.is_whole();
    faults.into_iter().chain(whole.then_some("other versions of RabbitMQ were not tried: only a run without arguments does that"))
}
