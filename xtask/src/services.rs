//! Where do PostgreSQL, RabbitMQ and Redis come from? Private ones, for a test run or for as long as somebody works with them.

mod broker;
mod install;
mod lasting;
mod mirror;
mod resource;
mod roots;
mod throw_away;
mod versions;
mod wanted;

use std::process::ExitCode;

use anyhow::{Result, bail};

pub use broker::Broker;
pub use install::{install_packages, programs};
pub use resource::Resource;
pub use roots::root;
pub use throw_away::{Services, Starting, Wish};
pub use versions::Version;
pub use wanted::wanted;

/// `services up [--rabbitmq <version>]` and `services down [--wipe]`.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["up"] => lasting::up(None),
        ["up", "--rabbitmq", version] => lasting::up(Some(Version::named(version)?)),
        ["down"] => lasting::down(lasting::Data::Stays),
        ["down", "--wipe"] => lasting::down(lasting::Data::Goes),
        _ => bail!("say `cargo xtask services up [--rabbitmq <version>]` or `cargo xtask services down [--wipe]`"),
    }
}
