//! Rule `sql`: every statement and every migration is used exactly once, and starts by saying what it does.

use std::collections::BTreeMap;

use super::Violation;
use super::checkout::File;
use super::rust_text::{line_of, words};

const RULE: &str = "sql";
const INCLUDE: &str = "include_str!";

pub fn check(files: &[File]) -> Vec<Violation> {
    let mut uses: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for (target, line) in includes(file, files) {
            uses.entry(target).or_default().push((&file.path, line));
        }
    }
    files
        .iter()
        .filter(|file| is_ours(&file.path))
        .flat_map(|file| of_file(file, uses.get(&file.path).map_or(&[], Vec::as_slice)))
        .collect()
}

fn is_ours(path: &str) -> bool {
    path.ends_with(".sql") && (path.starts_with("migrations/") || path.split('/').rev().nth(1) == Some("queries"))
}

fn of_file(file: &File, uses: &[(&str, usize)]) -> Vec<Violation> {
    let mut violations = Vec::new();
    if !file.text.starts_with("--") {
        violations.push(Violation::new(&file.path, 1, RULE, "the first line is not a `--` comment that says what this does"));
    }
    match uses {
        [] => violations.push(Violation::new(&file.path, 1, RULE, "no `include_str!` names this file; delete it, or embed it")),
        [_] => {}
        [_, again @ ..] => violations.extend(again.iter().map(|(path, line)| {
            let sentence = format!("`{}` is embedded elsewhere as well; give the statement one function and call that", file.path);
            Violation::new(path, *line, RULE, sentence)
        })),
    }
    violations
}

/// Every `.sql` file that a Rust file embeds, as a path from the root, and the line it does so on.
fn includes(file: &File, files: &[File]) -> Vec<(String, usize)> {
    let embedded = |at: usize| {
        let argument = argument(file, at + INCLUDE.len())?;
        let literal = argument.split('"').skip(1).step_by(2).find(|literal| literal.ends_with(".sql"))?;
        let directory = if argument.contains("CARGO_MANIFEST_DIR") { crate_directory(&file.path, files) } else { parent(&file.path) };
        Some((join(directory, literal), line_of(file.code(), at)))
    };
    words(file.code(), INCLUDE).filter_map(embedded).collect()
}

/// The text between the parentheses that follow `from`; the code tells where they are, as strings are blank in it.
fn argument(file: &File, from: usize) -> Option<&str> {
    let open = from + file.code()[from..].find('(')?;
    let mut depth = 0_usize;
    for (offset, byte) in file.code().as_bytes()[open..].iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return file.text.get(open + 1..open + offset),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn crate_directory<'a>(path: &'a str, files: &[File]) -> &'a str {
    let mut directory = parent(path);
    while !directory.is_empty() && !files.iter().any(|file| file.path.strip_suffix("/Cargo.toml") == Some(directory)) {
        directory = parent(directory);
    }
    directory
}

fn join(directory: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = directory.split('/').collect();
    for part in relative.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "shared/store-sqlite/queries/job_claim.sql";
    const MIGRATION: &str = "migrations/sqlite/0001_core.sql";

    fn violations(code: &str) -> Vec<String> {
        let files = [
            File::new("shared/store-sqlite/Cargo.toml", ""),
            File::new("shared/store-sqlite/src/work.rs", code),
            File::new(QUERY, "-- job_claim.sql: claims.\nupdate job"),
            File::new(MIGRATION, "-- The core.\ncreate table job"),
        ];
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn both_ways_to_embed_are_found() {
        let code = r#"const A: &str = include_str!("../queries/job_claim.sql");
            const B: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/sqlite/0001_core.sql"));"#;
        assert!(violations(code).is_empty(), "{:?}", violations(code));
    }

    #[test]
    fn a_comment_or_a_string_embeds_nothing() {
        let found = violations("// include_str!(\"../queries/job_claim.sql\")\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with(QUERY), "{found:?}");
    }

    #[test]
    fn a_statement_is_embedded_once() {
        let code = "const A: &str = include_str!(\"../queries/job_claim.sql\");\nconst B: &str = include_str!(\"../queries/job_claim.sql\");\n\
            const C: &str = include_str!(\"../../../migrations/sqlite/0001_core.sql\");\n";
        let found = violations(code);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("shared/store-sqlite/src/work.rs:2: sql:"), "{found:?}");
    }

    #[test]
    fn a_statement_says_what_it_does() {
        let files = [File::new("a/queries/b.sql", "select 1"), File::new("a/src/c.rs", "include_str!(\"../queries/b.sql\")")];
        assert_eq!(check(&files).len(), 1);
    }
}
