//! `settings` reads every setting once, from the environment and `flotilla.toml`, and reports every problem at once.
//! It is the only place that reads the environment (I11). It does not act on what it reads.

mod listen;
mod origin;
mod reader;
pub mod reference;
mod secret;
mod server_url;
mod source;
pub mod vars;

pub use listen::{ListenAddress, ListenAddressError};
pub use origin::{Origin, OriginError};
pub use reader::{Problem, Reader, SettingsError};
pub use secret::Secret;
pub use server_url::{ServerUrl, ServerUrlError};
pub use source::{Source, SourceError};
pub use vars::Var;
