//! Typed ids: a worker's id cannot be passed for a job's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// The text is no UUID in hyphenated form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id (expected a UUID such as 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f)")]
pub struct IdError(String);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// When the id was minted, for a version 7 id; `None` for any other.
            pub fn minted_at(&self) -> Option<Timestamp> {
                let (secs, nanos) = self.0.get_timestamp().filter(|_| self.0.get_version_num() == 7)?.to_unix();
                Some(Timestamp::from_micros(i64::try_from(secs).ok()? * 1_000_000 + i64::from(nanos / 1_000)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let hyphenated = text.len() == 36;
                Uuid::try_parse(text).ok().filter(|_| hyphenated).map(Self).ok_or_else(|| IdError(text.chars().take(64).collect()))
            }
        }
    };
}

id! {
    /// A job, for ever. Version 7: its first 48 bits are the millisecond it was accepted.
    JobId
}
id! {
    /// One process of the fleet between its start (or its last self-fence) and its end.
    WorkerId
}
id! {
    /// One claim: minted by the worker before it asks, so that a lost reply can be resolved.
    ClaimId
}
id! {
    /// One broker message's row in the emission ledger.
    EmissionId
}
id! {
    /// An API key (never the secret itself).
    KeyId
}
id! {
    /// An act on many jobs: minted by whoever begins it, so that a lost reply can be resolved.
    OperationId
}

/// The number of a claim of a job: +1 at every claim, never lowered, never reset. The fence.
pub type Run = u32;
