//! Rule `header`: every Rust file starts by saying which question it answers.

use super::Violation;
use super::checkout::File;

const RULE: &str = "header";

pub fn check(files: &[File]) -> Vec<Violation> {
    let violation =
        |file: &File| Violation::new(&file.path, 1, RULE, "the first line is not `//!` and a sentence about what this file is for");
    files.iter().filter(|file| file.is_rust() && !speaks(&file.text)).map(violation).collect()
}

fn speaks(text: &str) -> bool {
    let first = text.lines().next().and_then(|line| line.strip_prefix("//!"));
    first.is_some_and(|sentence| !sentence.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_speaks() {
        let bad = |text: &str| check(&[File::new("a.rs", text)]).len();
        assert_eq!(bad("//! Reads jobs.\nfn a() {}\n"), 0);
        assert_eq!(bad("//!\nfn a() {}\n"), 1);
        assert_eq!(bad("use std::fmt;\n//! Late.\n"), 1);
        assert_eq!(bad(""), 1);
        assert!(check(&[File::new("a.md", "no")]).is_empty());
    }
}
