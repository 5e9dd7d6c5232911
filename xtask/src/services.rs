//! Where do PostgreSQL, RabbitMQ and Redis come from? Private ones, for a test run or for as long as somebody works with them.

mod install;
mod lasting;
mod resource;
mod throw_away;
mod wanted;

use std::process::ExitCode;

use anyhow::{Result, bail};

pub use install::{install_packages, programs};
pub use resource::Resource;
pub use throw_away::{Services, Starting};
pub use wanted::wanted;

/// `services up` and `services down [--wipe]`.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["up"] => lasting::up(),
        ["down"] => lasting::down(lasting::Data::Stays),
        ["down", "--wipe"] => lasting::down(lasting::Data::Goes),
        _ => bail!("say `cargo xtask services up` or `cargo xtask services down [--wipe]`"),
    }
}
