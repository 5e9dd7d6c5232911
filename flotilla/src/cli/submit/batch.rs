//! Many jobs from a file: one submission a line, as many requests as it takes.

use flotilla_client::{BatchLine, Client, Error, Submitted};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::outcome::Usage;
use crate::cli::say::{Format, Readers};
use crate::cli::{Outcome, say};

/// What the API takes at once.
const REQUEST_LINES_MAX: usize = 10_000;
/// Half of what the API takes at once: it is read and judged in memory.
const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Lines of one request, with their numbers in the file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Part<'a> {
    lines: Vec<&'a str>,
    numbers: Vec<usize>,
    bytes: usize,
}

pub async fn submit(client: &Client, text: &str, key: Option<&str>, format: Format) -> anyhow::Result<Outcome> {
    let parts = parts(text);
    let total: usize = parts.iter().map(|part| part.lines.len()).sum();
    if total == 0 {
        return Err(Usage("there is no submission in it".to_owned()).into());
    }
    let bar = ProgressBar::new(u64::try_from(total)?);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} jobs submitted  {per_sec}")?);
    let (mut submitted, mut again) = (0, 0);
    for (number, part) in parts.iter().enumerate() {
        // Each request of a file has its own key below the file's.
        let key = key.map(|key| if parts.len() == 1 { key.to_owned() } else { format!("{key}.{number}") });
        let answer = match client.submit_lines(part.lines.join("\n"), key.as_deref()).await {
            Ok(answer) => answer,
            Err(error) => {
                bar.finish_and_clear();
                return refused(error, part, submitted);
            }
        };
        again += answer.jobs.iter().filter(|line| line.idempotency_replayed || line.unique_conflict).count();
        submitted += answer.jobs.len();
        bar.inc(u64::try_from(answer.jobs.len())?);
        // All of it is submitted, whether somebody reads the ids or not.
        let _ = bar.suspend(|| tell(&answer, answer.text(), format));
    }
    bar.finish_and_clear();
    if format == Format::Text {
        let there = if again > 0 { format!(", {again} of them were there before") } else { String::new() };
        say::aside(&format!("{submitted} submitted{there}"));
    }
    Ok(Outcome::Done)
}

/// Cut where a request would grow too large; blank lines are left out.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let is_full = |part: &Part<'_>| part.lines.len() >= REQUEST_LINES_MAX || part.bytes + line.len() >= REQUEST_BYTES_MAX;
        if parts.last().is_none_or(is_full) {
            parts.push(Part::default());
        }
        if let Some(part) = parts.last_mut() {
            part.lines.push(line);
            part.numbers.push(index + 1);
            part.bytes += line.len() + 1;
        }
    }
    parts
}

fn tell(answer: &Submitted, text: &str, format: Format) -> Readers {
    match format {
        Format::Json => say::json_piece(text),
        Format::Text => say::piece(&answer.jobs.iter().map(|BatchLine { id, .. }| format!("{id}\n")).collect::<String>()),
    }
}

/// A refusal names items of its request; people want the lines of their file.
fn refused(error: Error, part: &Part<'_>, submitted: usize) -> anyhow::Result<Outcome> {
    if submitted > 0 {
        say::aside(&format!("{submitted} were submitted before this; the request that was refused left nothing behind"));
    }
    let Error::Problem(mut problem) = error else { return Err(error.into()) };
    problem.errors.iter_mut().for_each(|invalid| invalid.pointer = placed(&invalid.pointer, &part.numbers));
    if let Some(first) = problem.errors.first() {
        problem.detail = format!("{}: {}", first.pointer, first.message);
    }
    Err(Error::Problem(problem).into())
}

/// `/jobs/3/payload/url` as `line 7 /payload/url`.
fn placed(pointer: &str, numbers: &[usize]) -> String {
    let known = pointer.strip_prefix("/jobs/").map(|rest| rest.split_once('/').unwrap_or((rest, "")));
    let number = known.and_then(|(index, _)| numbers.get(index.parse::<usize>().ok()?));
    match (known, number) {
        (Some((_, "")), Some(number)) => format!("line {number}"),
        (Some((_, rest)), Some(number)) => format!("line {number} /{rest}"),
        _ => pointer.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_where_a_request_would_grow_too_large() {
        let text = "{}\n\n".repeat(REQUEST_LINES_MAX + 2);
        let cut = parts(&text);
        assert_eq!(cut.iter().map(|part| part.lines.len()).collect::<Vec<_>>(), [REQUEST_LINES_MAX, 2]);
        assert_eq!(cut[1].numbers, [2 * REQUEST_LINES_MAX + 1, 2 * REQUEST_LINES_MAX + 3]);
        let large = format!("{}\n", "x".repeat(REQUEST_BYTES_MAX / 2)).repeat(3);
        assert_eq!(parts(&large).len(), 3);
        assert_eq!(parts(" \n\n"), []);
    }

    #[test]
    fn a_refusal_names_lines_of_the_file() {
        let numbers = [1, 2, 4, 7];
        assert_eq!(placed("/jobs/3/payload/url", &numbers), "line 7 /payload/url");
        assert_eq!(placed("/jobs/2", &numbers), "line 4");
        for other in ["/jobs/9/x", "/jobs/x", "?limit", "/other"] {
            assert_eq!(placed(other, &numbers), other);
        }
    }
}
