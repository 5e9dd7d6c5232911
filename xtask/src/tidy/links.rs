//! Rule `links`: what a document points to is there, the heading within it too.

use super::Violation;
use super::checkout::File;

const RULE: &str = "links";

pub fn check(files: &[File]) -> Vec<Violation> {
    files.iter().filter(|file| file.path.ends_with(".md")).flat_map(|file| of_file(file, files)).collect()
}

fn of_file(file: &File, files: &[File]) -> Vec<Violation> {
    let lines = prose(&file.text);
    let links = lines.flat_map(|(number, line)| targets(line).map(move |target| (number, target)));
    let broken = links.filter_map(|(number, target)| {
        let why = objection(file, target, files)?;
        Some(Violation::new(&file.path, number, RULE, format!("`{target}`: {why}")))
    });
    broken.collect()
}

/// Lines outside of fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        (!is_fence && !is_fenced).then_some((index + 1, line))
    })
}

/// What the links of a line point to, as far as it is ours.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let ends = line.match_indices("](").map(|(at, _)| &line[at + 2..]);
    ends.filter_map(|rest| Some(rest.split_once(')')?.0)).filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

fn objection(from: &File, target: &str, files: &[File]) -> Option<&'static str> {
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let path = if path.is_empty() { from.path.clone() } else { joined(&from.path, path) };
    let Some(file) = files.iter().find(|file| file.path == path) else {
        let directory = format!("{}/", path.trim_end_matches('/'));
        return (!files.iter().any(|file| file.path.starts_with(&directory))).then_some("there is no such file");
    };
    let heading = heading?;
    let has_heading = headings(&file.text).any(|slug| slug == heading);
    (!has_heading).then_some("there is no such heading")
}

/// The path of `target`, as written in the file `from`.
fn joined(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// As the sites that show Markdown name them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = prose(text).filter_map(|(_, line)| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()));
    titles.map(|title| {
        let kept = title.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<String> {
        let page = File::new("docs/adr/1.md", "# It is `so`, or not\n");
        check(&[File::new("docs/a.md", text), page]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_lead_somewhere() {
        for text in
            ["[x](adr/1.md)", "[x](adr/1.md#it-is-so-or-not)", "[x](adr)", "# A b\n[x](#a-b)", "[x](https://a.b/c)", "[x](../docs/adr/)"]
        {
            assert!(broken(text).is_empty(), "{text}: {:?}", broken(text));
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_its_line() {
        assert_eq!(broken("a\n[x](adr/2.md)"), ["docs/a.md:2: links: `adr/2.md`: there is no such file"]);
        assert_eq!(broken("[x](adr/1.md#nothing)"), ["docs/a.md:1: links: `adr/1.md#nothing`: there is no such heading"]);
        assert_eq!(broken("[x](#nothing)").len(), 1);
    }

    #[test]
    fn fenced_blocks_are_no_prose() {
        assert!(broken("```\n[x](nowhere.md)\n```").is_empty());
    }
}
