//! Sets up logs for a process, with the layer that captures handlers' lines.

use settings::{Reader, vars};
use telemetry::{LogFormat, LogsError};

/// What is logged and how it looks.
#[derive(Debug, Clone)]
pub struct LogSettings {
    pub format: LogFormat,
    pub directives: String,
}

impl LogSettings {
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self { format: reader.get(&vars::LOG_FORMAT), directives: reader.get(&vars::LOG) }
    }
}

/// To be called once, first thing.
pub fn start_logs(settings: &LogSettings) -> Result<(), LogsError> {
    telemetry::init(settings.format, &settings.directives, Some(runtime::capture_layer()))
}
