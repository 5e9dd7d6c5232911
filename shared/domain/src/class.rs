//! A class is a queue at a priority: the unit in which hints wait and are drawn.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{EmissionId, JobId, QueueName};

/// How much a job matters beside others of its queue. Shares, not ranks: no class starves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Priority {
    Bulk = 0,
    Low = 1,
    #[default]
    Normal = 2,
    High = 3,
    Critical = 4,
}

/// The text or number names no priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a priority (critical, high, normal, low or bulk)")]
pub struct UnknownPriority(String);

impl Priority {
    /// All five, most important first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Normal, Self::Low, Self::Bulk];

    /// The number in the store and in broker queue names (`p4` is critical).
    pub const fn code(self) -> u8 {
        self as u8
    }

    pub fn from_code(code: u8) -> Result<Self, UnknownPriority> {
        Self::ALL.into_iter().find(|p| p.code() == code).ok_or_else(|| UnknownPriority(code.to_string()))
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
            Self::Bulk => "bulk",
        }
    }

    /// The share of slots a class gets while all five are busy: 16:8:4:2:1 (queue-core, decision 6).
    pub const fn weight(self) -> u32 {
        1 << self.code()
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Priority {
    type Err = UnknownPriority;

    fn from_str(text: &str) -> Result<Self, UnknownPriority> {
        Self::ALL.into_iter().find(|p| p.as_str() == text).ok_or_else(|| UnknownPriority(text.chars().take(32).collect()))
    }
}

/// One queue at one priority.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Class {
    pub queue: QueueName,
    pub priority: Priority,
}

/// One batch of queued job ids on its way to the broker: at most [`crate::bounds::EMISSION_IDS_MAX`] of one class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emission {
    pub id: EmissionId,
    pub class: Class,
    pub jobs: Vec<JobId>,
}
