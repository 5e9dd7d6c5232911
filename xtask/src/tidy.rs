//! Does the checkout keep the house rules that no compiler checks? One file per rule; docs/STYLE.md says why.
//!
//! A rule is a pure function from files (or manifests, or packages) to violations. What is a violation today and
//! cannot be mended today is listed in `xtask/tidy-exceptions.txt`, a list that can only shrink.

mod checkout;
mod codes;
mod environment;
mod exceptions;
mod fields;
mod header;
mod invariants;
mod layers;
mod links;
mod machine_paths;
mod manifests;
mod names;
mod packages;
mod rust_text;
mod size;
mod sleeps;
mod sql;
mod words;
mod wrappers;

use std::fmt;
use std::process::ExitCode;

use anyhow::{Result, bail};

use checkout::File;
use packages::Package;

/// One place where one rule is not kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    pub path: String,
    pub line: usize,
    pub rule: &'static str,
    pub sentence: String,
}

impl Violation {
    pub fn new(path: &str, line: usize, rule: &'static str, sentence: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, sentence: sentence.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.sentence)
    }
}

/// Checks everything and prints every violation.
pub fn run(args: &[String]) -> Result<ExitCode> {
    if let Some(argument) = args.first() {
        bail!("`tidy` takes no arguments, but was given `{argument}`");
    }
    let files = checkout::files()?;
    let packages = packages::read()?;
    let violations = exceptions::apply(check(&files, &packages), &files);
    violations.iter().for_each(|violation| println!("{violation}"));
    size::notes(&files).into_iter().chain(invariants::notes(&files)).for_each(|note| println!("note: {note}"));
    println!("tidy: {} files, {} packages, {} violations", files.len(), packages.len(), violations.len());
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A rule over files.
type Rule = fn(&[File]) -> Vec<Violation>;

fn check(files: &[File], packages: &[Package]) -> Vec<Violation> {
    let of_files: [Rule; 13] = [
        codes::check,
        environment::check,
        fields::check,
        header::check,
        invariants::check,
        links::check,
        machine_paths::check,
        manifests::check,
        names::check,
        size::check,
        sleeps::check,
        sql::check,
        words::check,
    ];
    let mut violations: Vec<Violation> = of_files.iter().flat_map(|rule| rule(files)).collect();
    violations.extend(layers::check(packages));
    violations.extend(wrappers::check(packages));
    violations.sort();
    violations
}
