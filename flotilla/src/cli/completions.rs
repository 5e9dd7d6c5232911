//! `flotilla completions`: what a shell needs to complete commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Outcome, say};

/// Print what a shell needs to complete commands.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flotilla completions bash > ~/.local/share/bash-completion/completions/flotilla
  flotilla completions zsh > \"${fpath[1]}/_flotilla\"
  flotilla completions fish > ~/.config/fish/completions/flotilla.fish")]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> anyhow::Result<Outcome> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "flotilla", &mut script);
        say::line(String::from_utf8(script)?.trim_end());
        Ok(Outcome::Done)
    }
}
