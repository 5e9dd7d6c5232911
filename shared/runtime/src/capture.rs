//! Captures what a handler logs, line by line, for people who look at the job later.

use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;

use coordination::FeedEvent;
use domain::bounds::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX, OUTPUT_BYTES_MAX};
use parking_lot::Mutex;
use store::LogLine;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer};

use crate::context::JobContext;

tokio::task_local! {
    static CURRENT: JobContext;
}

/// What one attempt said, within bounds.
#[derive(Default)]
pub(crate) struct Capture {
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    lines: Vec<LogLine>,
    lines_dropped: usize,
    output: String,
    output_cut: bool,
}

impl Capture {
    pub(crate) fn line(&self, line: LogLine) {
        let mut said = self.said.lock();
        if said.lines.len() < LOG_LINES_MAX {
            said.lines.push(line);
        } else {
            said.lines_dropped += 1;
        }
    }

    /// Keeps as much of `text` as fits.
    pub(crate) fn output(&self, text: &str) {
        let mut said = self.said.lock();
        let room = OUTPUT_BYTES_MAX.saturating_sub(said.output.len());
        let fits = text.floor_char_boundary(room);
        said.output.push_str(&text[..fits]);
        said.output_cut |= fits < text.len();
    }

    /// Everything said, with a last line that tells what was dropped. Leaves nothing behind.
    pub(crate) fn take(&self) -> (Vec<LogLine>, Option<String>) {
        let said = std::mem::take(&mut *self.said.lock());
        let mut lines = said.lines;
        if let Some(last) = lines.last_mut()
            && said.lines_dropped > 0
        {
            last.message = format!("… and {} more lines, not kept", said.lines_dropped + 1);
        }
        let mut output = said.output;
        if said.output_cut {
            output.push('…');
        }
        (lines, Some(output).filter(|output| !output.is_empty()))
    }
}

/// Runs `future` with its log lines going to `cx`. Tasks it spawns are not captured.
pub(crate) async fn captured<F: Future>(cx: JobContext, future: F) -> F::Output {
    CURRENT.scope(cx, future).await
}

/// The tracing layer that does it: every event at `info` and above inside a handler.
pub fn capture_layer<S>() -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a> + Send + Sync,
{
    CaptureLayer.with_filter(LevelFilter::INFO).boxed()
}

struct CaptureLayer;

impl<S: Subscriber> Layer<S> for CaptureLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // An error means that no handler is running here.
        let _ = CURRENT.try_with(|cx| {
            let mut text = Text::default();
            event.record(&mut text);
            let level = event.metadata().level().as_str().to_ascii_lowercase();
            cx.log_line(level, text.finish());
        });
    }
}

/// `message key=value …`
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn finish(mut self) -> String {
        self.message.push_str(&self.fields);
        if self.message.len() > LOG_LINE_BYTES_MAX {
            self.message.truncate(self.message.floor_char_boundary(LOG_LINE_BYTES_MAX));
            self.message.push('…');
        }
        self.message
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            _ => self.record_debug(field, &value),
        }
    }
}

/// A captured line as a live event.
pub(crate) fn event_of(line: &LogLine) -> FeedEvent {
    FeedEvent::Log { level: line.level.clone(), message: line.message.clone() }
}

/// Shared by the context of an attempt and the one who settles it.
pub(crate) type SharedCapture = Arc<Capture>;

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;

    fn line(message: &str) -> LogLine {
        LogLine { at: Timestamp::from_micros(0), level: "info".to_owned(), message: message.to_owned() }
    }

    #[test]
    fn lines_past_the_bound_are_counted() {
        let capture = Capture::default();
        (0..LOG_LINES_MAX + 5).for_each(|n| capture.line(line(&n.to_string())));
        let (lines, _) = capture.take();
        assert_eq!(lines.len(), LOG_LINES_MAX);
        assert_eq!(lines[LOG_LINES_MAX - 1].message, "… and 6 more lines, not kept");
    }

    #[test]
    fn output_past_the_bound_is_cut_at_a_character() {
        let capture = Capture::default();
        capture.output(&"é".repeat(OUTPUT_BYTES_MAX));
        let output = capture.take().1.expect("output");
        assert!(output.len() <= OUTPUT_BYTES_MAX + '…'.len_utf8() && output.ends_with('…'));
    }
}
