//! Who reads which setting: what the configuration page says, and what each program says of itself.

use std::collections::BTreeSet;

use settings::vars;

use crate::process::{Home, text};

/// The page says so of each setting, `--help` of each program; both come from a person.
#[test]
fn every_program_names_the_settings_that_the_page_says_it_reads() {
    for role in ["producer", "scheduler", "webhooks-worker"] {
        let help = Home::new().role_command(role).arg("--help").output().expect("starts");
        let help = text(&help.stdout);
        let named: BTreeSet<&str> =
            help.lines().map(str::trim).filter(|line| line.starts_with("FLOTILLA_") && !line.contains([' ', '='])).collect();
        let declared: BTreeSet<&str> = vars::ALL.iter().filter(|var| var.read_by.contains(&role)).map(|var| var.name).collect();
        assert_eq!(named, declared, "{role} --help (left) and the declarations of the settings (right) differ");
    }
}
