//! `bootstrap` is the composition root: it reads settings, picks adapters, and knows signals and logs. It is the only place
//! that matches on a backend, and it does no work of its own.

mod data_dir;
mod engine;
mod engine_settings;
mod logs;
mod shutdown;

pub use data_dir::{DataDir, DataDirError};
pub use engine::{Engine, EngineError};
pub use engine_settings::EngineSettings;
pub use logs::{LogSettings, start_logs};
pub use shutdown::shutdown_on_signals;

/// The store's clock, as roles get it.
pub type Clock = std::sync::Arc<dyn Fn() -> domain::Timestamp + Send + Sync>;
