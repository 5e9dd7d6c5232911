//! The demo's workload: which jobs, and how each group is expected to end.

use std::time::Duration;

use flotilla_client::Job;

/// How a group's jobs are to end, and how often the receiver is to accept each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Succeeded, accepted once, at this attempt.
    Delivered { attempt: u32 },
    /// Dead, never accepted.
    Refused { code: &'static str },
    /// Cancelled while it ran, never accepted.
    Cancelled,
}

/// Jobs that are alike.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Also the tag of its jobs.
    pub name: &'static str,
    pub about: &'static str,
    pub jobs: usize,
    pub queue: &'static str,
    /// Taken in turn.
    pub priorities: &'static [&'static str],
    /// The path at the receiver, which decides how that behaves.
    pub path: &'static str,
    pub delay: Option<Duration>,
    /// Whether a callback is to tell when a job has ended.
    pub callback: bool,
    pub expected: Expected,
}

const ALL_FIVE: &[&str] = &["critical", "high", "normal", "low", "bulk"];
const ONCE: Expected = Expected::Delivered { attempt: 1 };
const PLAIN: Group = Group {
    name: "",
    about: "",
    jobs: 0,
    queue: "webhooks",
    priorities: &["normal"],
    path: "/ok",
    delay: None,
    callback: false,
    expected: ONCE,
};

/// The whole workload.
pub const GROUPS: &[Group] = &[
    Group { name: "orders", about: "accepted at once", jobs: 1_200, queue: "orders", priorities: &["critical", "high"], ..PLAIN },
    Group { name: "mixed", about: "all five priorities", jobs: 1_000, queue: "notifications", priorities: ALL_FIVE, ..PLAIN },
    Group {
        name: "flaky-once",
        about: "answers 503 once",
        jobs: 200,
        path: "/fail/1",
        expected: Expected::Delivered { attempt: 2 },
        ..PLAIN
    },
    Group {
        name: "flaky-twice",
        about: "answers 503 twice",
        jobs: 40,
        path: "/fail/2",
        expected: Expected::Delivered { attempt: 3 },
        ..PLAIN
    },
    Group { name: "throttled", about: "429, then accepted", jobs: 60, path: "/busy", expected: ONCE, ..PLAIN },
    Group {
        name: "refused",
        about: "answers 400",
        jobs: 100,
        path: "/refuse",
        priorities: &["low"],
        expected: Expected::Refused { code: "http_400" },
        ..PLAIN
    },
    Group { name: "delayed", about: "due in 3 s", jobs: 200, delay: Some(Duration::from_secs(3)), ..PLAIN },
    Group { name: "callbacks", about: "tells when it ended", jobs: 100, callback: true, ..PLAIN },
    Group {
        name: "cancelled",
        about: "cancelled while it runs",
        jobs: 1,
        path: "/hang",
        priorities: &["critical"],
        expected: Expected::Cancelled,
        ..PLAIN
    },
];

impl Group {
    /// The group of a listed job, by its tags.
    pub fn of(job: &Job) -> Option<&'static Self> {
        GROUPS.iter().find(|group| job.tags.iter().any(|tag| tag == group.name))
    }
}

/// The queues the workload uses.
pub fn queues() -> Vec<&'static str> {
    let mut queues: Vec<_> = GROUPS.iter().map(|group| group.queue).collect();
    queues.sort_unstable();
    queues.dedup();
    queues
}

/// How many callbacks are to arrive.
pub fn callbacks() -> usize {
    GROUPS.iter().filter(|group| group.callback).map(|group| group.jobs).sum()
}
