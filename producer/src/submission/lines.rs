//! Reads a batch with a job on each line (NDJSON). Same bounds, same pointers as the list of a JSON batch: blank lines do not count.

use bytes::Bytes;
use domain::bounds::{BATCH_JOBS_MAX, JSON_DEPTH_MAX, VIOLATIONS_MAX};

use super::{INVALID_JOB, Item};
use crate::body;
use crate::json_text::inspect;
use crate::problem::{Problem, Violation};

/// The submissions, in the order of their lines.
pub fn read(bytes: &Bytes, keyed: bool) -> Result<Vec<Item>, Problem> {
    let mut items = Vec::new();
    let mut faults = Vec::new();
    let mut jobs = 0;
    for (line, text) in numbered(body::text(bytes)?) {
        if jobs == BATCH_JOBS_MAX {
            return Err(whole(format!("must have at most {BATCH_JOBS_MAX} jobs")));
        }
        let pointer = format!("/jobs/{jobs}");
        jobs += 1;
        inspect(text, JSON_DEPTH_MAX + 1).map_err(|flaw| Problem::invalid_json(flaw.sentence()).in_line(line))?;
        match Item::of(text, pointer, keyed) {
            Ok(item) => items.push(item),
            // What is no object is listed with the others; what is no JSON ends the reading.
            Err(problem) if problem.code() == INVALID_JOB => faults.extend(problem.into_errors()),
            Err(problem) => return Err(problem.in_line(line)),
        }
        if faults.len() > VIOLATIONS_MAX {
            break;
        }
    }
    if jobs == 0 {
        return Err(whole("must have at least one job".to_owned()));
    }
    if faults.is_empty() { Ok(items) } else { Err(Problem::invalid(INVALID_JOB, faults)) }
}

/// The lines that have something on them, with their numbers from 1. A line ends at `\n`, perhaps with `\r` before it.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_space = |c| matches!(c, ' ' | '\t' | '\r');
    let lines = text.split('\n').enumerate().map(move |(index, line)| (index + 1, line.trim_matches(is_space)));
    lines.filter(|(_, line)| !line.is_empty())
}

fn whole(message: String) -> Problem {
    Problem::invalid(INVALID_JOB, vec![Violation::new(INVALID_JOB, "/jobs", message)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pointers(text: &str) -> Vec<String> {
        let items = read(&Bytes::copy_from_slice(text.as_bytes()), true).expect("readable");
        items.into_iter().map(|item| item.form.pointer("x")).collect()
    }

    #[test]
    fn lines_are_numbered_as_people_count_and_jobs_as_programs_do() {
        assert_eq!(pointers("\n{}\r\n \t \n  {\"kind\":\"a\"}  \n{}"), ["/jobs/0/x", "/jobs/1/x", "/jobs/2/x"]);
        let problem = read(&Bytes::from_static(b"{}\n\n{\"a\":}\n"), false).err().expect("no JSON");
        let text = String::from_utf8(problem.render("r")).expect("UTF-8");
        assert!(problem.code() == "invalid_json" && text.contains("line 3: "), "{text}");
    }

    proptest! {
        #[test]
        fn hostile_bodies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), keyed: bool) {
            let _ = read(&Bytes::from(bytes), keyed).is_ok();
        }

        /// What is taken as lines is taken as a list, with the same pointers and hashes; what is refused is refused as a list.
        #[test]
        fn lines_and_lists_are_read_alike(jobs in prop::collection::vec(r#"\{("[ab]":[01](,"c":"\\\\n")?)?\}|[17]|"x"|\[\]"#, 1..6), blank in "( |\t|\r)?\n") {
            let lines = read(&Bytes::from(jobs.join(&blank)), true);
            let list = super::super::read_list(&Bytes::from(format!("{{\"jobs\":[{}]}}", jobs.join(","))), true);
            match (lines, list) {
                (Ok(lines), Ok(list)) => {
                    let seen = |items: Vec<Item>| items.into_iter().map(|item| (item.form.pointer(""), item.hash)).collect::<Vec<_>>();
                    prop_assert_eq!(seen(lines), seen(list));
                }
                (Err(lines), Err(list)) => prop_assert_eq!(lines.render("r"), list.render("r")),
                (lines, list) => prop_assert!(false, "lines: {}, list: {}", lines.is_ok(), list.is_ok()),
            }
        }
    }
}
