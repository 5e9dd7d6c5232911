//! docs/cli.md: a hand-written head, and what every `--help` says.

use std::fmt::Write as _;

use anyhow::Context;
use clap::{Command, CommandFactory};

use super::{Cli, Outcome, say};

/// The head ends here.
const MARK: &str = "<!-- From here on: the output of `flotilla reference`. -->";
const PAGE: &str = include_str!("../../../docs/cli.md");
/// Help is as wide as this, wherever it is printed.
const WIDTH_CHARS: usize = 120;

/// Prints the whole page: `flotilla reference > docs/cli.md`.
pub fn run() -> anyhow::Result<Outcome> {
    let (head, _) = PAGE.split_once(MARK).context("docs/cli.md has lost its mark")?;
    say::line(page(head).trim_end());
    Ok(Outcome::Done)
}

fn page(head: &str) -> String {
    let mut command = Cli::command().term_width(WIDTH_CHARS);
    command.build();
    let mut page = format!("{head}{MARK}\n");
    section(&mut command, "flotilla", &mut page);
    page
}

fn section(command: &mut Command, name: &str, page: &mut String) {
    let help = command.render_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing to text does not fail.
    let _ = write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        // What all commands have is said once, at the top.
        *inner = std::mem::take(inner).mut_args(|argument| {
            let is_everywhere = argument.is_global_set() || argument.get_id() == "help";
            argument.hide(is_everywhere)
        });
        section(inner, &format!("{name} {}", inner.get_name().to_owned()), page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_help_says() {
        let (head, _) = PAGE.split_once(MARK).expect("the mark");
        let fresh = page(head);
        let first = fresh.lines().zip(PAGE.lines()).find(|(fresh, page)| fresh != page);
        assert!(fresh == PAGE, "docs/cli.md is old; write it with `cargo run -p flotilla -- reference` (first difference: {first:?})");
    }

    fn check(command: &Command, name: &str, leaves: &mut usize) {
        assert!(command.get_about().is_some(), "`{name}` says nothing about itself");
        let mut inner = command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help").peekable();
        if inner.peek().is_none() {
            *leaves += 1;
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "`{name}` has no example");
            assert!(
                help.contains(&format!("flotilla {}", name.trim_start_matches("flotilla ").split(' ').next().unwrap_or_default())),
                "`{name}`: {help}"
            );
        }
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "`{name}`: `{}` says nothing about itself", argument.get_id());
        }
        inner.for_each(|inner| check(inner, &format!("{name} {}", inner.get_name()), leaves));
    }

    /// Every command and every argument says what it is for, and every command shows an example.
    #[test]
    fn everything_says_what_it_is_for() {
        let mut leaves = 0;
        let mut command = Cli::command();
        command.build();
        check(&command, "flotilla", &mut leaves);
        assert!(leaves >= 35, "{leaves}");
    }
}
