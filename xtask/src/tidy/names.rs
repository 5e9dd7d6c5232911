//! Rule `names`: a file, module or crate is called after the noun it is about; drawers have no noun.

use super::Violation;
use super::checkout::File;
use super::rust_text::{line_of, words};

const RULE: &str = "names";
/// Banned also as a part: `string_utils` and `job_manager` are drawers too.
const PARTS: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "misc", "manager", "managers"];
/// Banned as a whole only: `content_types` names a noun.
const WHOLE: [&str; 2] = ["types", "shared"];
/// The one drawer we have: a directory of small named crates, never a crate.
const SHARED_DIRECTORY: &str = "shared/";

pub fn check(files: &[File]) -> Vec<Violation> {
    files.iter().filter(|file| file.is_rust() || file.path.ends_with("Cargo.toml")).flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let mut violations = Vec::new();
    if file.path.ends_with("/mod.rs") {
        violations.push(Violation::new(&file.path, 1, RULE, "`foo/mod.rs` is written `foo.rs`: ten tabs called mod.rs help nobody"));
    }
    let path = file.path.strip_prefix(SHARED_DIRECTORY).unwrap_or(&file.path);
    let parts = path.strip_suffix(".rs").unwrap_or(path).split('/');
    violations.extend(parts.filter(|part| is_banned(part)).map(|part| complaint(file, 1, part)));
    if let Some((line, name)) = crate_name(file).filter(|(_, name)| is_banned(name)) {
        violations.push(complaint(file, line, name));
    }
    violations.extend(modules(file).filter(|(_, name)| is_banned(name)).map(|(line, name)| complaint(file, line, name)));
    violations
}

fn complaint(file: &File, line: usize, name: &str) -> Violation {
    Violation::new(&file.path, line, RULE, format!("`{name}` says nothing; name the noun"))
}

fn is_banned(name: &str) -> bool {
    WHOLE.contains(&name) || name.split(['_', '-']).any(|part| PARTS.contains(&part))
}

fn crate_name(file: &File) -> Option<(usize, &str)> {
    let numbered = file.text.lines().enumerate().filter(|_| file.path.ends_with("Cargo.toml"));
    let mut named = numbered.filter_map(|(index, line)| Some((index + 1, line.strip_prefix("name = \"")?.strip_suffix('"')?)));
    named.next()
}

fn modules(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let code = file.code();
    words(code, "mod ").map(move |at| {
        let rest = &code[at + "mod ".len()..];
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        (line_of(code, at), &rest[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(path: &str, text: &str) -> usize {
        check(&[File::new(path, text)]).len()
    }

    #[test]
    fn drawers_are_refused_as_files_directories_and_modules() {
        assert_eq!(bad("producer/src/utils.rs", ""), 1);
        assert_eq!(bad("producer/src/helpers/retry.rs", ""), 1);
        assert_eq!(bad("producer/src/string_utils.rs", ""), 1);
        assert_eq!(bad("producer/src/types.rs", ""), 1);
        assert_eq!(bad("producer/src/shared.rs", ""), 1);
        assert_eq!(bad("producer/src/lib.rs", "mod common;\n"), 1);
    }

    #[test]
    fn nouns_pass() {
        assert_eq!(bad("shared/store/src/content_types.rs", "mod claim;\n/// A common mod util here.\n"), 0);
    }

    #[test]
    fn mod_files_are_refused() {
        assert_eq!(bad("producer/src/routes/mod.rs", ""), 1);
    }

    #[test]
    fn crates_are_named_too() {
        assert_eq!(bad("tools/Cargo.toml", "[package]\nname = \"shared\"\n"), 1);
        assert_eq!(bad("tools/Cargo.toml", "[package]\nname = \"tools\"\n[[bin]]\nname = \"x\"\n"), 0);
    }
}
