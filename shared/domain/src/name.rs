//! Names that people choose: queues, kinds, tenants, endpoints. Lower case, short, safe in a URL and a metric label.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bounds::NAME_CHARS_MAX;

/// The text breaks the rule for names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what} (1 to 64 characters of a-z, 0-9, `_`, `-`{dots}, starting with a letter)")]
pub struct NameError {
    what: &'static str,
    dots: &'static str,
    text: String,
}

fn is_name(text: &str, dots: bool) -> bool {
    let starts_well = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-' || (dots && b == b'.');
    starts_well && text.len() <= NAME_CHARS_MAX && text.bytes().all(allowed) && !text.contains("..") && !text.ends_with('.')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, dots: $dots:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A name known to be valid when the program was written.
            ///
            /// # Panics
            /// If it is not; only for literals.
            pub fn of(literal: &'static str) -> Self {
                assert!(is_name(literal, $dots), "a literal must be a valid name");
                Self(literal.into())
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if is_name(text, $dots) {
                    return Ok(Self(text.into()));
                }
                let dots = if $dots { ", `.`" } else { "" };
                Err(NameError { what: $what, dots, text: text.chars().take(NAME_CHARS_MAX).collect() })
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    };
}

name! {
    /// Where a job waits: `webhooks`.
    QueueName, "queue name", dots: false
}
name! {
    /// What a job is: `webhooks.deliver`.
    KindName, "kind name", dots: true
}
name! {
    /// Whose job it is: `default`.
    TenantId, "tenant name", dots: false
}
name! {
    /// A webhook endpoint of a tenant: `orders`.
    EndpointName, "endpoint name", dots: false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_short_and_start_with_a_letter() {
        for good in ["a", "webhooks", "a-b_c9"] {
            assert!(good.parse::<QueueName>().is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "A", "9a", "-a", "a b", "a.b", "é", "a\n", long.as_str()] {
            assert!(bad.parse::<QueueName>().is_err(), "{bad}");
        }
        assert!("webhooks.deliver".parse::<KindName>().is_ok());
        for bad in ["a..b", "a.", ".a"] {
            assert!(bad.parse::<KindName>().is_err(), "{bad}");
        }
    }
}
