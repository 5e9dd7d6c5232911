//! Which jobs, which dead letters? The same names and rules in a query string and in a body.

use std::fmt;

use domain::bounds::{SEARCH_CHARS_MAX, TAG_CHARS_MAX};
use domain::{DeadFilter, JobFilter};

use crate::dead_letters::WORD_CHARS_MAX;
use crate::form::{Form, plain};
use crate::query::Query;

/// Where a filter is read from.
pub trait Fields {
    /// The field, read by `read`, unless it is left out. What is wrong with it is kept for the refusal.
    fn field<T, E: fmt::Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T>;
}

impl Fields for Query {
    fn field<T, E: fmt::Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        self.take(name, read)
    }
}

impl Fields for Form {
    fn field<T, E: fmt::Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        self.text(name, read)
    }
}

pub fn jobs(fields: &mut impl Fields) -> JobFilter {
    JobFilter {
        state: fields.field("state", str::parse),
        kind: fields.field("kind", str::parse),
        queue: fields.field("queue", str::parse),
        tag: fields.field("tag", plain(TAG_CHARS_MAX)),
        created_after: fields.field("created_after", str::parse),
        created_before: fields.field("created_before", str::parse),
        q: fields.field("q", plain(SEARCH_CHARS_MAX)),
    }
}

pub fn dead_letters(fields: &mut impl Fields) -> DeadFilter {
    DeadFilter {
        queue: fields.field("queue", str::parse),
        kind: fields.field("kind", str::parse),
        fingerprint: fields.field("fingerprint", plain(WORD_CHARS_MAX)),
        reason: fields.field("reason", plain(WORD_CHARS_MAX)),
        dead_after: fields.field("dead_after", str::parse),
        dead_before: fields.field("dead_before", str::parse),
    }
}

/// The filter of a body: an object that names something.
pub fn of_body<F: Default + PartialEq>(form: &mut Form, example: &str, read: impl FnOnce(&mut Form) -> F) -> Option<F> {
    let mut inner = form.object("filter")?;
    let filter = read(&mut inner);
    let faults = inner.finish();
    if faults.is_empty() && filter == F::default() {
        form.fault("filter", format!("must name at least one thing, such as {example}"));
        return None;
    }
    form.faults(faults);
    Some(filter)
}
