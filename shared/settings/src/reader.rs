//! Reads typed values and collects problems, so that a person sees all of them at once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{Source, Var};

/// One value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub name: &'static str,
    pub why: String,
}

/// Every problem of one start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    pub problems: Vec<Problem>,
}

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{count} setting{} cannot be used:", if count == 1 { "" } else { "s" })?;
        self.problems.iter().try_for_each(|Problem { name, why }| write!(f, "\n  {name}: {why}"))
    }
}

/// Reads settings one by one; [`Reader::finish`] says whether all were good.
#[derive(Debug)]
pub struct Reader<'a> {
    source: &'a Source,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a Source) -> Self {
        Self { source, problems: Vec::new() }
    }

    /// The given value or the default.
    ///
    /// # Panics
    /// If the default itself cannot be read: a mistake in the program, found by its tests.
    pub fn get<T: FromStr<Err: fmt::Display>>(&mut self, var: &Var) -> T {
        let given = self.optional(var);
        given.unwrap_or_else(|| parse(var.default).unwrap_or_else(|why| panic!("the default of {} cannot be read: {why}", var.name)))
    }

    /// The given value, if there is one.
    pub fn optional<T: FromStr<Err: fmt::Display>>(&mut self, var: &Var) -> Option<T> {
        let text = self.source.get(var)?;
        parse(text).map_err(|why| self.problem(var, why)).ok()
    }

    /// The given or default list: items separated by commas, blanks around them ignored.
    pub fn list<T: FromStr<Err: fmt::Display>>(&mut self, var: &Var) -> Vec<T> {
        let text = self.source.get(var).unwrap_or(var.default);
        let items: Vec<_> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(parse::<T>).collect();
        items.into_iter().filter_map(|item| item.map_err(|why| self.problem(var, why)).ok()).collect()
    }

    /// The given or default duration, within `range`.
    pub fn duration(&mut self, var: &Var, range: std::ops::RangeInclusive<Duration>) -> Duration {
        let text = self.source.get(var).unwrap_or(var.default);
        let checked = domain::parse_duration(text).map_err(|error| error.to_string()).and_then(|value| {
            let (low, high) = (domain::format_duration(*range.start()), domain::format_duration(*range.end()));
            if range.contains(&value) { Ok(value) } else { Err(format!("`{text}` is not between {low} and {high}")) }
        });
        checked.unwrap_or_else(|why| {
            self.problem(var, why);
            *range.start()
        })
    }

    /// Records that a value which can be read cannot be used.
    pub fn problem(&mut self, var: &Var, why: impl Into<String>) {
        self.problems.push(Problem { name: var.name, why: why.into() });
    }

    /// The same, with what to do about it.
    pub fn problem_with_hint(&mut self, var: &Var, why: impl fmt::Display, hint: impl fmt::Display) {
        self.problem(var, format!("{why}\n    hint: {hint}"));
    }

    pub fn finish<T>(self, value: T) -> Result<T, SettingsError> {
        if self.problems.is_empty() { Ok(value) } else { Err(SettingsError { problems: self.problems }) }
    }
}

fn parse<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|error: T::Err| format!("`{text}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars;

    #[test]
    fn every_problem_is_reported_at_once() {
        let source = Source::of(&[(&vars::WORKER_SLOTS, "many"), (&vars::SUCCEEDED_KEPT, "1h"), (&vars::QUEUES, "good,Bad")]);
        let mut reader = Reader::new(&source);
        let _: u32 = reader.get(&vars::WORKER_SLOTS);
        reader.duration(&vars::SUCCEEDED_KEPT, domain::bounds::SUCCEEDED_KEPT..=Duration::from_secs(1_000_000));
        let queues: Vec<domain::QueueName> = reader.list(&vars::QUEUES);
        assert_eq!(queues.len(), 1);
        let error = reader.finish(()).expect_err("three problems");
        assert_eq!(error.problems.len(), 3, "{error}");
        assert!(error.to_string().contains("FLOTILLA_WORKER_SLOTS"), "{error}");
    }

    #[test]
    fn an_empty_value_is_the_default() {
        let source = Source::of(&[(&vars::WORKER_SLOTS, " ")]);
        assert_eq!(Reader::new(&source).get::<u32>(&vars::WORKER_SLOTS), 10);
    }
}
