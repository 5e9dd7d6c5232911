//! What was heard of a job and not told yet: events in their order, each with its place.

use std::collections::VecDeque;

use serde::Deserialize;

use super::Event;
use crate::sse::RawEvent;
use crate::{Id, Job, Priority, State, Time, WaitingFor};

/// Events on their way from the server to the caller.
#[derive(Default)]
pub struct Heard {
    waiting: VecDeque<Told>,
    /// The latest place that was read: where a broken stream goes on.
    read: Option<String>,
    /// What was said last about the job's state.
    shown: Option<Shown>,
    ended: bool,
}

/// An event for the caller.
pub struct Told {
    pub event: Event,
    /// Its data, word for word.
    pub said: String,
    /// The latest place up to it.
    pub place: Option<String>,
}

/// What of a job makes a new event.
#[derive(PartialEq, Eq)]
struct Shown {
    state: State,
    waiting_for: Option<WaitingFor>,
    run: u32,
    attempt: u32,
    priority: Priority,
    run_at: Time,
    worker: Option<Id>,
    cancel_requested: bool,
}

#[derive(Deserialize)]
struct Output {
    text: String,
}

#[derive(Deserialize)]
struct Line {
    level: String,
    message: String,
}

impl Heard {
    pub fn begin_after(&mut self, place: String) {
        self.read = Some(place);
    }

    /// The latest place that was read.
    pub fn read(&self) -> Option<&str> {
        self.read.as_deref()
    }

    pub fn next(&mut self) -> Option<Told> {
        self.waiting.pop_front()
    }

    /// Whether the job's end was heard.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// What is not understood is passed over: a newer server says more.
    pub fn take(&mut self, raw: RawEvent) {
        let run = raw.id.as_deref().and_then(|id| id.split_once('-')?.0.parse().ok()).unwrap_or_default();
        if let Some(id) = raw.id {
            self.read = Some(id);
        }
        let data = raw.data.as_str();
        let event = match raw.name.as_str() {
            "state" => {
                if let Ok(job) = serde_json::from_str(data) {
                    self.show(job, raw.data);
                }
                return;
            }
            "progress" => serde_json::from_str(data).map(Event::Progress),
            "output" => serde_json::from_str(data).map(|Output { text }| Event::Output { run, text }),
            "log" => serde_json::from_str(data).map(|Line { level, message }| Event::Log { run, level, message }),
            "gap" => Ok(Event::Gap),
            _ => return,
        };
        if let Ok(event) = event {
            self.tell(event, raw.data);
        }
    }

    /// After a resumption the state is said once more: once is enough.
    pub fn show(&mut self, job: Job, said: String) {
        let Job { ref state, ref waiting_for, ref priority, run, attempt, run_at, worker, cancel_requested, .. } = job;
        let (state, waiting_for, priority) = (state.clone(), waiting_for.clone(), priority.clone());
        let shown = Shown { state, waiting_for, run, attempt, priority, run_at, worker, cancel_requested };
        self.ended = shown.state.is_end();
        if self.shown.as_ref() != Some(&shown) {
            self.shown = Some(shown);
            self.tell(Event::State(Box::new(job)), said);
        }
    }

    /// Events are missing here.
    pub fn miss(&mut self) {
        self.tell(Event::Gap, "{}".to_owned());
    }

    fn tell(&mut self, event: Event, said: String) {
        self.waiting.push_back(Told { event, said, place: self.read.clone() });
    }
}
