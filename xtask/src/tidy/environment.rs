//! Rule `environment`: only `settings` reads the environment (I11), so that every setting is listed in one place.

use super::Violation;
use super::checkout::File;
use super::rust_text::{line_of, words};

const RULE: &str = "environment";
const CALLS: [&str; 6] = ["env::var(", "env::var_os(", "env::vars(", "env::vars_os(", "env::set_var(", "env::remove_var("];
/// `settings` for the product; `xtask` and `testkit` are steered by variables of their own.
const READERS: [&str; 3] = ["shared/settings/", "shared/testkit/", "xtask/"];

pub fn check(files: &[File]) -> Vec<Violation> {
    let may_read = |file: &&File| READERS.iter().any(|place| file.path.starts_with(place)) || file.path.ends_with("build.rs");
    files.iter().filter(|file| file.is_rust() && !may_read(file)).flat_map(of_file).collect()
}

fn of_file(file: &File) -> impl Iterator<Item = Violation> {
    let code = file.code();
    CALLS.iter().flat_map(move |call| {
        let sentence = format!("`{call}…)` belongs in `settings`, which lists every setting");
        words(code, call).map(move |at| Violation::new(&file.path, line_of(code, at), RULE, sentence.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I11, as a rule; that the checkout keeps it is what `cargo xtask tidy` says.
    #[test]
    fn only_settings_reads_the_environment() {
        let bad = |path: &str, text: &str| check(&[File::new(path, text)]).len();
        let call = "fn a() { let _ = std::env::var(\"A\"); }";
        assert_eq!(bad("producer/src/lib.rs", call), 1);
        assert_eq!(bad("shared/settings/src/source.rs", call), 0);
        assert_eq!(bad("producer/build.rs", call), 0);
        assert_eq!(bad("producer/src/lib.rs", "/// Not `std::env::var(x)`.\nconst A: &str = env!(\"A\");"), 0);
    }
}
