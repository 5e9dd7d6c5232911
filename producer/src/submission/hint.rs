//! What was probably meant by a name that is not known?

/// Names a refusal lists when none is near.
const LISTED_MAX: usize = 10;

/// `did you mean …?` for a near miss, otherwise the names there are.
pub fn of<'a>(wrong: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = |name: &&str| distance(wrong, name) <= (name.chars().count() / 3).clamp(1, 3);
    if let Some(name) = names.clone().filter(near).min_by_key(|name| distance(wrong, name)) {
        return format!("did you mean `{name}`?");
    }
    let listed: Vec<String> = names.clone().take(LISTED_MAX).map(|name| format!("`{name}`")).collect();
    let more = if names.count() > LISTED_MAX { ", …" } else { "" };
    if listed.is_empty() { "none is known yet".to_owned() } else { format!("known are {}{more}", listed.join(", ")) }
}

/// Levenshtein's: how many characters must be put in, taken out or changed. Long names are cut: no name is that long.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(80).collect(), b.chars().take(80).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_named_and_others_listed() {
        let names = ["webhooks.deliver", "email.send"];
        assert_eq!(of("webhook.deliver", names.into_iter()), "did you mean `webhooks.deliver`?");
        assert_eq!(of("Email.Send", names.into_iter()), "did you mean `email.send`?");
        assert_eq!(of("video.encode", names.into_iter()), "known are `webhooks.deliver`, `email.send`");
        assert_eq!(of("x", std::iter::empty()), "none is known yet");
    }

    #[test]
    fn distances_are_counted() {
        for (a, b, n) in [("", "", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("a", "a", 0)] {
            assert_eq!(distance(a, b), n, "{a} {b}");
        }
    }
}
