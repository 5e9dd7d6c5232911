//! Rule `invariants`: every invariant of ARCHITECTURE.md is named (`// I3`) by a test that would break with it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::Violation;
use super::checkout::File;
use super::rust_text::{line_of, test_regions};

const RULE: &str = "invariants";
const DOCUMENT: &str = "ARCHITECTURE.md";
/// What the document lists when it is not yet there to be read.
const PLANNED: RangeInclusive<u32> = 1..=17;

/// The invariants that a test must name today. Add a number when its first test is written; never take one out.
const TESTED: [u32; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17];

pub fn check(files: &[File]) -> Vec<Violation> {
    check_tested(files, &TESTED)
}

fn check_tested(files: &[File], tested: &[u32]) -> Vec<Violation> {
    let (known, marks) = (known(files), marks(files));
    let named: BTreeSet<u32> = marks.iter().map(|mark| mark.number).collect();
    let unknown = marks
        .iter()
        .filter(|mark| !known.contains(&mark.number))
        .map(|mark| Violation::new(mark.path, mark.line, RULE, format!("{DOCUMENT} lists no I{}", mark.number)));
    let untested = tested.iter().filter(|number| !named.contains(number)).map(|number| {
        Violation::new(
            DOCUMENT,
            line_in_document(files, *number),
            RULE,
            format!("no test names I{number} any more; mark the one that proves it with `// I{number}`"),
        )
    });
    let unlisted = tested
        .iter()
        .filter(|number| !known.contains(number))
        .map(|number| Violation::new(DOCUMENT, 1, RULE, format!("I{number} is tested but no longer listed")));
    unknown.chain(untested).chain(unlisted).collect()
}

/// What is missing until the rule covers every invariant.
pub fn notes(files: &[File]) -> Vec<String> {
    let named: BTreeSet<u32> = marks(files).iter().map(|mark| mark.number).collect();
    let list = |numbers: Vec<u32>| numbers.iter().map(|number| format!("I{number}")).collect::<Vec<_>>().join(", ");
    let known = known(files);
    let unnamed: Vec<u32> = known.difference(&named).copied().collect();
    let unguarded: Vec<u32> = known.intersection(&named).copied().filter(|number| !TESTED.contains(number)).collect();
    let mut notes = Vec::new();
    if !unnamed.is_empty() {
        notes.push(format!("no test names {}", list(unnamed)));
    }
    if !unguarded.is_empty() {
        notes.push(format!("tests name {}: add them to TESTED in xtask/src/tidy/invariants.rs", list(unguarded)));
    }
    notes
}

struct Mark<'a> {
    path: &'a str,
    line: usize,
    number: u32,
}

/// Invariants named in comments of test code.
fn marks(files: &[File]) -> Vec<Mark<'_>> {
    files.iter().filter(|file| file.is_rust()).flat_map(marks_of).collect()
}

fn marks_of(file: &File) -> Vec<Mark<'_>> {
    let regions = test_regions(file.code());
    let all = numbers(file.comments()).map(|(at, number)| Mark { path: &file.path, line: line_of(file.comments(), at), number });
    all.filter(|mark| file.is_test() || regions.iter().any(|region| region.contains(mark.line))).collect()
}

fn known(files: &[File]) -> BTreeSet<u32> {
    let document = files.iter().find(|file| file.path == DOCUMENT);
    document.map_or_else(|| PLANNED.collect(), |file| numbers(&file.text).map(|(_, number)| number).collect())
}

fn line_in_document(files: &[File], wanted: u32) -> usize {
    let document = files.iter().find(|file| file.path == DOCUMENT);
    let place = document.and_then(|file| Some(line_of(&file.text, numbers(&file.text).find(|(_, number)| *number == wanted)?.0)));
    place.unwrap_or(1)
}

/// Every word that is an `I` and a number, with its offset.
fn numbers(text: &str) -> impl Iterator<Item = (usize, u32)> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices('I').filter_map(move |(at, _)| {
        let starts = !text[..at].chars().next_back().is_some_and(is_word);
        let rest = &text[at + 1..];
        let word = &rest[..rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())];
        word.parse().ok().filter(|_| starts).map(|number| (at, number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(comment: &str) -> [File; 3] {
        [
            File::new(DOCUMENT, "# Invariants\n\nI1 The store decides.\nI2 One function.\n"),
            File::new("shared/store/src/contract/claim.rs", &format!("//! Claims.\n\n{comment}\nfn a() {{}}\n")),
            // A mark outside of test code proves nothing.
            File::new("shared/store/src/work.rs", "//! Keeps I2.\n"),
        ]
    }

    fn found(comment: &str, tested: &[u32]) -> Vec<String> {
        check_tested(&files(comment), tested).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_named_invariant_is_proven() {
        assert!(found(&format!("// I{}", 1), &[1]).is_empty());
    }

    #[test]
    fn a_tested_invariant_must_be_named() {
        let sentences = found("// nothing", &[2]);
        assert_eq!(sentences.len(), 1);
        assert!(sentences[0].starts_with("ARCHITECTURE.md:4: invariants: no test names"), "{sentences:?}");
    }

    #[test]
    fn a_mark_must_name_a_listed_invariant() {
        let sentences = found(&format!("/// Breaks I{}.", 99), &[]);
        assert!(sentences[0].starts_with("shared/store/src/contract/claim.rs:3:"), "{sentences:?}");
    }

    #[test]
    fn a_word_that_only_looks_like_a_mark_is_none() {
        assert!(found("// IO, AI1, I1a, MI1", &[]).is_empty());
    }
}
