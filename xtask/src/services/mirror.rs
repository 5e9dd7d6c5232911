//! From where does this machine get packages of Debian? What its own apt is told, or Debian's public mirror.

use std::path::Path;

/// Has every suite.
pub const PUBLIC: &str = "http://deb.debian.org/debian";

/// The mirror that has this machine's own suite; as a rule it has the others as well.
pub fn mirror() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let directory = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut files: Vec<_> = directory.map(|entry| entry.path()).filter(|path| is_read_by_apt(path)).collect();
    files.sort();
    let lists: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect();
    chosen(&read("/etc/os-release"), lists.iter().map(String::as_str).chain([read("/etc/apt/sources.list").as_str()]))
}

fn is_read_by_apt(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sources" || extension == "list")
}

fn chosen<'a>(system: &str, lists: impl Iterator<Item = &'a str>) -> String {
    let fact = |name: &str| system.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(|value| value.trim_matches('"'));
    let suite = fact("VERSION_CODENAME").filter(|_| fact("ID") == Some("debian"));
    let Some(suite) = suite else { return PUBLIC.to_owned() };
    let mut entries = lists.flat_map(|list| one_line(list).into_iter().chain(stanzas(list)));
    let ours = entries.find(|(uri, suites)| uri.starts_with("http") && suites.iter().any(|name| name == suite));
    ours.map_or_else(|| PUBLIC.to_owned(), |(uri, _)| uri.trim_end_matches('/').to_owned())
}

/// `deb [options] uri suite component…`
fn one_line(list: &str) -> Vec<(String, Vec<String>)> {
    let entry = |line: &str| {
        let rest = line.trim().strip_prefix("deb ")?.trim_start();
        let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
        let mut words = rest.split_whitespace().map(str::to_owned);
        Some((words.next()?, vec![words.next()?]))
    };
    list.lines().filter_map(entry).collect()
}

/// `URIs: …` and `Suites: …`, in paragraphs.
fn stanzas(list: &str) -> Vec<(String, Vec<String>)> {
    let words = |stanza: &str, name: &str| -> Vec<String> {
        let line = stanza.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect()
    };
    let entry = |stanza: &str| {
        let has_packages =
            words(stanza, "Types:").iter().any(|kind| kind == "deb") && !words(stanza, "Enabled:").iter().any(|word| word == "no");
        Some((words(stanza, "URIs:").into_iter().next().filter(|_| has_packages)?, words(stanza, "Suites:")))
    };
    list.split("\n\n").filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "ID=debian\nVERSION_CODENAME=bookworm\n";

    #[test]
    fn the_mirror_is_that_of_the_systems_own_suite() {
        let stanzas = "Types: deb\nURIs: http://a.example/security\nSuites: bookworm-security\n\n\
             Types: deb\n# why\nURIs: http://b.example/debian/\nSuites: bookworm bookworm-updates\nComponents: main\n";
        assert_eq!(chosen(DEBIAN, [stanzas].into_iter()), "http://b.example/debian");
        let lines = "# deb http://no.example/debian bookworm main\ndeb-src http://s.example/debian bookworm main\n\
             deb [arch=amd64 signed-by=/k] https://c.example/debian bookworm main\n";
        assert_eq!(chosen(DEBIAN, [lines].into_iter()), "https://c.example/debian");
    }

    #[test]
    fn where_nothing_is_known_the_public_one_serves() {
        assert_eq!(chosen(DEBIAN, ["deb cdrom:[x]/ bookworm main"].into_iter()), PUBLIC);
        assert_eq!(chosen("ID=ubuntu\nVERSION_CODENAME=noble\n", ["deb http://u.example/ubuntu noble main"].into_iter()), PUBLIC);
    }
}
