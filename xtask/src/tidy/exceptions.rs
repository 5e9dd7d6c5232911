//! Which violations are known, and still there? A list that fails when an entry is no longer needed can only shrink.

use super::Violation;
use super::checkout::File;

const RULE: &str = "exceptions";
const PATH: &str = "xtask/tidy-exceptions.txt";

struct Entry<'a> {
    line: usize,
    path: &'a str,
    rule: &'a str,
    reason: &'a str,
}

/// Takes known violations out, and adds one for every entry that excuses nothing or has no reason.
pub fn apply(violations: Vec<Violation>, files: &[File]) -> Vec<Violation> {
    let Some(list) = files.iter().find(|file| file.path == PATH) else { return violations };
    let entries = entries(&list.text);
    let excuses = |entry: &Entry<'_>, violation: &Violation| entry.path == violation.path && entry.rule == violation.rule;
    let complaint = |entry: &Entry<'_>| {
        let sentence = if entry.reason.is_empty() {
            "an entry is a path, a rule and a reason"
        } else if violations.iter().any(|violation| excuses(entry, violation)) {
            return None;
        } else {
            "nothing needs this exception any more; delete the line"
        };
        Some(Violation::new(PATH, entry.line, RULE, sentence))
    };
    let complaints: Vec<_> = entries.iter().filter_map(complaint).collect();
    let unknown = violations.into_iter().filter(|violation| !entries.iter().any(|entry| excuses(entry, violation)));
    unknown.chain(complaints).collect()
}

fn entries(text: &str) -> Vec<Entry<'_>> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let filled = numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    filled.map(|(line, text)| entry(line, text)).collect()
}

fn entry(line: usize, text: &str) -> Entry<'_> {
    let (path, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim_start();
    let (rule, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    Entry { line, path, rule, reason: reason.trim() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(list: &str) -> Vec<String> {
        let violations = vec![Violation::new("a.rs", 3, "header", "x"), Violation::new("b.rs", 1, "size", "y")];
        apply(violations, &[File::new(PATH, list)]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_listed_violation_is_excused() {
        assert_eq!(left("# why\n\na.rs header grows in #4\n"), ["b.rs:1: size: y"]);
    }

    #[test]
    fn an_entry_that_excuses_nothing_fails() {
        let lines = left("c.rs header was long once\n");
        assert_eq!(lines.len(), 3);
        assert!(lines[2].starts_with("xtask/tidy-exceptions.txt:1: exceptions: nothing needs"), "{lines:?}");
    }

    #[test]
    fn an_entry_needs_a_reason() {
        assert!(left("a.rs header\n")[1].ends_with("a path, a rule and a reason"));
    }
}
