//! Reads the members of a JSON object one by one, and gathers everything that is wrong with them.

use std::fmt;

use domain::bounds::{MEMBERS_MAX, VIOLATIONS_MAX};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::problem::{Problem, Violation};

/// An object of a request's body, not yet read.
#[derive(Debug)]
pub struct Form {
    members: Vec<(String, Box<RawValue>)>,
    overflow: bool,
    /// The pointer to the object itself: empty for the whole body.
    base: String,
    /// The code of what is wrong, unless a reader says otherwise.
    code: &'static str,
    faults: Vec<Violation>,
}

impl Form {
    /// Reads the outline of the object. Text that is no JSON is a 400, JSON that is no object a 422.
    pub fn of(text: &str, base: impl Into<String>, code: &'static str) -> Result<Self, Problem> {
        let base = base.into();
        match serde_json::from_str::<Members>(text) {
            Ok(Members { members, overflow }) => Ok(Self { members, overflow, base, code, faults: Vec::new() }),
            Err(error) if error.classify() == Category::Data => {
                Err(Problem::invalid(code, vec![Violation::new(code, base, "must be an object")]))
            }
            Err(error) => Err(Problem::invalid_json(error.to_string())),
        }
    }

    /// The pointer to a member.
    pub fn pointer(&self, name: &str) -> String {
        format!("{}/{}", self.base, name.replace('~', "~0").replace('/', "~1"))
    }

    pub fn fault(&mut self, name: &str, message: impl Into<String>) {
        self.fault_as(self.code, name, message);
    }

    pub fn fault_as(&mut self, code: &'static str, name: &str, message: impl Into<String>) {
        let fault = Violation::new(code, self.pointer(name), message);
        self.faults.push(fault);
    }

    pub fn faults(&mut self, faults: Vec<Violation>) {
        self.faults.extend(faults);
    }

    /// The member as it is, `null` included.
    pub fn raw(&mut self, name: &str) -> Option<Box<RawValue>> {
        let at = self.members.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.members.remove(at);
        if self.members.iter().any(|(key, _)| key == name) {
            self.members.retain(|(key, _)| key != name);
            self.fault(name, "appears more than once");
        }
        Some(value)
    }

    /// A string without reading it yet.
    pub fn peek(&self, name: &str) -> Option<String> {
        let (_, value) = self.members.iter().find(|(key, _)| key == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// The member unless it is absent or `null`.
    pub fn given(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.raw(name).filter(|value| value.get() != "null")
    }

    /// A string, read by `read`.
    pub fn text<T, E: fmt::Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let value = self.given(name)?;
        let Ok(text) = serde_json::from_str::<String>(value.get()) else {
            self.fault(name, "must be a string");
            return None;
        };
        match read(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, error.to_string());
                None
            }
        }
    }

    /// A string that must be there.
    pub fn required_text<T, E: fmt::Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let known = self.faults.len();
        let value = self.text(name, read);
        if value.is_none() && self.faults.len() == known {
            self.fault(name, "is required");
        }
        value
    }

    /// A whole number from `range`.
    pub fn number(&mut self, name: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let value = self.given(name)?;
        let number = serde_json::from_str(value.get()).ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.fault(name, format!("must be a whole number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// An object inside of this one. What is wrong with its members is said by its own [`Form::finish`].
    pub fn object(&mut self, name: &str) -> Option<Self> {
        let value = self.given(name)?;
        let inner = Self::of(value.get(), self.pointer(name), self.code).ok();
        if inner.is_none() {
            self.fault(name, "must be an object");
        }
        inner
    }

    /// A list of strings.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let value = self.given(name)?;
        let texts = serde_json::from_str(value.get());
        if texts.is_err() {
            self.fault(name, "must be a list of strings");
        }
        texts.ok()
    }

    /// Everything that is wrong, members that nobody asked for included.
    pub fn finish(mut self) -> Vec<Violation> {
        let strangers: Vec<String> = self.members.iter().map(|(key, _)| key.chars().take(64).collect()).collect();
        for name in strangers.iter().take(VIOLATIONS_MAX + 1) {
            self.fault(name, "is not a field of this request");
        }
        if self.overflow {
            self.faults.push(Violation::new(self.code, self.base.clone(), format!("has more than {MEMBERS_MAX} fields")));
        }
        self.faults
    }

    /// Whether something was found to be wrong so far.
    pub fn is_at_fault(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Whether something was found to be wrong with this member, or inside of it.
    pub fn has_said(&self, name: &str) -> bool {
        let pointer = self.pointer(name);
        self.faults.iter().any(|fault| fault.pointer.starts_with(&pointer))
    }

    /// As [`Form::close`]; what was read is there unless something is wrong.
    pub fn close_with<T>(self, read: Option<T>) -> Result<T, Problem> {
        let code = self.code;
        self.close()?;
        // A reader that found nothing has said why, or the request has nothing in it.
        read.ok_or_else(|| Problem::invalid(code, Vec::new()))
    }

    /// Refuses the request if anything is wrong.
    pub fn close(self) -> Result<(), Problem> {
        let code = self.code;
        let faults = self.finish();
        if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(code, faults)) }
    }
}

/// Reads text of 1 to `chars_max` characters without control characters.
pub fn plain(chars_max: usize) -> impl Fn(&str) -> Result<String, String> {
    move |text| {
        let fits = (1..=chars_max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(text.to_owned()) } else { Err(format!("must be 1 to {chars_max} characters without control characters")) }
    }
}

/// The members in their order, bounded.
struct Members {
    members: Vec<(String, Box<RawValue>)>,
    overflow: bool,
}

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Outline;

        impl<'de> Visitor<'de> for Outline {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while members.len() < MEMBERS_MAX {
                    let Some(key) = map.next_key()? else { return Ok(Members { members, overflow: false }) };
                    members.push((key, map.next_value()?));
                }
                let mut overflow = false;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    overflow = true;
                }
                Ok(Members { members, overflow })
            }
        }

        deserializer.deserialize_map(Outline)
    }
}
