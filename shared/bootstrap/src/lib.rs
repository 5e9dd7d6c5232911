//! `bootstrap` is the composition root: it reads settings, picks adapters, and knows signals, logs and what every process does
//! around its role. It is the only place that knows a backend, and it does no work of its own.

mod admin;
mod api_publisher;
mod api_settings;
mod backends;
mod broker_gauges;
mod checkup;
mod data_dir;
mod direct;
mod distributed;
mod embedded;
mod engine;
mod engine_settings;
mod handlers;
mod listen;
mod logs;
mod outbox;
mod queues;
mod role;
mod secret;
mod server;
mod shutdown;
mod vitals;
mod worker_role;

pub use admin::{AdminParts, AdminPort};
pub use api_settings::ApiSettings;
pub use backends::{Backends, Seats, Servers};
pub use checkup::{Finding, Verdict, check_servers};
pub use data_dir::{DataDir, DataDirError};
pub use direct::{AccessSettings, DatabaseSettings, KeyOrder, Migration, create_key, migrate};
pub use engine::{DEFAULT_TENANT, Engine, EngineError, Opening};
pub use engine_settings::EngineSettings;
pub use handlers::HandlerThreads;
pub use listen::{ListenError, admin_listen, admin_listen_if_set, listen};
pub use logs::{LogSettings, start_logs};
pub use queues::QueueKeeper;
pub use role::{Ended, Role, Start, Threads, run_role};
pub use server::{Server, ServerLimits};
pub use shutdown::shutdown_on_signals;
pub use vitals::{Dependency, Vitals};
pub use worker_role::{WorkerSettings, host, read_slots, run_worker};

/// The store's clock, as roles get it.
pub type Clock = std::sync::Arc<dyn Fn() -> domain::Timestamp + Send + Sync>;
