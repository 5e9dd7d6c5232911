//! How is an event written on a stream?

use coordination::{FeedEvent, FeedId};
use domain::Job;
use serde_json::json;

use crate::job_view::{JobView, Shape};

/// Nothing but a sign of life.
pub const PING: &str = ": ping\n\n";
/// How long a reader waits before it connects again.
pub const RETRY: &str = "retry: 1000\n\n";
/// Some events are gone.
pub const GAP: &str = "event: gap\ndata: {}\n\n";

/// A job as it is now; `id`: where to go on behind this event.
pub fn state(job: &Job, id: Option<FeedId>) -> String {
    let data = serde_json::to_string(&JobView::of(job, Shape::Brief)).unwrap_or_default();
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("{id}event: state\ndata: {data}\n\n")
}

/// An event of the feed; the end of a run is none of its own: a `state` follows.
pub fn event(id: FeedId, event: &FeedEvent) -> Option<String> {
    let (name, data) = match event {
        FeedEvent::Progress(progress) => ("progress", json!(progress)),
        FeedEvent::Output { text } => ("output", json!({ "text": text })),
        FeedEvent::Log { level, message } => ("log", json!({ "level": level, "message": message })),
        FeedEvent::Ended => return None,
    };
    Some(format!("id: {id}\nevent: {name}\ndata: {data}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of a handler may not end an event or begin another.
    #[test]
    fn text_stays_inside_of_its_event() {
        let id = FeedId { run: 1, seq: 2 };
        let written = event(id, &FeedEvent::Output { text: "a\n\nevent: state\r\ndata: x\u{2028}".to_owned() }).expect("an event");
        assert_eq!(written.lines().count(), 4, "{written}");
        assert_eq!(written.lines().filter(|line| line.starts_with("event:")).count(), 1);
        assert!(event(id, &FeedEvent::Ended).is_none());
    }
}
