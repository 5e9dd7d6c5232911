//! Rule `size`: files and functions that fit in a head. Measured from the best codebases of the field.

use super::Violation;
use super::checkout::File;
use super::rust_text::functions;

const RULE: &str = "size";
const FILE_SOFT: usize = 300;
const FILE_HARD: usize = 500;
const FUNCTION_SOFT: usize = 40;
const FUNCTION_HARD: usize = 70;

pub fn check(files: &[File]) -> Vec<Violation> {
    let rust = || files.iter().filter(|file| file.is_rust());
    let long_files = rust().filter(|file| lines(file) > FILE_HARD).map(|file| {
        let sentence =
            format!("{} lines; {FILE_HARD} is the most, {FILE_SOFT} is usual: split it by the questions it answers", lines(file));
        Violation::new(&file.path, FILE_HARD + 1, RULE, sentence)
    });
    let long_functions = rust().flat_map(|file| functions(file.code()).into_iter().map(move |(name, span)| (file, name, span)));
    let long_functions = long_functions.filter_map(|(file, name, span)| {
        let is_main = name == "main" && file.stem() == "main";
        let hard = if is_main { FUNCTION_SOFT } else { FUNCTION_HARD };
        let sentence = format!("`{name}` has {} lines; {hard} is the most: name its steps", span.lines());
        (span.lines() > hard).then(|| Violation::new(&file.path, span.first, RULE, sentence))
    });
    long_files.chain(long_functions).collect()
}

/// How many files and functions are longer than usual, though allowed.
pub fn notes(files: &[File]) -> Vec<String> {
    let rust = || files.iter().filter(|file| file.is_rust());
    let count_files = rust().filter(|file| lines(file) > FILE_SOFT).count();
    let count_functions = rust().flat_map(|file| functions(file.code())).filter(|(_, span)| span.lines() > FUNCTION_SOFT).count();
    vec![format!("{count_files} files are longer than {FILE_SOFT} lines, {count_functions} functions longer than {FUNCTION_SOFT}")]
}

fn lines(file: &File) -> usize {
    file.text.lines().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}() {{\n{}}}\n", "    x();\n".repeat(lines - 2))
    }

    #[test]
    fn files_have_a_limit() {
        let bad = |lines: usize| check(&[File::new("a.rs", &"// a\n".repeat(lines))]).len();
        assert_eq!((bad(500), bad(501)), (0, 1));
    }

    #[test]
    fn functions_have_a_limit_and_main_a_lower_one() {
        let bad = |path: &str, name: &str, lines: usize| check(&[File::new(path, &function(name, lines))]).len();
        assert_eq!((bad("a.rs", "f", 70), bad("a.rs", "f", 71)), (0, 1));
        assert_eq!((bad("src/main.rs", "main", 40), bad("src/main.rs", "main", 41)), (0, 1));
    }

    #[test]
    fn long_is_noted_before_it_is_forbidden() {
        let text = format!("{}{}", function("f", 41), "// a\n".repeat(260));
        assert_eq!(notes(&[File::new("a.rs", &text)]), ["1 files are longer than 300 lines, 1 functions longer than 40"]);
    }
}
