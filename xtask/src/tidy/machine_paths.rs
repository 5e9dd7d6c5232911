//! Rule `machine-paths`: nothing names a directory of the machine it was written on.

use super::Violation;
use super::checkout::File;

const RULE: &str = "machine-paths";
/// Put together here, because this file is checked as well.
const PATHS: [&str; 2] = [concat!("/wor", "k/"), concat!("/roo", "t/")];

pub fn check(files: &[File]) -> Vec<Violation> {
    files.iter().flat_map(of_file).collect()
}

fn of_file(file: &File) -> impl Iterator<Item = Violation> {
    let numbered = file.text.lines().enumerate().filter(|(_, line)| PATHS.iter().any(|path| names(line, path)));
    numbered.map(|(index, _)| {
        Violation::new(&file.path, index + 1, RULE, "this path exists on one machine only; make it relative or a setting")
    })
}

/// Whether the path stands at its own beginning: `docs/work/a.md` names no directory of a machine.
fn names(line: &str, path: &str) -> bool {
    let continues = |at: usize| {
        line[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || matches!(before, '.' | '_' | '-' | '}' | ')'))
    };
    line.match_indices(path).any(|(at, _)| !continues(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine_are_refused() {
        let bad = |line: String| check(&[File::new("docs/a.md", &line)]).len();
        assert_eq!(bad(format!("see {}main", PATHS[0])), 1);
        assert_eq!(bad(format!("file://{}.cargo", PATHS[1])), 1);
        assert_eq!(bad(format!("docs{}a.md and ${{base}}{}b", PATHS[0], PATHS[0])), 0);
    }
}
