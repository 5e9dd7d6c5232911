//! Rule `fields`: every field of a log line or a span is declared in `telemetry`, so that one name has one meaning.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Violation;
use super::checkout::File;
use super::rust_text::{closing, line_of, test_regions, words};

const RULE: &str = "fields";
const DECLARED: &str = "shared/telemetry/src/fields.rs";
const EVENTS: [&str; 5] = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];
const SPANS: [&str; 5] = ["error_span!(", "warn_span!(", "info_span!(", "debug_span!(", "trace_span!("];

pub fn check(files: &[File]) -> Vec<Violation> {
    let Some(list) = files.iter().find(|file| file.path == DECLARED) else { return Vec::new() };
    let declared = declared(&list.text);
    let used: Vec<Use<'_>> = files.iter().filter(|file| file.is_rust() && !file.is_test()).flat_map(of_file).collect();
    let undeclared = used.iter().filter(|used| !declared.iter().any(|(name, _)| *name == used.key)).map(|used| {
        let sentence = format!("the field `{}` is not declared in {DECLARED}; use one that is, or declare it", used.key);
        Violation::new(used.path, used.line, RULE, sentence)
    });
    let keys: BTreeSet<&str> = used.iter().map(|used| used.key.as_str()).collect();
    let unused = declared
        .iter()
        .filter(|(name, _)| !keys.contains(name))
        .map(|(name, line)| Violation::new(DECLARED, *line, RULE, format!("nothing logs the field `{name}`; delete the line")));
    undeclared.chain(unused).collect()
}

/// A field of a log line.
struct Use<'a> {
    path: &'a str,
    line: usize,
    key: String,
}

/// Each `("name", …` of the list, with its line.
fn declared(text: &str) -> Vec<(&str, usize)> {
    let rows = text.lines().enumerate().filter_map(|(index, line)| Some((line.trim_start().strip_prefix("(\"")?, index + 1)));
    rows.filter_map(|(row, line)| Some((row.split_once('"')?.0, line))).collect()
}

fn of_file(file: &File) -> Vec<Use<'_>> {
    let code = file.code();
    let regions = test_regions(code);
    let calls = EVENTS.map(|call| (call, false)).into_iter().chain(SPANS.map(|call| (call, true)));
    let found = calls.flat_map(|(call, is_span)| words(code, call).flat_map(move |at| keys(code, at + call.len(), is_span)));
    let found = found.map(|(at, key)| Use { path: &file.path, line: line_of(code, at), key });
    found.filter(|used| !regions.iter().any(|region| region.contains(used.line))).collect()
}

/// The fields of the call whose arguments begin at `from`: what comes before the sentence, or after the name of a span.
fn keys(code: &str, from: usize, is_span: bool) -> Vec<(usize, String)> {
    let arguments = arguments(code, from);
    let is_text = |argument: &Range<usize>| code[argument.clone()].trim_start().starts_with('"');
    let fields: Vec<_> = if is_span {
        arguments.into_iter().skip_while(|argument| !is_text(argument)).skip(1).collect()
    } else {
        arguments.into_iter().take_while(|argument| !is_text(argument)).collect()
    };
    fields.into_iter().filter_map(|argument| Some((argument.start, key(&code[argument])?))).collect()
}

/// What lies between the commas.
fn arguments(code: &str, from: usize) -> Vec<Range<usize>> {
    let (end, mut at, mut start) = (closing(code, from), from, from);
    let mut arguments = Vec::new();
    while at < end {
        match code.as_bytes()[at] {
            b'(' | b'[' | b'{' => at = closing(code, at + 1),
            b',' => {
                arguments.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    arguments.push(start..end);
    arguments
}

/// `job.id = %id`, or in short `%error` and `count`. `None` for `target: "x"` and for what is not a field.
fn key(argument: &str) -> Option<String> {
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '.');
    let name = match argument.split_once('=') {
        Some((name, _)) => name.trim(),
        None => argument.trim().trim_start_matches(['%', '?']),
    };
    is_name(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &str, code: &str) -> Vec<String> {
        let list = File::new(DECLARED, &format!("pub const FIELDS: &[(&str, &str)] = &[\n{list}];\n"));
        check(&[list, File::new("producer/src/lib.rs", code)]).iter().map(ToString::to_string).collect()
    }

    fn named(code: &str) -> Vec<String> {
        of_file(&File::new("producer/src/lib.rs", code)).into_iter().map(|used| used.key).collect()
    }

    #[test]
    fn fields_are_told_from_what_is_written_about_them() {
        let rows = [
            (r#"tracing::info!(job.id = %job.id, count, "a {} = {b}", c = 1)"#, vec!["job.id", "count"]),
            (r#"warn!(%error, ?state, "x")"#, vec!["error", "state"]),
            (r#"tracing::error!(target: "x", code = f(a, b == c, &[1, 2]), "x")"#, vec!["code"]),
            (r#"tracing::info_span!("job", job.run = job.run, trace.id = %t.id())"#, vec!["job.run", "trace.id"]),
            (r#"tracing::debug!("only words: {}", count)"#, vec![]),
            ("tracing::warn!(\n    status,\n    \"x\"\n)", vec!["status"]),
            (r#"my_error!(a = 1); "warn!(b = 1)"; // info!(c = 1)"#, vec![]),
        ];
        for (code, keys) in rows {
            assert_eq!(named(code), keys, "{code}");
        }
    }

    #[test]
    fn what_is_logged_is_declared_and_what_is_declared_is_logged() {
        let list = "    (\"count\", \"how many\"),\n    (\"job.id\", \"the job\"),\n";
        assert_eq!(found(list, "fn a() { info!(count, job.id = 1, \"x\") }"), Vec::<String>::new());
        let other = found(list, "fn a() { info!(count, \"x\");\n info!(job_id = 1, \"x\") }");
        assert_eq!(other.len(), 2);
        assert!(other[0].starts_with("producer/src/lib.rs:2: fields: the field `job_id` is not declared"), "{other:?}");
        assert!(other[1].starts_with("shared/telemetry/src/fields.rs:3: fields: nothing logs the field `job.id`"), "{other:?}");
        let in_tests = "#[cfg(test)]\nmod tests {\n fn a() { info!(b = 1, \"x\") }\n}\nfn a() { info!(count, job.id = 1, \"x\") }";
        assert_eq!(found(list, in_tests), Vec::<String>::new());
    }
}
