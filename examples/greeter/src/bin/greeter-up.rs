//! Everything in one process, as `flotilla up` is, with a kind more.
#![expect(clippy::print_stdout, reason = "whoever starts it wants to know where it listens")]

use flotilla::{Fleet, FleetOptions};
use runtime::Registry;
use settings::Source;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let source = Source::from_process()?;
    flotilla::start_logs(&source)?;
    let stop = bootstrap::shutdown_on_signals()?;
    let mut registry = Registry::default();
    greeter::register(&mut registry)?;
    let fleet = Fleet::start_unless(FleetOptions { source, registry }, &stop).await?;
    println!("API      {}", fleet.url());
    stop.cancelled().await;
    fleet.shutdown().await;
    Ok(())
}
