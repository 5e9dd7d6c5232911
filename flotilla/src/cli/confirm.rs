//! Is a person sure? Asked before much is changed at once.

use std::io::{BufRead, IsTerminal};

use super::outcome::Usage;
use super::say;

/// Leave to go on: given on the command line, or by a person at the terminal.
pub fn sure(what: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Usage(format!("{what}: nobody is there to confirm it\n  hint: repeat it with --yes if you are sure")).into());
    }
    say::aside(&format!("{what}. Go on? [y/N]"));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Usage("nothing was done".to_owned()).into()),
    }
}
