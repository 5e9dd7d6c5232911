//! What does docs/configuration.md say about each setting? Made of the declarations, so that it cannot differ from them.

use crate::Var;
use crate::vars::ALL;

/// The table of all settings, in Markdown.
pub fn table() -> String {
    let head = "| name | default | values | read by | meaning |\n|---|---|---|---|---|\n";
    ALL.iter().map(row).fold(head.to_owned(), |table, row| table + &row)
}

fn row(var: &Var) -> String {
    let default = if var.default.is_empty() { "-".to_owned() } else { format!("`{}`", var.default) };
    let read_by = var.read_by.iter().map(|program| format!("`{program}`")).collect::<Vec<_>>().join(" ");
    let Var { name, range, doc, .. } = var;
    format!("| `{name}` | {default} | {range} | {read_by} | {doc} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_table_of_the_declarations() {
        let page = include_str!("../../../docs/configuration.md");
        assert!(page.contains(&table()), "docs/configuration.md is not what `cargo xtask gen` makes of shared/settings/src/vars.rs");
    }

    #[test]
    fn every_setting_says_all_there_is_to_know() {
        for Var { name, range, read_by, doc, .. } in ALL {
            assert!(name.starts_with("FLOTILLA_") && !range.is_empty() && !read_by.is_empty() && doc.ends_with('.'), "{name}");
            assert!(!format!("{range}{doc}").contains('|'), "{name}: a `|` would break the table");
        }
    }
}
