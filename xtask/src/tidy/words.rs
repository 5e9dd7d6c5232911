//! Rule `words`: work that is not done is an issue with a number, not a word in the code.

use super::Violation;
use super::checkout::File;
use super::rust_text::{line_of, words};

const RULE: &str = "words";
const MACROS: [(&str, &str); 3] = [
    ("todo!", "write it, or return an error that says what is missing"),
    ("unimplemented!", "write it, or return an error that says what is missing"),
    ("dbg!", "use `tracing`, or take it out"),
];
const REMARKS: [&str; 2] = ["FIXME", "XXX"];

pub fn check(files: &[File]) -> Vec<Violation> {
    files.iter().filter(|file| file.is_rust()).flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let violation = |text: &str, at: usize, sentence: String| Violation::new(&file.path, line_of(text, at), RULE, sentence);
    let mut violations = Vec::new();
    for (name, instead) in MACROS {
        violations.extend(words(file.code(), name).map(|at| violation(file.code(), at, format!("`{name}` may not reach main: {instead}"))));
    }
    for word in REMARKS {
        let sentence = format!("`{word}` may not reach main: mend it, or open an issue");
        violations.extend(words(file.comments(), word).map(|at| violation(file.comments(), at, sentence.clone())));
    }
    let unowned = words(file.comments(), "TODO").filter(|at| !names_issue(&file.comments()[at + "TODO".len()..]));
    let sentence = "a `TODO` names its issue: `TODO(#12): …`";
    violations.extend(unowned.map(|at| violation(file.comments(), at, sentence.to_owned())));
    violations
}

fn names_issue(rest: &str) -> bool {
    let number = rest.strip_prefix("(#").and_then(|rest| rest.split_once(')')).map(|(number, _)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(text: &str) -> usize {
        check(&[File::new("a.rs", text)]).len()
    }

    #[test]
    fn unfinished_work_is_refused() {
        for text in [
            "fn a() { todo!() }",
            "fn a() { unimplemented!(\"b\") }",
            "fn a() { dbg!(1); }",
            "// FIXME: a",
            "/* XXX */",
            "// TODO: a",
            "// TODO(me): a",
        ] {
            assert_eq!(bad(text), 1, "{text}");
        }
    }

    #[test]
    fn an_issue_or_a_quotation_is_fine() {
        for text in ["// TODO(#12): a", "const A: &str = \"TODO FIXME todo!\";", "// The todo! macro", "let xxx = 1;"] {
            assert_eq!(bad(text), 0, "{text}");
        }
    }
}
