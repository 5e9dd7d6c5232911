//! How is one connection to Redis made?

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, PushInfo, PushKind, RedisError};
use tokio::sync::Notify;

/// Name, socket, TLS, password: all of it within this time. A server that takes the connection and says nothing must not hold us.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long any reply may take.
pub(crate) const REPLY_WITHIN: Duration = Duration::from_secs(1);

/// A Redis that connections can be made to.
#[derive(Clone)]
pub(crate) struct Server {
    client: Client,
}

/// A connection, and what tells that it is gone.
pub(crate) struct Opened {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) gone: Arc<Notify>,
}

impl Server {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Connects once. `heard` gets what the server sends unasked, on the connection's own task: it must not wait. `reply_within`:
    /// `None` where the caller has a deadline of its own.
    pub(crate) async fn connect(
        &self,
        heard: Arc<dyn Fn(PushInfo) + Send + Sync>,
        reply_within: Option<Duration>,
    ) -> Result<Opened, RedisError> {
        let gone = Arc::new(Notify::new());
        let tells = Arc::clone(&gone);
        let pushed = move |push: PushInfo| {
            match push.kind {
                PushKind::Disconnection => tells.notify_one(),
                _ => heard(push),
            }
            Ok::<(), std::convert::Infallible>(())
        };
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(reply_within).set_push_sender(pushed);
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let connected = tokio::time::timeout(CONNECT_WITHIN, connecting).await;
        let connection = connected.unwrap_or_else(|_| Err(timed_out(self.silence())))?;
        Ok(Opened { connection, gone })
    }

    fn silence(&self) -> &'static str {
        match self.client.get_connection_info().addr() {
            ConnectionAddr::TcpTls { .. } => "no TLS connection in time: does this port speak TLS?",
            _ => "no connection in time",
        }
    }
}

pub(crate) fn timed_out(what: &'static str) -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, what).into()
}
