//! Serves the API on a listener until it is told to stop, and then ends within a bound.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests in flight may take after the stop; later ones are cut off. What they recorded stays recorded.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// Answers requests until `shutdown`, then takes no new ones and waits for those in flight, at most 10 s.
///
/// # Errors
/// If the listener fails for good.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> io::Result<()> {
    // Answers are small and whole: waiting for more to send would only delay them.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays with delayed sending");
        }
    });
    let mut serving = pin!(axum::serve(listener, router).with_graceful_shutdown(shutdown.clone().cancelled_owned()).into_future());
    tokio::select! {
        served = &mut serving => return served,
        () = shutdown.cancelled() => {}
    }
    match tokio::time::timeout(STOPS_WITHIN, serving).await {
        Ok(served) => served,
        Err(_) => {
            tracing::warn!("some requests did not end in time and are cut off");
            Ok(())
        }
    }
}
