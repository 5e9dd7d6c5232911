//! What are our keys and channels called?

use domain::{Class, JobId};

/// Names under one prefix, which has the version of what is stored: another layout is another prefix.
pub(crate) struct Names {
    feed: String,
    told: String,
    nudges: String,
    express: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            feed: format!("{prefix}:feed:"),
            told: format!("{prefix}:told:"),
            nudges: format!("{prefix}:nudges"),
            express: format!("{prefix}:express:"),
        }
    }

    /// The stream of a job's events.
    pub(crate) fn feed(&self, job: JobId) -> String {
        format!("{}{job}", self.feed)
    }

    /// The channel that tells of a job's new events.
    pub(crate) fn told(&self, job: JobId) -> String {
        format!("{}{job}", self.told)
    }

    /// The job that a channel tells of, if it is such a channel.
    pub(crate) fn job_of(&self, channel: &str) -> Option<JobId> {
        channel.strip_prefix(&self.told)?.parse().ok()
    }

    /// The channel of nudges.
    pub(crate) fn nudges(&self) -> &str {
        &self.nudges
    }

    /// The list of hints that wait for a worker of this class.
    pub(crate) fn express(&self, class: &Class) -> String {
        format!("{}{}.p{}", self.express, class.queue, class.priority.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_an_agreement_between_versions() {
        let names = Names::new("flotilla:v1");
        let job: JobId = "019a9f2e-0000-7000-8000-000000000001".parse().expect("an id");
        assert_eq!(names.feed(job), "flotilla:v1:feed:019a9f2e-0000-7000-8000-000000000001");
        assert_eq!(names.told(job), "flotilla:v1:told:019a9f2e-0000-7000-8000-000000000001");
        assert_eq!(names.nudges(), "flotilla:v1:nudges");
        let class = Class { queue: domain::QueueName::of("webhooks"), priority: domain::Priority::High };
        assert_eq!(names.express(&class), "flotilla:v1:express:webhooks.p3");
        assert_eq!(names.job_of(&names.told(job)), Some(job));
        assert_eq!((names.job_of(names.nudges()), names.job_of("flotilla:v1:told:x")), (None, None));
    }
}
