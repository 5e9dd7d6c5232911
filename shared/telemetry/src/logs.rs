//! Logs: readable on a terminal, JSON otherwise, always on standard error.

use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    Text,
    Json,
}

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    #[error("`{0}` is not a log format (text, json or auto)")]
    Format(String),
    #[error("`{text}` are no tracing directives (such as `info` or `info,runtime=debug`)")]
    Directives {
        text: String,
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("logging is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

impl FromStr for LogFormat {
    type Err = LogsError;

    fn from_str(text: &str) -> Result<Self, LogsError> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(LogsError::Format(other.chars().take(32).collect())),
        }
    }
}

/// Libraries whose lines are no news: what they report is logged by those who use them. Given directives win.
const QUIET: &str = "lapin=off";

/// Sets up logging for the process. `also` sees every event whatever is logged: the runtime captures handlers' lines with it.
pub fn init(format: LogFormat, directives: &str, also: Option<Box<dyn Layer<Registry> + Send + Sync>>) -> Result<(), LogsError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{directives}"))
        .map_err(|source| LogsError::Directives { text: directives.to_owned(), source })?;
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines: Box<dyn Layer<_> + Send + Sync> = if json {
        fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false).with_writer(std::io::stderr).boxed()
    } else {
        fmt::layer().with_target(false).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).boxed()
    };
    Registry::default().with(also).with(lines.with_filter(filter)).try_init().map_err(LogsError::Twice)
}
