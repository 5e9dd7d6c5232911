//! Where does a payload come from: the command line, a file, or standard input?

use std::io::{IsTerminal, Read};

use anyhow::Context;

use super::outcome::Usage;

/// Larger than any request may be.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The text behind `JSON`, `@FILE` or `-`.
pub fn text(given: &str) -> anyhow::Result<String> {
    match (given, given.strip_prefix('@')) {
        ("-", _) => from_stdin(),
        (_, Some(path)) => {
            let file = std::fs::File::open(path).with_context(|| format!("could not read `{path}`"))?;
            read(file).with_context(|| format!("could not read `{path}`"))
        }
        (given, None) => Ok(given.to_owned()),
    }
}

/// The same, which must be JSON.
pub fn json(given: &str) -> anyhow::Result<String> {
    let text = text(given)?;
    let read = serde_json::from_str::<serde::de::IgnoredAny>(&text);
    read.map_err(|error| Usage(format!("the payload is not JSON: {error}\n  hint: quote it for your shell: --payload '{{\"n\":1}}'")))?;
    Ok(text)
}

fn from_stdin() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return Err(Usage("standard input is a terminal: pipe the text in, or name a file with @FILE".to_owned()).into());
    }
    read(std::io::stdin()).context("could not read standard input")
}

fn read(from: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    from.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    anyhow::ensure!(text.len() as u64 <= BYTES_MAX, "it is larger than {} MiB", BYTES_MAX / 1024 / 1024);
    Ok(text)
}
