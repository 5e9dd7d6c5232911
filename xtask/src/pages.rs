//! Which parts of the documents are made of the code? `cargo xtask gen` writes them; tests of the crates they come from say when they differ.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// A part of a page, between its mark and [`END`]: what an example of a crate prints.
struct Part {
    page: &'static str,
    name: &'static str,
    package: &'static str,
    example: &'static str,
}

const PARTS: [Part; 3] = [
    Part { page: "docs/configuration.md", name: "settings", package: "settings", example: "settings_reference" },
    Part { page: "docs/telemetry.md", name: "metrics", package: "telemetry", example: "telemetry_reference" },
    Part { page: "docs/telemetry.md", name: "fields", package: "telemetry", example: "telemetry_reference" },
];
/// Written as a whole by the program that it is about.
const COMMAND_LINE: &str = "docs/cli.md";
const END: &str = "<!-- end -->";

/// Writes all parts anew.
pub fn run(args: &[String]) -> Result<ExitCode> {
    if let Some(argument) = args.first() {
        bail!("`gen` takes no arguments, but was given `{argument}`");
    }
    for part in PARTS {
        let Part { page, name, package, example } = part;
        let text = read(page)?;
        let printed = printed(&["--package", package, "--example", example, "--", name])?;
        let written = with_part(&text, name, &printed).with_context(|| format!("`{page}` has no part `{name}`"))?;
        write(page, &text, &written)?;
    }
    write(COMMAND_LINE, &read(COMMAND_LINE)?, &printed(&["--package", "flotilla", "--bin", "flotilla", "--", "reference"])?)?;
    Ok(ExitCode::SUCCESS)
}

fn read(page: &str) -> Result<String> {
    std::fs::read_to_string(workspace::root().join(page)).with_context(|| format!("could not read `{page}`"))
}

fn write(page: &str, present: &str, fresh: &str) -> Result<()> {
    println!("{page} {}", if fresh == present { "is as it was" } else { "is new" });
    std::fs::write(workspace::root().join(page), fresh).with_context(|| format!("could not write `{page}`"))
}

/// What one of our programs prints.
fn printed(arguments: &[&str]) -> Result<String> {
    let mut command = workspace::cargo();
    command.args(["run", "--quiet"]).args(arguments);
    let output = command.stderr(std::process::Stdio::inherit()).output().context("could not start cargo")?;
    if !output.status.success() {
        bail!("`cargo run {}` failed", arguments.join(" "));
    }
    String::from_utf8(output.stdout).context("it printed something else than text")
}

/// The page with this part in place of the present one; `None` when it has no place for it.
fn with_part(page: &str, name: &str, part: &str) -> Option<String> {
    let mark = format!("<!-- made by `cargo xtask gen`: {name} -->\n");
    let (head, rest) = page.split_once(&mark)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{mark}{part}{END}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_and_nothing_else() {
        let page =
            "a\n<!-- made by `cargo xtask gen`: x -->\nold\n<!-- end -->\nb\n<!-- made by `cargo xtask gen`: y -->\ny\n<!-- end -->\n";
        let written = with_part(page, "x", "new\n").expect("it has the part");
        assert_eq!(written, page.replace("old", "new"));
        assert_eq!(with_part(page, "z", ""), None);
    }

    #[test]
    fn every_page_has_a_place_for_its_parts() {
        for Part { page, name, .. } in PARTS {
            let text = read(page).expect("it is there");
            assert!(with_part(&text, name, "").is_some(), "{page}: {name}");
        }
    }
}
