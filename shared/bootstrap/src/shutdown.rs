//! Signals: the first asks for a drain, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a process killed by a signal reports (128 + SIGINT).
const EXIT_INTERRUPTED: i32 = 130;

/// A token that is cancelled by SIGINT or SIGTERM. A second signal ends the process at once; what it ran is found by the next start.
pub fn shutdown_on_signals() -> std::io::Result<CancellationToken> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        for last in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if last {
                tracing::error!("a second signal: leaving at once; the next start rescues what ran");
                #[expect(clippy::disallowed_methods, reason = "the person asked twice: nothing is to be waited for")]
                std::process::exit(EXIT_INTERRUPTED);
            }
            tracing::info!("asked to stop: draining (once more to leave at once)");
            token.cancel();
        }
    });
    Ok(shutdown)
}
